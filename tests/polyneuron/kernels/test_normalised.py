import copy

import pytest
import torch
from torch import Tensor, nn

from polyneuron import SingularSystemError, make_activation, normalised_activation
from polyneuron.kernels.cpp import backend

NAMES = ["relu", "swish", "apl", "polyneuron", "polyneuron_r"]
SHAPES = {
    "whole vectors": (5, 16, 7, 7),
    "odd": (3, 5, 7, 3),
    "one pixel": (4, 6, 1, 1),
    "over a chunk": (2, 3, 90, 100),
}


class Pair:
    """The modules, and their like in float64 that are called one by one."""

    def __init__(self, name: str, scope: str, channels: int, training: bool) -> None:
        self.norm = nn.BatchNorm2d(channels).train(training)
        self.activation = make_activation(name, channels=channels, scope=scope)
        with torch.no_grad():
            self.norm.weight.normal_()
            self.norm.bias.normal_()
            # Near those of what the tests put in.
            self.norm.running_mean.normal_(3, 0.1)
            self.norm.running_var.uniform_(2, 8)
        self.exact_norm = copy.deepcopy(self.norm).double()
        self.exact_activation = copy.deepcopy(self.activation).double()

    def fast(self, z: Tensor, residual: Tensor | None) -> Tensor:
        return normalised_activation(self.norm, self.activation, z, residual)

    def exact(self, z: Tensor, residual: Tensor | None) -> Tensor:
        u = self.exact_norm(z)
        return self.exact_activation(u if residual is None else u + residual)


