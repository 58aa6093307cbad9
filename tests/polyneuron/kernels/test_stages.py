"""[Convolution,] activation and max pooling in one are the modules one by one."""

import copy
import itertools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from polyneuron import Chain, SingularSystemError, make_activation, pooled_activation
from polyneuron.activations import ACTIVATIONS
from polyneuron.kernels import choice, plain
from polyneuron.kernels import stages as chains
from polyneuron.kernels.cpp import stages

NAMES = [name for name, kind in ACTIVATIONS.items() if kind().eval().kernel() is not None]
"""Every activation whose function has kernels."""
FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages that were called, in their order."""
    calls: list[str] = []
    for module, name in (
        (stages, "pooled_forward"),
        (stages, "convolved_forward"),
        (stages, "convolution_values"),
        (chains, "linear_forward"),
    ):
        called = getattr(module, name)

        def counted(*arguments, name=name, called=called):  # type: ignore[no-untyped-def]
            calls.append(name.removesuffix("_forward"))
            return called(*arguments)

        monkeypatch.setattr(module, name, counted)
    return calls


def roughened(module: nn.Module) -> nn.Module:
    """The module, its parameters moved a little: starts are too regular."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()  # an ensemble has kernels in evaluation alone


def clear_input(exact: nn.Sequential, shape: tuple[int, ...]) -> Tensor:
    """Draw an input for which rounding decides in no window which value is the largest."""
    while True:
        x = torch.randn(shape)
        if not isinstance(exact[-1], nn.MaxPool2d):
            return x
        values = exact[:-1](x.double()).detach()
        windows = values.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
        first, second = windows.topk(2, dim=4).values.unbind(4)
        # Float32 itself is rounded to 6e-8; values that are equal are so in both types.
        gap = (first - second)[first != second]
        if gap.numel() == 0 or float(gap.min()) > 3e-6:
            return x


def assert_agree(
    fast: nn.Sequential, shape: tuple[int, ...], memory_format: torch.memory_format
) -> None:
    """Fail unless values and all gradients are those of the modules in float64.

    1e-5 of the largest element: sums of up to a few thousand float32 products.
    """
    exact = nn.Sequential(*copy.deepcopy(list(fast))).double()
    x = clear_input(exact, shape).to(memory_format=memory_format)
    inputs = x.detach().requires_grad_(), x.detach().double().requires_grad_()
    results = []
    for net, one in zip((fast, exact), inputs, strict=True):
        y = net(one)
        g = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
        results.append([y.detach(), *torch.autograd.grad(y, (one, *net.parameters()), g)])
    for n, (found, wanted) in enumerate(zip(*results, strict=True)):
        error = float((found.double() - wanted).abs().max())
        assert error <= 1e-5 * (float(wanted.abs().max()) + 1e-3), f"result {n}: {error}"


@pytest.mark.parametrize("scope", ["layer", "channel"])
@pytest.mark.parametrize("name", NAMES)
def test_activation_and_pool(name: str, scope: str, used: list[str]) -> None:
    # Whole vectors, odd sides, several bands, one window; a channel count that no vector divides.
    shapes = [(2, 16, 8, 8), (3, 6, 7, 9), (1, 5, 90, 66), (2, 3, 2, 2), (2, 1, 6, 6)]
    shapes += [(2, 20, 5, 6), (1, 12, 4, 4), (2, 9, 2, 3)]
    for shape, memory_format in itertools.product(shapes, FORMATS.values()):
        activation = roughened(make_activation(name, channels=shape[1], scope=scope))
        assert_agree(Chain(activation, nn.MaxPool2d(2)), shape, memory_format)
    assert used == ["pooled"] * 16


