"""What every activation promises, by name and scope."""

import copy
import pickle
import shutil

import pytest
import torch
from torch import Tensor

from polyneuron import activation_names, activation_options, make_activation
from polyneuron.activations.activation import Activation

SCOPES = ("layer", "channel", "neuron")
LEARNED = [name for name in activation_names() if make_activation(name).learned]

every_activation = pytest.mark.parametrize("name", activation_names())
every_scope = pytest.mark.parametrize("scope", SCOPES)


def make(name: str, scope: str = "channel", shape: tuple[int, ...] = (4, 3, 5)) -> Activation:
    """An activation off its start, so that functions differ and no parameter is 0 or 1."""
    generator = torch.Generator().manual_seed(0)
    module = make_activation(name, channels=shape, scope=scope, generator=generator)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


@every_activation
@every_scope
def test_each_function_sees_its_own_share(name: str, scope: str) -> None:
    module = make(name, scope)
    x = torch.randn(6, 4, 3, 5)
    y = module(x)
    assert y.shape == x.shape
    assert y.dtype == x.dtype
    curves = module.curve(x.flatten()).reshape(module.functions, *x.shape)
    if module.functions == 1:
        own = curves[0]
    elif module.functions == 4:
        own = torch.stack([curves[c][:, c] for c in range(4)], dim=1)
    else:
        own = curves.reshape(4, 3, 5, *x.shape).diagonal(0, 0, 4).diagonal(0, 0, 3)
        own = own.diagonal(0, 0, 2)
    torch.testing.assert_close(y.detach(), own, rtol=1e-5, atol=1e-5)


@every_activation
@every_scope
@pytest.mark.usefixtures("float64")
def test_gradcheck(name: str, scope: str) -> None:
    module = make(name, scope, (3, 2))
    names = [n for n, _ in module.named_parameters()]

    def output(x: Tensor, *parameters: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, parameters, strict=True)), x)

    x = torch.randn(2, 3, 2, requires_grad=True)
    assert torch.autograd.gradcheck(output, (x, *module.parameters()))


@pytest.mark.parametrize("name", LEARNED)
@every_scope
def test_every_parameter_has_a_row_a_function_and_gets_a_gradient(name: str, scope: str) -> None:
    module = make(name, scope)
    module(3 * torch.randn(16, 4, 3, 5)).square().mean().backward()
    for label, parameter in module.named_parameters():
        assert parameter.shape[0] == module.functions, label
        assert parameter.grad is not None, label
        assert (parameter.grad != 0).any(), label


@every_activation
@every_scope
def test_state_round_trip(name: str, scope: str) -> None:
    module, fresh = make(name, scope), make_activation(name, channels=(4, 3, 5), scope=scope)
    fresh.load_state_dict(module.state_dict())
    x = torch.randn(2, 4, 3, 5)
    assert torch.equal(fresh.eval()(x), module(x))


@every_activation
def test_copies_are_independent(name: str) -> None:
    module = make(name)
    x = torch.randn(2, 4, 3, 5)
    y = module(x).detach()
    for clone in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(clone(x), y)
        with torch.no_grad():
            for parameter in clone.parameters():
                parameter.mul_(1.5)
        assert torch.equal(module(x), y)


@every_activation
@every_scope
@pytest.mark.parametrize("training", [False, True])
def test_empty_batch(name: str, scope: str, training: bool) -> None:
    module = make(name, scope).train(training)
    x = torch.zeros(0, 4, 3, 5, requires_grad=True)
    y = module(x)
    assert y.shape == x.shape
    y.sum().backward()
    assert all(p.grad is None or p.grad.abs().max() == 0 for p in module.parameters())


@every_activation
@every_scope
@pytest.mark.parametrize("layout", ["channels last", "transposed", "strided"])
def test_memory_layout_does_not_matter(name: str, scope: str, layout: str) -> None:
    module = make(name, scope)
    x = torch.randn(6, 4, 3, 5)
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
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4 * float(two.detach().abs().max()))