def results(y: Tensor, inputs: list[Tensor], g: Tensor, norm: nn.BatchNorm2d) -> list[Tensor]:
    gradients = torch.autograd.grad(y, inputs, g.to(y.dtype))
    return [y.detach(), *gradients, norm.running_mean, norm.running_var]


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the functions that the fused kernel was called for."""
    calls: list[str] = []
    forward = backend.norm_forward

    def counted(*arguments):  # type: ignore[no-untyped-def]
        calls.append("norm")
        return forward(*arguments)

    monkeypatch.setattr(backend, "norm_forward", counted)
    return calls


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("with_residual", [False, True], ids=["", "residual"])
@pytest.mark.parametrize("scope", ["layer", "channel"])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_modules_one_by_one(
    name: str, scope: str, with_residual: bool, training: bool, used: list[str]
) -> None:
    torch.use_deterministic_algorithms(True)  # unwritten memory is not a number
    for case, shape in SHAPES.items():
        for memory_format in (torch.contiguous_format, torch.channels_last):
            pair = Pair(name, scope, shape[1], training)
            z = (2 * torch.randn(shape) + 3).to(memory_format=memory_format)
            residual = torch.randn(shape) if with_residual else None
            inputs = [t.detach().requires_grad_() for t in (z, residual) if t is not None]
            exact_inputs = [t.detach().double().requires_grad_() for t in inputs]
            g = torch.randn(shape)
            y = pair.fast(*inputs, *(() if with_residual else (None,)))
            exact_y = pair.exact(*exact_inputs, *(() if with_residual else (None,)))
            own = [*pair.norm.parameters(), *pair.activation.parameters()]
            exact_own = [*pair.exact_norm.parameters(), *pair.exact_activation.parameters()]
            found = results(y, [*inputs, *own], g, pair.norm)
            exact = results(exact_y, [*exact_inputs, *exact_own], g, pair.exact_norm)
            assert y.stride() == z.stride()
            for n, (one, other) in enumerate(zip(found, exact, strict=True)):
                error = float((one.double() - other).abs().max())
                # Cubic tails magnify the rounding of what they receive.
                bound = 4e-5 * (float(other.abs().max()) + 1e-2)
                assert error <= bound, f"{case}, {memory_format}, {n}: {error} > {bound}"
            assert pair.norm.num_batches_tracked == pair.exact_norm.num_batches_tracked
    torch.use_deterministic_algorithms(False)
    assert len(used) == 2 * len(SHAPES)


def test_a_mean_far_from_zero_costs_no_digits() -> None:
    pair = Pair("relu", "layer", 8, training=True)
    z = torch.randn(16, 8, 9, 9) + 1000
    # z itself is rounded to 6e-5, which is all that may be lost.
    torch.testing.assert_close(
        pair.fast(z, None).double(), pair.exact(z.double(), None), rtol=0, atol=1e-3
    )


def test_the_same_bits_with_any_threads() -> None:
    z, g = torch.randn(2, 64, 40, 40), torch.randn(64, 40, 40)
    found = []
    for threads in (1, 2, 1):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        pair = Pair("polyneuron_r", "channel", 64, training=True)
        inputs = [z.requires_grad_(), *pair.norm.parameters(), *pair.activation.parameters()]
        found.append(results(pair.fast(z, None), inputs, g.expand(z.shape), pair.norm))
    torch.set_num_threads(1)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_bfloat16_is_computed_in_float32(used: list[str]) -> None:
    pair = Pair("polyneuron_r", "layer", 16, training=True)
    z = torch.randn(4, 16, 8, 8).bfloat16()
    y = pair.fast(z, None)
    assert y.dtype == torch.bfloat16
    assert used
    exact, y = pair.exact(z.double(), None).detach(), y.detach()
    assert float((y.double() - exact).abs().max()) <= 1e-2 * float(exact.abs().max())


@pytest.mark.parametrize("with_residual", [False, True])
def test_nothing_else_of_full_size_is_kept(with_residual: bool) -> None:
    pair = Pair("polyneuron_r", "layer", 16, training=True)
    z = torch.randn(8, 16, 16, 16, requires_grad=True)
    residual = torch.randn(z.shape, requires_grad=True) if with_residual else None
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.data_ptr()) or t if t.numel() >= z.numel() else t, lambda t: t
    ):
        pair.fast(z, residual)
    # A convolution keeps its output for nobody: z is ours, and the only one.
    assert sorted(kept) == sorted(t.data_ptr() for t in (z, residual) if t is not None)


class TestTheModulesAreCalled:
    """Wherever the kernel could not do as they do."""

    def modules(self, **options: object) -> tuple[nn.BatchNorm2d, nn.Module]:
        return nn.BatchNorm2d(4, **options), make_activation("polyneuron_r")  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "options", [{"affine": False}, {"track_running_stats": False}, {"momentum": None}]
    )
    def test_for_other_kinds_of_norm(self, options: dict[str, object], used: list[str]) -> None:
        norm, activation = self.modules(**options)
        z = torch.randn(3, 4, 5, 5)
        expected = activation(copy.deepcopy(norm)(z))
        assert torch.equal(normalised_activation(norm, activation, z), expected)
        assert not used

    @pytest.mark.parametrize("hooked", [0, 1])
    def test_for_hooks(self, hooked: int, used: list[str]) -> None:
        modules, seen = self.modules(), []
        modules[hooked].register_forward_hook(lambda *_: seen.append(1))
        normalised_activation(*modules, torch.randn(3, 4, 5, 5))
        assert (len(seen), used) == (1, [])

    def test_for_other_activations(self, used: list[str]) -> None:
        z = torch.randn(3, 4, 5, 5)
        norm = nn.BatchNorm2d(4)
        for activation in (nn.ReLU(), make_activation("gelu")):
            expected = activation(copy.deepcopy(norm)(z))
            assert torch.equal(normalised_activation(copy.deepcopy(norm), activation, z), expected)
        assert not used

    def test_for_one_value_a_channel_as_torch_refuses_it(self) -> None:
        with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
            normalised_activation(*self.modules(), torch.randn(1, 4, 1, 1))


def test_points_that_meet_are_named() -> None:
    activation = make_activation("polyneuron", channels=4, scope="channel")
    with torch.no_grad():
        activation.c_x[2] = torch.tensor([0.0, 0.0, 1.0])
    with pytest.raises(SingularSystemError, match="function 2 with k = 3"):
        normalised_activation(nn.BatchNorm2d(4), activation, torch.randn(3, 4, 5, 5))


def test_second_derivatives() -> None:
    norm, activation = nn.BatchNorm2d(2), make_activation("polyneuron_r")
    z = torch.randn(4, 2, 3, 3, requires_grad=True)
    (first,) = torch.autograd.grad(
        normalised_activation(norm, activation, z).square().sum(), z, create_graph=True
    )
    (second,) = torch.autograd.grad(first.square().sum(), z)
    u = activation(nn.functional.batch_norm(z, None, None, training=True))
    (plain,) = torch.autograd.grad(u.square().sum(), z, create_graph=True)
    (expected,) = torch.autograd.grad(plain.square().sum(), z)
    torch.testing.assert_close(second, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))


def test_a_residual_that_depends_on_z_is_counted_once() -> None:
    norm, activation = nn.BatchNorm2d(2), make_activation("polyneuron_r")
    z = torch.randn(4, 2, 3, 3, requires_grad=True)
    value = normalised_activation(norm, activation, z, 2 * z).square().sum()
    (once,) = torch.autograd.grad(value, z, retain_graph=True)
    (differentiable,) = torch.autograd.grad(value, z, create_graph=True)
    torch.testing.assert_close(differentiable, once, rtol=1e-4, atol=1e-4 * float(once.abs().max()))