CONVOLUTIONS = {
    "LeNet-5's first": ((1, 6, 5, 2), (5, 1, 28, 28)),
    "LeNet-5's second": ((6, 16, 5, 0), (5, 6, 14, 14)),
    "odd": ((3, 7, 3, 1), (2, 3, 11, 8)),
    "wide": ((4, 32, 2, 0), (1, 4, 9, 40)),
    "one window": ((2, 4, 3, 0), (9, 2, 4, 5)),
}


@pytest.mark.parametrize("scope", ["layer", "channel"])
@pytest.mark.parametrize("name", ["relu", "polyneuron", "polyneuron_r", "swish", "apl"])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution_activation_and_pool(case: str, name: str, scope: str, used: list[str]) -> None:
    (channels, outputs, kernel, padding), shape = CONVOLUTIONS[case]
    for memory_format in FORMATS.values():
        activation = roughened(make_activation(name, channels=outputs, scope=scope))
        convolution = nn.Conv2d(channels, outputs, kernel, padding=padding)
        net = Chain(convolution, activation, nn.MaxPool2d(2)).to(memory_format=memory_format)
        assert_agree(net, shape, memory_format)
    assert used == ["convolved"] * 2


@pytest.mark.parametrize("scope", ["layer", "channel"])
@pytest.mark.parametrize("name", NAMES)
def test_linear_layer_and_activation(name: str, scope: str, used: list[str]) -> None:
    # LeNet-5's, with a batch that no block divides; one row; fewer numbers than a vector has.
    for n, inputs, outputs in ((37, 400, 120), (1, 84, 10), (600, 3, 2), (5, 1, 33)):
        activation = roughened(make_activation(name, channels=outputs, scope=scope))
        assert_agree(
            Chain(nn.Linear(inputs, outputs), activation), (n, inputs), torch.contiguous_format
        )
    assert used == ["linear"] * 4


def lenet5(name: str) -> Chain:
    return Chain(
        *(nn.Conv2d(1, 6, 5, padding=2), make_activation(name), nn.MaxPool2d(2)),
        *(nn.Conv2d(6, 16, 5), make_activation(name), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(400, 120), make_activation(name), nn.Linear(120, 84), make_activation(name)),
        nn.Linear(84, 10),
    )


@pytest.mark.parametrize("name", ["relu", "polyneuron_r", "polyneuron"])
def test_a_chain_is_one_function_with_all_gradients(name: str, used: list[str]) -> None:
    for memory_format in FORMATS.values():
        net = lenet5(name).to(memory_format=memory_format)
        exact = nn.Sequential(*copy.deepcopy(list(net))).double()
        for _ in range(5):  # rounding may decide in a window which value is the largest
            x = torch.randn(3, 1, 28, 28)
            found = []
            for one, inputs in ((net, x), (exact, x.double())):
                inputs = inputs.to(memory_format=memory_format).requires_grad_()
                y = one(inputs)
                g = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
                found.append([y.detach(), *torch.autograd.grad(y, (inputs, *one.parameters()), g)])
            errors = [
                float((a.double() - b).abs().max() / (b.abs().max() + 1e-3))
                for a, b in zip(*found, strict=True)
            ]
            assert errors[0] < 1e-5
            if max(errors) < 1e-2:
                break
        assert max(errors) < 2e-5  # five layers, each rounded
    assert set(used) == {"convolved", "linear"}
    assert type(net(x).grad_fn).__name__ == "_RunBackward"
    assert net(x).grad_fn.next_functions[1][0].variable is net[0].weight


def test_a_frozen_layer_gets_no_gradient_and_stops_none() -> None:
    net = lenet5("relu")
    for parameter in net[3].parameters():
        parameter.requires_grad_(False)
    net(torch.randn(2, 1, 28, 28)).sum().backward()
    assert net[3].weight.grad is None
    assert net[0].weight.grad is not None


def test_a_chain_goes_on_behind_a_module_that_has_no_stage(used: list[str]) -> None:
    modules = [nn.Linear(8, 8), make_activation("swish"), nn.Dropout(0.0), nn.Linear(8, 4)]
    x = torch.randn(5, 8)
    torch.testing.assert_close(Chain(*modules)(x), nn.Sequential(*modules)(x))
    assert used == ["linear", "linear"]