@every_activation
def test_channels_last_stays_channels_last(name: str) -> None:
    x = torch.randn(2, 4, 3, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    y = make(name)(x)
    assert y.is_contiguous(memory_format=torch.channels_last)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


@every_activation
@every_scope
@pytest.mark.parametrize("training", [False, True])
def test_extreme_input_is_finite(name: str, scope: str, training: bool) -> None:
    module = make(name, scope).train(training)
    x = torch.tensor([1e4, -1e4, 0.0, 1e-30, -1e-30, 1.0])
    x = x[:, None, None, None].repeat(1, 4, 3, 5).requires_grad_()
    y = module(x)
    y.sum().backward()
    assert torch.isfinite(y).all()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert all(torch.isfinite(p.grad).all() for p in module.parameters())


@every_activation
def test_no_number_stays_no_number(name: str) -> None:
    y = make(name)(torch.full((1, 4, 3, 5), float("nan")))
    assert torch.isnan(y).all()


@every_activation
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_computes_in_float32(name: str, half: torch.dtype) -> None:
    module = make(name)
    x = torch.randn(2, 4, 3, 5).to(half).requires_grad_()
    y = module(x)
    assert y.dtype == half
    assert torch.equal(y, module(x.float()).to(half))
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == half
    assert all(p.grad is None or p.grad.dtype == torch.float32 for p in module.parameters())


@every_activation
def test_autocast(name: str) -> None:
    module = make(name)
    x = torch.randn(2, 4, 3, 5)
    with torch.autocast("cpu", torch.bfloat16):
        inside = module(x)
        half = module(x.bfloat16())
    assert torch.equal(inside, module(x))
    assert half.dtype == torch.bfloat16


def test_autocast_does_not_reach_a_childs_matrix_products() -> None:
    class Doubling(Activation):
        def _response(self, x: Tensor) -> Tensor:
            return (x.reshape(-1, 1) @ torch.full((1, 1), 2.0)).reshape(x.shape)

    x = torch.randn(50)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(Doubling()(x), 2 * x)


@every_activation
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_a_network_cast_to_half_precision_works(name: str, half: torch.dtype) -> None:
    module = make(name).to(half)
    x = torch.randn(2, 4, 3, 5)
    y = module(x.to(half))
    assert y.dtype == half
    # Parameters of 8 or 11 bits, on functions of slope and curvature about 1.
    torch.testing.assert_close(y.float(), module.float()(x), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", LEARNED)
@pytest.mark.parametrize(
    ("scope", "shape", "message"),
    [
        ("channel", (2, 5, 3, 5), r"x must be \(N, 4, ...\) for .* got shape \(2, 5, 3, 5\)"),
        ("channel", (4,), r"x must be \(N, 4, ...\) for .* got shape \(4,\)"),
        ("neuron", (2, 4, 3, 6), r"x must be \(N, 4, 3, 5\) for .* got shape \(2, 4, 3, 6\)"),
        ("neuron", (2, 60), r"x must be \(N, 4, 3, 5\) for .* got shape \(2, 60\)"),
    ],
)
def test_wrong_shapes(name: str, scope: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(name, scope)(torch.zeros(shape))


@every_activation
def test_integers_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"x must have a floating-point dtype, got torch.int64"):
        make(name)(torch.zeros(2, 4, 3, 5, dtype=torch.int64))


@every_activation
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.filterwarnings("error:Dynamo detected")
def test_compiles_as_one_graph(name: str) -> None:
    # A spline is unrolled over its knots: a few of them compile as many do, sooner.
    options = {"knots": 4} if "knots" in activation_options(name) else {}
    module = make_activation(name, channels=4, scope="channel", **options).eval()
    x = torch.randn(2, 4, 3, 5, requires_grad=True)
    inputs = (x, *module.parameters())
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True)
    plain = module(x)
    expected = torch.autograd.grad(plain.square().sum(), inputs)
    fast = compiled(x)
    torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-5)
    for one, two in zip(torch.autograd.grad(fast.square().sum(), inputs), expected, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4 * float(two.abs().max()))
