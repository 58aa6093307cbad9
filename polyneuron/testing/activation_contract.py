"""The promises of every activation, as tests of a class to inherit from."""

from __future__ import annotations

import copy
import pickle
import shutil
import warnings

import pytest
import torch
from torch import Tensor

from polyneuron.activations.activation import Activation
from polyneuron.scope import SCOPES, Channels

SAMPLE = (4, 3, 5)
"""(C, H, W) of the inputs: three different sizes, so that no two axes can be confused."""

every_scope = pytest.mark.parametrize("channels", [None, SAMPLE[0], SAMPLE], ids=SCOPES)
both_modes = pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
both_halves = pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])


class ActivationContract:
    """Tests of one activation, which a child names by `make`.

    Networks, training loops and checkpoints rely on each of them.
    """

    def make(self, channels: Channels) -> Activation:
        """Return a new activation, at its start.

        Args:
            channels: as for `Activation`. A fixed function may leave it out.
        """
        raise NotImplementedError("def make(self, channels): return your activation")

    def trained(self, channels: Channels = SAMPLE[0]) -> Activation:
        """Return `make(channels)` in evaluation, off its start.

        At the start, functions are alike, and terms may be hidden by parameters of 0 or 1.
        """
        generator = torch.Generator().manual_seed(0)
        module = self.make(channels)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        return module.eval()

    @every_scope
    def test_class_attributes_say_what_the_activation_is(self, channels: Channels) -> None:
        """`learned`, `splines` and `penalised` agree with parameters, options and points."""
        module = self.make(channels)
        A = module.functions
        assert module.learned == bool(list(module.parameters()))
        if module.learned:
            assert module.channels == channels
        points = module.points()
        if points is not None:
            assert points[0].shape == points[1].shape
            assert len(points[0]) == A
        if module.splines:
            assert points is not None
            assert points[0].shape == (A, module.s)
            assert isinstance(module.k, int)
        if module.penalised:
            rows = dict(module.named_parameters())
            assert rows["w"].shape == rows["c_x"].shape
            assert len(rows["w"]) == A

    @every_scope
    def test_each_function_sees_its_own_share(self, channels: Channels) -> None:
        """Values are those of `curve`, each element's by the function of its layer or channel."""
        module = self.trained(channels)
        x = _input(6)
        y = module(x)
        assert y.shape == x.shape
        assert y.dtype == x.dtype
        sizes = {1: (1, 1, 1), 4: (4, 1, 1), 60: (4, 3, 5)}[module.functions]
        owner = torch.arange(module.functions).reshape(sizes).expand(x.shape)
        curves = module.curve(x.flatten())
        own = curves.gather(0, owner.reshape(1, -1)).reshape(x.shape)
        torch.testing.assert_close(y.detach(), own, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("channels", [None, 3, (3, 2)], ids=SCOPES)
    def test_gradcheck(self, channels: Channels) -> None:
        """The gradients of x and of every parameter are those of finite differences."""
        module = self.trained(channels).double()
        names = [n for n, _ in module.named_parameters()]

        def output(x: Tensor, *parameters: Tensor) -> Tensor:
            rows = dict(zip(names, parameters, strict=True))
            y: Tensor = torch.func.functional_call(module, rows, x)
            return y

        # Fewer elements than elsewhere: each element and parameter costs two evaluations.
        x = _input(2)[:, :3, :2, 0].double().requires_grad_()
        assert torch.autograd.gradcheck(output, (x, *module.parameters()))

    @every_scope
    def test_every_parameter_has_a_row_per_function_and_gets_a_gradient(
        self, channels: Channels
    ) -> None:
        """Every parameter is (A, ...), and each of its A rows has a gradient other than 0."""
        module = self.trained(channels)
        x = (3 * _input(16)).requires_grad_()
        module(x).square().mean().backward()
        for label, parameter in module.named_parameters():
            assert parameter.shape[0] == module.functions, label
            assert parameter.grad is not None, label
            assert (parameter.grad.reshape(module.functions, -1) != 0).any(1).all(), label

    @every_scope
    def test_state_round_trip(self, channels: Channels) -> None:
        """`state_dict` holds all that a trained activation computes with."""
        module, fresh = self.trained(channels), self.make(channels)
        fresh.load_state_dict(module.state_dict())
        x = _input(2)
        assert torch.equal(fresh.eval()(x), module(x))

    @every_scope
    @pytest.mark.parametrize("assign", [True, False], ids=["assigned", "copied"])
    def test_a_start_on_the_meta_device_takes_a_state(
        self, channels: Channels, assign: bool
    ) -> None:
        """Made without values, as large networks are, it computes what its loaded state says."""
        module = self.trained(channels)
        with torch.device("meta"):
            empty = self.make(channels)
        assert {tensor.device.type for tensor in empty.parameters()} <= {"meta"}
        if not assign:
            empty.to_empty(device="cpu")
        empty.load_state_dict(module.state_dict(), assign=assign)
        x = _input(2)
        assert torch.equal(empty.eval()(x), module(x))

    def test_copies_are_independent(self) -> None:
        """Deep copies and pickles compute the same, and training them leaves the original alone."""
        module = self.trained()
        x = _input(2)
        y = module(x).detach()
        for clone in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
            assert torch.equal(clone(x), y)
            with torch.no_grad():
                for parameter in clone.parameters():
                    parameter.mul_(1.5)
            assert torch.equal(module(x), y)

    @every_scope
    @both_modes
    def test_empty_batch(self, channels: Channels, training: bool) -> None:
        """A batch of no samples has no values, and gradients of 0 or none."""
        module = self.trained(channels).train(training)
        x = _input(0).requires_grad_()
        y = module(x)
        assert y.shape == x.shape
        y.sum().backward()
        assert all(p.grad is None or p.grad.abs().max() == 0 for p in module.parameters())

    @every_scope
    @pytest.mark.parametrize("layout", ["channels last", "transposed", "strided"])
    def test_memory_layout_does_not_matter(self, channels: Channels, layout: str) -> None:
        """Values and gradients are those of a contiguous input."""
        module = self.trained(channels)
        x = _input(6)
        if layout == "channels last":
            other = x.contiguous(memory_format=torch.channels_last)
        elif layout == "transposed":
            other = x.transpose(0, 3).contiguous().transpose(0, 3)
        else:
            other = torch.stack([x, x], dim=-1)[..., 0]
        assert not other.is_contiguous()

        def value_and_gradients(x: Tensor) -> list[Tensor]:
            x = x.detach().requires_grad_()
            y = module(x)
            return [y, *torch.autograd.grad(y.square().sum(), (x, *module.parameters()))]

        for one, two in zip(value_and_gradients(other), value_and_gradients(x), strict=True):
            # Sums over the batch run in another order.
            limit = 1e-4 * float(two.detach().abs().max())
            torch.testing.assert_close(one, two, rtol=1e-4, atol=limit)

    def test_channels_last_stays_channels_last(self) -> None:
        """Convolutions before and after need no conversion, forward or backward."""
        x = _input(2).contiguous(memory_format=torch.channels_last).requires_grad_()
        y = self.trained()(x)
        assert y.is_contiguous(memory_format=torch.channels_last)
        y.sum().backward()
        assert x.grad is not None
        assert x.grad.is_contiguous(memory_format=torch.channels_last)

    @every_scope
    @both_modes
    def test_extreme_input_is_finite(self, channels: Channels, training: bool) -> None:
        """Values and gradients are finite for |x| from 1e-30 to 1e4, and at 0."""
        module = self.trained(channels).train(training)
        x = torch.tensor([1e4, -1e4, 0.0, 1e-30, -1e-30, 1.0])
        x = x[:, None, None, None].repeat(1, *SAMPLE).requires_grad_()
        y = module(x)
        y.sum().backward()
        assert torch.isfinite(y).all()
        for label, tensor in (("x", x), *module.named_parameters()):
            assert tensor.grad is not None, label
            assert torch.isfinite(tensor.grad).all(), label

    def test_no_number_stays_no_number(self) -> None:
        """A NaN in the input is not hidden: training has to notice that it diverged."""
        y = self.trained()(torch.full((1, *SAMPLE), float("nan")))
        assert torch.isnan(y).all()

    @both_halves
    def test_half_precision_computes_in_float32(self, half: torch.dtype) -> None:
        """Half-precision inputs give the values of float32, rounded once."""
        module = self.trained()
        x = _input(2).to(half).requires_grad_()
        y = module(x)
        assert y.dtype == half
        assert torch.equal(y, module(x.float()).to(half))
        y.sum().backward()
        assert x.grad is not None
        assert x.grad.dtype == half
        assert all(p.grad is None or p.grad.dtype == torch.float32 for p in module.parameters())

    def test_autocast(self) -> None:
        """Autocast changes no value, and half precision stays half precision."""
        module = self.trained()
        x = _input(2)
        with torch.autocast("cpu", torch.bfloat16):
            inside = module(x)
            half = module(x.bfloat16())
        assert torch.equal(inside, module(x))
        assert half.dtype == torch.bfloat16

    @both_halves
    def test_a_network_cast_to_half_precision_works(self, half: torch.dtype) -> None:
        """Half-precision parameters compute nearly what they do in float32."""
        module = self.trained().to(half)
        x = _input(2)
        y = module(x.to(half))
        assert y.dtype == half
        # Parameters of 8 or 11 bits, on functions of slope and curvature about 1.
        torch.testing.assert_close(y.float(), module.float()(x), rtol=0.05, atol=0.05)

    @pytest.mark.parametrize(
        ("channels", "shape", "message"),
        [
            (4, (2, 5, 3, 5), r"x must be \(N, 4, ...\) for .* got shape \(2, 5, 3, 5\)"),
            (4, (4,), r"x must be \(N, 4, ...\) for .* got shape \(4,\)"),
            (SAMPLE, (2, 4, 3, 6), r"x must be \(N, 4, 3, 5\) for .* got shape \(2, 4, 3, 6\)"),
            (SAMPLE, (2, 60), r"x must be \(N, 4, 3, 5\) for .* got shape \(2, 60\)"),
        ],
    )
    def test_wrong_shapes(self, channels: Channels, shape: tuple[int, ...], message: str) -> None:
        """An input that does not fit `channels` is refused; one fixed function fits any input."""
        module, x = self.trained(channels), torch.zeros(shape)
        if module.channels is None:
            assert module(x).shape == shape
            return
        with pytest.raises(ValueError, match=message):
            module(x)

    def test_integers_are_refused(self) -> None:
        """An input without a floating-point dtype is an error, not a silent conversion."""
        message = r"x must have a floating-point dtype, got torch.int64"
        with pytest.raises(ValueError, match=message):
            self.trained()(torch.zeros(2, *SAMPLE, dtype=torch.int64))

    def test_compiles_as_one_graph(self) -> None:
        """`torch.compile` needs no graph break, and changes neither values nor gradients."""
        if shutil.which("g++") is None:
            pytest.skip("torch.compile needs a C++ compiler")
        module = self.make(SAMPLE[0]).eval()
        x = _input(2).requires_grad_()
        inputs = (x, *module.parameters())
        torch._dynamo.reset()
        plain = module(x)
        expected = torch.autograd.grad(plain.square().sum(), inputs)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Dynamo detected")
            fast = torch.compile(module, fullgraph=True)(x)
        torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-5)
        found = torch.autograd.grad(fast.square().sum(), inputs)
        for one, two in zip(found, expected, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4 * float(two.abs().max()))


def _input(batch: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, *SAMPLE, generator=generator)