def test_an_input_without_gradient_has_none() -> None:
    net = Chain(nn.Conv2d(1, 6, 5), make_activation("relu"), nn.MaxPool2d(2))
    x = torch.randn(2, 1, 12, 12)
    net(x).sum().backward()
    assert x.grad is None
    assert net[0].weight.grad is not None


@pytest.mark.parametrize("memory_format", FORMATS.values(), ids=FORMATS)
def test_equal_values_and_nan_go_where_torch_sends_them(
    memory_format: torch.memory_format,
) -> None:
    choices = [0.0, 1.0, 1.0, -1.0, float("nan"), float("-inf"), float("inf")]
    windows = torch.tensor(list(itertools.product(choices, repeat=4)))
    x = windows.reshape(1, -1, 2, 2).to(memory_format=memory_format)
    one, other = x.clone().requires_grad_(), x.clone().requires_grad_()
    activation = make_activation("apl", s=1)
    with torch.no_grad():
        activation.b.zero_(), activation.a.fill_(-1.0)  # min(x, 0) + max(x, 0): x itself
    y, wanted = (
        pooled_activation(activation, nn.MaxPool2d(2), one),
        F.max_pool2d(activation(other), 2),
    )
    g = torch.arange(1.0, y.numel() + 1).reshape(y.shape)
    y.backward(g), wanted.backward(g)
    assert torch.equal(y.nan_to_num(7.0), wanted.nan_to_num(7.0))
    assert torch.equal(one.grad.nan_to_num(7.0), other.grad.nan_to_num(7.0))


def test_a_window_takes_the_largest_value_not_the_largest_x() -> None:
    x = torch.tensor([-2.0, -1.0, 0.0, -0.5]).reshape(1, 1, 2, 2).requires_grad_()
    activation = make_activation("polyneuron_r")
    with torch.no_grad():
        activation.w.zero_(), activation.v.copy_(torch.tensor([[-1.0, 0.0]]))  # -x
    y = pooled_activation(activation, nn.MaxPool2d(2), x)
    y.backward()
    assert y.item() == 2.0
    assert x.grad.flatten().tolist() == [-1.0, 0.0, 0.0, 0.0]


def test_the_same_bits_with_any_threads() -> None:
    x = torch.randn(64, 1, 28, 28)
    found = []
    for threads in (1, 2, 1):
        torch.set_num_threads(threads)
        torch.manual_seed(1)
        net = Chain(
            *(nn.Conv2d(1, 6, 5, padding=2), make_activation("polyneuron_r"), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 16, 5), make_activation("swish"), nn.MaxPool2d(2)),
            *(make_activation("relu"), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(64, 500), make_activation("swish")),
        )
        inputs = [x.requires_grad_(), *net.parameters()]
        y = net(x)
        found.append([y.detach(), *torch.autograd.grad(y.square().sum(), inputs)])
    torch.set_num_threads(1)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_second_derivatives_are_the_modules() -> None:
    torch.manual_seed(2)
    net = Chain(
        *(nn.Conv2d(1, 4, 3), make_activation("swish"), nn.MaxPool2d(2), nn.Flatten()),
        *(nn.Linear(36, 5), make_activation("swish"), nn.Linear(5, 2)),
    )
    exact = nn.Sequential(*copy.deepcopy(list(net))).double()
    found = []
    for one, dtype in ((net, torch.float32), (exact, torch.float64)):
        x = torch.linspace(-1, 1, 128, dtype=dtype).reshape(2, 1, 8, 8).requires_grad_()
        (g,) = torch.autograd.grad(one(x).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(g.square().sum(), [x, *one.parameters()]))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-4)


