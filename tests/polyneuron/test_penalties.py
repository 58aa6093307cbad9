import copy

import pytest
import torch
from torch import nn

from polyneuron import Activation, PolyNeuron, PolyNeuronR, penalties
from polyneuron.kernels import penalties as kernels


def test_penalties_are_means_over_all_functions_whatever_their_scope() -> None:
    layers = [
        PolyNeuronR(init="random"),
        PolyNeuronR(5, 2, channels=4, init="random"),
        PolyNeuronR(channels=(2, 3), init="random"),
    ]
    network = nn.Sequential(nn.Linear(2, 2), layers[0], PolyNeuron(), nn.Sequential(*layers[1:]))
    rows = [(w, c) for layer in layers for w, c in zip(layer.w, layer.c_x, strict=True)]
    assert len(rows) == 1 + 4 + 6
    total, product = penalties(network)
    assert total.shape == product.shape == ()
    assert total.item() == pytest.approx(sum(abs(w.sum().item()) for w, _ in rows) / 11, rel=1e-5)
    assert product.item() == pytest.approx(
        sum(abs((w * c).sum().item()) for w, c in rows) / 11, rel=1e-5
    )


def test_gradients_are_those_of_the_absolute_sums() -> None:
    layer = PolyNeuronR(channels=2)
    with torch.no_grad():
        layer.w.copy_(torch.tensor([[1.0, 2.0, 3.0], [-1.0, 0.0, -1.0]]))
        layer.c_x.copy_(torch.tensor([[1.0, 0.0, 2.0], [3.0, 1.0, 1.0]]))
    total, product = penalties(layer)
    (by_w,) = torch.autograd.grad(total, layer.w)
    assert torch.equal(by_w, torch.tensor([[1.0] * 3, [-1.0] * 3]) / 2)
    by_w, by_c = torch.autograd.grad(product, (layer.w, layer.c_x))
    signs = torch.tensor([[1.0], [-1.0]]) / 2
    assert torch.equal(by_w, signs * layer.c_x)
    assert torch.equal(by_c, signs * layer.w)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_parameters_are_summed_in_float32(half: torch.dtype) -> None:
    """Sums beyond the 8 or 11 bits of half precision, and beyond float16's 65504."""
    layer = PolyNeuronR(channels=2).to(half)
    with torch.no_grad():
        layer.w.copy_(torch.tensor([[1.0, 2.0**-12, 0.25], [3e4, 3e4, 3e4]]))
        layer.c_x.copy_(torch.tensor([[1.5, 1.0, -1.0], [1.0, 2.0, 3.0]]))
    found = penalties(layer)
    expected = penalties(copy.deepcopy(layer).float())
    for mean, wide in zip(found, expected, strict=True):
        assert mean.dtype == torch.float32
        assert torch.equal(mean, wide)


def test_every_activation_that_says_so_is_penalised() -> None:
    class Straight(Activation):
        penalised = True

        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.tensor([[1.0, 2.0]]))
            self.c_x = nn.Parameter(torch.tensor([[3.0, -4.0]]))

    assert [mean.item() for mean in penalties(nn.Sequential(Straight(), nn.ReLU()))] == [3, 5]


def test_a_layer_used_twice_counts_once() -> None:
    layer = PolyNeuronR(init="random")
    assert penalties(nn.Sequential(layer, layer))[0] == penalties(layer)[0]


@pytest.mark.parametrize("network", [nn.ReLU(), nn.Linear(2, 2), PolyNeuron()])
def test_without_polyneuron_r_both_are_zero(network: nn.Module) -> None:
    total, product = penalties(network)
    assert total.shape == product.shape == ()
    assert total == product == 0


def test_the_strength_on_one_function_falls_with_their_number() -> None:
    gradients = []
    for channels in (None, 226):
        layer = PolyNeuronR(channels=channels)
        with torch.no_grad():
            layer.w.add_(0.1)
        penalties(layer)[0].backward()
        assert layer.w.grad is not None
        gradients.append(float(layer.w.grad[0, 0]))
    assert gradients == pytest.approx([1, 1 / 226])


def test_compiled_code_gives_the_formulas_values_and_gradients() -> None:
    layers = [
        PolyNeuronR(init="random"),
        PolyNeuronR(5, 2, channels=4, init="random"),
        PolyNeuronR(channels=(2, 3), init="random"),
    ]
    with torch.no_grad():
        layers[0].w.zero_()  # where the absolute value has no derivative
    w, c_x = [layer.w for layer in layers], [layer.c_x for layer in layers]
    for tensors, found in (
        (w, kernels.mean_of_sums(w)),
        ([*w, *c_x], kernels.mean_of_sums(w, c_x)),
    ):
        wide = [tensor.detach().double().requires_grad_() for tensor in tensors]
        expected = kernels.formula(len(w), *wide)
        assert type(found.grad_fn).__name__ == "_MeanBackward"
        torch.testing.assert_close(found, expected.float(), rtol=1e-6, atol=1e-7)
        by_kernel = torch.autograd.grad(3 * found, tensors)
        by_formula = torch.autograd.grad(3 * expected, wide)
        for one, other in zip(by_kernel, by_formula, strict=True):
            torch.testing.assert_close(one, other.float(), rtol=1e-6, atol=1e-7)


def test_a_mean_that_is_not_in_the_loss_changes_no_gradient() -> None:
    """Not even one that is infinite: 0 times infinity would be no number."""
    layer = PolyNeuronR()
    with torch.no_grad():
        layer.c_x[0, 0] = float("inf")
    penalties(layer)[0].backward()
    assert layer.w.grad is not None
    assert layer.w.grad.isfinite().all()