class TestHooksOnAnActivationsInput:
    """Hooks leave activation and pooling one, and act as on modules called one by one."""

    def net(self) -> Chain:
        torch.manual_seed(3)
        return Chain(
            *(nn.Conv2d(1, 4, 3), make_activation("swish"), nn.MaxPool2d(2), nn.Flatten()),
            *(nn.Linear(36, 5), make_activation("swish"), nn.Linear(5, 2)),
        )

    @pytest.mark.parametrize("memory_format", FORMATS.values(), ids=FORMATS)
    @pytest.mark.parametrize("case", CONVOLUTIONS)
    def test_see_a_convolution_s_own_values(
        self, case: str, memory_format: torch.memory_format, used: list[str]
    ) -> None:
        (channels, outputs, kernel, padding), shape = CONVOLUTIONS[case]
        convolution = nn.Conv2d(channels, outputs, kernel, padding=padding)
        net = Chain(convolution, make_activation("swish"), nn.MaxPool2d(2))
        net, seen = net.to(memory_format=memory_format), []
        net[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        x = torch.randn(shape).to(memory_format=memory_format)
        with torch.no_grad():
            y = net(x)
            assert used == ["convolution_values", "pooled"]
            wanted = copy.deepcopy(convolution).double()(x.double())
        # Sums of up to 150 float32 products; an odd last row or column is seen too.
        torch.testing.assert_close(seen[0].double(), wanted, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(y, F.max_pool2d(net[1].forward(seen[0]), 2))

    def test_pass_gradients_to_the_convolution(self, used: list[str]) -> None:
        net = self.net()
        net[1].register_forward_pre_hook(lambda *_: None)
        net(torch.randn(2, 1, 8, 8)).sum().backward()
        assert "convolution_values" not in used
        assert net[0].weight.grad is not None

    def test_see_it_once(self, used: list[str]) -> None:
        net, seen = self.net(), []
        net[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        x = torch.randn(2, 1, 8, 8)
        torch.testing.assert_close(net(x), nn.Sequential(*net)(x))
        assert used == ["pooled", "linear", "linear"]
        assert len(seen) == 2  # the second is that of the modules
        assert torch.equal(*seen)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_may_replace_it(self, dtype: torch.dtype, used: list[str]) -> None:
        activation, pool, x = make_activation("swish"), nn.MaxPool2d(2), torch.randn(2, 4, 6, 6)
        activation.register_forward_pre_hook(lambda _, inputs: -inputs[0].to(dtype))
        with torch.no_grad():
            y = Chain(activation, pool)(x)
        torch.testing.assert_close(y, pool(activation(x)))
        assert used == ["pooled"] * (dtype is torch.float32)

    def test_are_called_as_torch_does_where_they_take_more(self, used: list[str]) -> None:
        for register in ("register_forward_hook", "register_full_backward_pre_hook"):
            net, seen = self.net(), []
            net[1].register_forward_pre_hook(lambda *_, seen=seen: seen.append(1))
            getattr(net[1], register)(lambda *_, seen=seen: seen.append(2))
            net(torch.randn(2, 1, 8, 8)).sum().backward()
            assert seen == [1, 2]
        net, seen = self.net(), []
        net[1].register_forward_pre_hook(lambda *_: seen.append(len(_)), with_kwargs=True)
        net(torch.randn(2, 1, 8, 8))
        assert seen == [3]
        assert "pooled" not in used


def test_a_function_that_does_not_exist_raises() -> None:
    activation = make_activation("polyneuron")
    with torch.no_grad():
        activation.c_x.zero_()
    net = Chain(nn.Conv2d(1, 4, 3), activation, nn.MaxPool2d(2))
    with pytest.raises(SingularSystemError, match="function 0"):
        net(torch.randn(1, 1, 8, 8))


class TestTheModulesAreCalled:
    """Wherever a stage could not do as they do."""

    def check(self, modules: list[nn.Module], used: list[str], x: Tensor | None = None) -> None:
        x = torch.randn(2, 4, 12, 12) if x is None else x
        net = Chain(*modules)
        assert torch.equal(net(x), nn.Sequential(*modules)(x))
        assert used == []

    @pytest.mark.parametrize(
        "pool",
        [
            nn.AvgPool2d(2),
            nn.MaxPool2d(3),
            nn.MaxPool2d(2, stride=1),
            nn.MaxPool2d(2, padding=1),
            nn.MaxPool2d(2, dilation=2),
            nn.MaxPool2d(2, ceil_mode=True),
        ],
    )
    def test_for_other_pools(self, pool: nn.Module, used: list[str]) -> None:
        self.check([nn.Conv2d(4, 4, 3), make_activation("swish"), pool], used)

    @pytest.mark.parametrize(
        "options",
        [
            {"stride": 2},
            {"dilation": 2},
            {"groups": 2},
            {"padding": 1, "padding_mode": "reflect"},
            {"padding": "same"},
            {"bias": False},
        ],
    )
    def test_of_other_convolutions(self, options: dict[str, object], used: list[str]) -> None:
        modules = [nn.Conv2d(4, 4, 3, **options), make_activation("swish"), nn.MaxPool2d(2)]  # type: ignore[arg-type]
        x = torch.randn(2, 4, 12, 12)
        torch.testing.assert_close(Chain(*modules)(x), nn.Sequential(*modules)(x))
        assert used == ["pooled"]

    def test_in_float64_and_bfloat16_and_under_autocast(self, used: list[str]) -> None:
        modules = [nn.Conv2d(4, 4, 3), make_activation("swish"), nn.MaxPool2d(2)]
        with torch.autocast("cpu", torch.bfloat16):
            self.check(modules, used)
        for dtype in (torch.float64, torch.bfloat16):
            modules = [module.to(dtype) for module in modules]
            self.check(modules, used, torch.randn(2, 4, 12, 12, dtype=dtype))

    @pytest.mark.parametrize("hooked", range(3))
    def test_where_hooks_would_not_run(self, hooked: int, used: list[str]) -> None:
        modules = [nn.Conv2d(4, 4, 3), make_activation("swish"), nn.MaxPool2d(2)]
        seen: list[object] = []
        modules[hooked].register_forward_pre_hook(lambda *_: seen.append(1))
        Chain(*modules)(torch.randn(2, 4, 12, 12))
        assert seen
        assert "convolved" not in used

    def test_where_there_is_no_compiler(
        self, monkeypatch: pytest.MonkeyPatch, used: list[str]
    ) -> None:
        choice._first.cache_clear()
        monkeypatch.setattr(choice, "backends", lambda device: (plain,))
        self.check([nn.Conv2d(4, 4, 3), make_activation("swish"), nn.MaxPool2d(2)], used)

    def test_under_torch_func(self, used: list[str]) -> None:
        net = Chain(make_activation("swish"), nn.MaxPool2d(2))
        x = torch.randn(2, 3, 4, 4)
        found = torch.func.vmap(net)(x[:, None])
        torch.testing.assert_close(found[:, 0], nn.Sequential(*net)(x))
        assert used == []

    @pytest.mark.parametrize(
        "linear", [nn.Linear(8, 4, bias=False), nn.Linear(8, 513), nn.Linear(8, 4).double()]
    )
    def test_of_other_linear_layers(self, linear: nn.Linear, used: list[str]) -> None:
        x = torch.randn(3, 8, dtype=linear.weight.dtype)
        self.check([linear, make_activation("swish")], used, x)
        assert Chain(linear)(torch.randn(2, 3, 8, dtype=x.dtype)).shape[:2] == (2, 3)

    def test_for_one_function_a_neuron(self, used: list[str]) -> None:
        activation = make_activation("swish", channels=(4, 10, 10), scope="neuron")
        self.check([nn.Conv2d(4, 4, 3), activation, nn.MaxPool2d(2)], used)
