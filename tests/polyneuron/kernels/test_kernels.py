import itertools
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from polyneuron import SingularSystemError, evaluate, solve_coefficients
from polyneuron.activations.interpolating import spline_through
from polyneuron.kernels import evaluate_hermite
from polyneuron.kernels.apl.formula import APL
from polyneuron.kernels.backend import Case
from polyneuron.kernels.cpp import backend as cpp
from polyneuron.kernels.function import Function
from polyneuron.kernels.functions import FUNCTIONS
from polyneuron.kernels.hermite.formula import EVEN, HERMITE
from polyneuron.kernels.natural.formula import NATURAL
from polyneuron.kernels.operators import apply
from polyneuron.kernels.prelu.formula import PRELU
from polyneuron.kernels.radial.formula import radial, radial_sum
from polyneuron.kernels.srelu.formula import SRELU
from polyneuron.kernels.swish.formula import SWISH
from polyneuron.natural_spline import knot_slopes

ORDERS = range(1, 8)

Points = Callable[[int, int], tuple[Tensor, Tensor]]


def leaf(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


def gradients(
    function: Callable[..., Tensor], inputs: tuple[Tensor, ...], g: Tensor
) -> list[Tensor]:
    return list(torch.autograd.grad((function(*inputs) * g).sum(), inputs))


SIZES = {"radial": (2, 3, 5, 9), "hermite": (2, 3, 5, 9), "natural": (2, 3, 5, 9), "apl": (1, 5)}
"""Columns of the first parameter, where they are not the same in all functions of a family."""


def functions() -> list[tuple[Function, tuple[int, ...]]]:
    """Every learned function that has a kernel, with the columns of its parameters."""
    found = []
    for family, function in FUNCTIONS.items():
        members = [radial(k) for k in ORDERS if k < 7] if family == "radial" else [function]
        for member, s in itertools.product(members, SIZES.get(family, (6,))):
            example = member.example(s)
            found.append((member, tuple(row.shape[1] if row.ndim > 1 else 0 for row in example)))
    found += [(EVEN, (s, s, s)) for s in (3, 21)]
    return [(function, columns) for function, columns in found if columns]


every_function = pytest.mark.parametrize(
    ("function", "columns"),
    functions(),
    ids=lambda value: label(value) if isinstance(value, Function) else f"s={value[0]}",
)


def label(function: Function) -> str:
    return "even" if function is EVEN else function.name


def draw_parameters(function: Function, A: int, columns: tuple[int, ...]) -> list[Tensor]:
    if function is EVEN:  # a grid of each function's own, in numbers that bfloat16 has
        s = columns[0]
        steps = 0.25 * (1 + torch.arange(A) % 3)[:, None]
        return [steps * (torch.arange(s) - s // 2), torch.randn(A, s), torch.randn(A, s)]
    if function in (HERMITE, NATURAL):
        knots = (torch.rand(A, columns[0]) + 0.2).cumsum(1) - columns[0] / 3
        return [knots, *(torch.randn(A, n) for n in columns[1:])]
    return [torch.randn(A, n) if n else torch.randn(A) for n in columns]


def layouts() -> dict[str, tuple[int, Tensor]]:
    """A and x for every way in which functions and elements may lie in memory."""
    image = 2 * torch.randn(3, 5, 7, 3)
    wide = 2 * torch.randn(2, 16, 5, 5)
    last = torch.channels_last
    return {
        "layer": (1, image),
        "layer, channels last": (1, wide.to(memory_format=last)),
        "layer, over a chunk": (1, 2 * torch.randn(40001)),
        "one element": (1, torch.randn(())),
        "empty": (5, torch.randn(0, 5, 3)),
        "channel": (5, image),
        "channel, channels last": (5, image.to(memory_format=last)),
        "channel, whole vectors": (16, wide.to(memory_format=last)),
        "channel, over a chunk": (3, 2 * torch.randn(2, 3, 90, 100)),
        "rows": (5, 2 * torch.randn(9, 5)),
        "neuron": (105, image),
        "transposed": (5, 2 * torch.randn(3, 7, 5).transpose(1, 2)),
        "every other": (5, 2 * torch.randn(6, 5, 8)[::2, :, ::2]),
        "expanded": (1, torch.randn(7, 1).expand(7, 9)),
        "far": (2, torch.tensor([[1e4, -1e4], [0.5, 1e4], [-1e4, 0.0]])),
    }


def computed(
    function: Callable[..., Tensor], x: Tensor, parameters: list[Tensor], g: Tensor
) -> list[Tensor]:
    """y and all gradients."""
    inputs = [tensor.detach().requires_grad_() for tensor in (x, *parameters)]
    y = function(*inputs)
    return [y.detach(), *torch.autograd.grad(y, inputs, g.to(y.dtype))]


def assert_near(fast: list[Tensor], exact: list[Tensor], tolerance: float, case: str) -> None:
    for n, (one, other) in enumerate(zip(fast, exact, strict=True)):
        size = float(other.abs().max()) if other.numel() else 0.0
        error = float((one.double() - other).abs().max()) if other.numel() else 0.0
        assert one.shape == other.shape
        assert error <= tolerance * (size + 1e-3), f"{case}, tensor {n}: {error} of {size}"


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Memory is not a number until it is written; torch does so in its deterministic mode."""
    assert torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize(
    # The rounding of a few thousand terms; bfloat16 has 8 bits, and rounds y, g and dL/dx.
    ("storage", "tolerance"),
    [(torch.float32, 2e-5), (torch.bfloat16, 1e-2)],
    ids=["float32", "bfloat16"],
)
@every_function
def test_a_kernel_is_its_formula(
    function: Function, columns: tuple[int, ...], storage: torch.dtype, tolerance: float
) -> None:
    assert cpp.supports(Case("pointwise", function, columns[0], storage, torch.device("cpu")))
    for case, (A, x) in layouts().items():
        x = x.to(storage)
        parameters = draw_parameters(function, A, columns)
        if columns[0] and 0 < x.numel() < 1000 and case != "far" and x.is_contiguous():
            # Exactly on a control point of the first function, where r = 0.
            x.view(-1)[0] = parameters[0][0, 0] = parameters[0][0, 0].bfloat16()
        g = torch.randn(x.shape).to(storage)
        exact = computed(function.plain, x.double(), [p.double() for p in parameters], g)
        fast = computed(lambda x, *p: apply(function, x, p), x, parameters, g)
        assert_near(fast, exact, tolerance, case)
        assert fast[0].dtype == fast[1].dtype == storage
        if x.ndim == 4:
            assert fast[0].stride() == fast[1].stride() == x.stride()


@every_function
def test_a_kernel_gives_the_same_bits_with_any_threads(
    function: Function, columns: tuple[int, ...]
) -> None:
    for A, x in [layouts()[case] for case in ("layer, over a chunk", "channel, over a chunk")]:
        parameters, g = draw_parameters(function, A, columns), torch.randn_like(x)
        results = []
        for threads in (1, 2, 1):
            torch.set_num_threads(threads)
            results.append(computed(lambda x, *p: apply(function, x, p), x, parameters, g))
        torch.set_num_threads(1)
        for other in results[1:]:
            assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


@every_function
def test_what_is_not_a_number_stays_so(function: Function, columns: tuple[int, ...]) -> None:
    parameters = draw_parameters(function, 1, columns)
    x = torch.randn(20)
    x[[3, 17]] = float("nan")
    y, g_x, *_ = computed(lambda x, *p: apply(function, x, p), x, parameters, torch.ones(20))
    assert y.isnan().nonzero().flatten().tolist() == [3, 17]
    # Of straight lines the slope is known even there.
    assert function in (
        APL,
        PRELU,
        SRELU,
        radial(1),
    ) or g_x.isnan().nonzero().flatten().tolist() == [3, 17]
    parameters[-1][0] = float("nan")
    if function is NATURAL:
        with pytest.raises(SingularSystemError, match="c_y must be finite"):
            apply(function, torch.randn(20), parameters)
    else:
        assert apply(function, torch.randn(20), parameters).isnan().any()


@every_function
def test_an_operator_is_sound_for_tracers(function: Function, columns: tuple[int, ...]) -> None:
    x = torch.randn(4, 3, requires_grad=True)
    parameters = [p.requires_grad_() for p in draw_parameters(function, 3, columns)]
    torch.library.opcheck(
        torch.ops.polyneuron.activate.default, (x, parameters, function.name), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("function", "columns"), [(radial(3), (3, 3, 2)), (NATURAL, (3, 3)), (SWISH, (0,))]
)
def test_torch_func_transforms_the_formula(function: Function, columns: tuple[int, ...]) -> None:
    x, parameters = torch.randn(4, 6, 3), draw_parameters(function, 3, columns)

    def total(x: Tensor, *parameters: Tensor) -> Tensor:
        return apply(function, x, parameters).square().sum()

    each = torch.func.vmap(torch.func.grad(total), in_dims=(0, *(None for _ in parameters)))
    found = each(x, *parameters)
    for row, expected in zip(found, x, strict=True):
        (by_kernel,) = torch.autograd.grad(total(expected.requires_grad_(), *parameters), expected)
        torch.testing.assert_close(row, by_kernel, rtol=1e-4, atol=1e-4)


def test_meta_tensors_have_shapes_alone() -> None:
    parameters = [p.to("meta") for p in draw_parameters(radial(3), 3, (3, 3, 2))]
    y = apply(radial(3), torch.empty(6, 3, device="meta"), parameters)
    assert (y.shape, y.device.type) == ((6, 3), "meta")


@pytest.mark.parametrize("s", [2, 3, 4, 9])
def test_the_natural_spline_is_the_radial_sum(s: int, random_points: Points) -> None:
    c_x, c_y = (row.requires_grad_() for row in random_points(3, s))
    x = 2 * leaf(50, 3).detach()
    x.requires_grad_()
    g = torch.randn(50, 3, dtype=torch.float64)

    def printed(x: Tensor, c_x: Tensor, c_y: Tensor) -> Tensor:
        return radial_sum(x, c_x, *solve_coefficients(c_x, c_y, 3), 3)

    pieces = gradients(lambda *a: spline_through(*a, 3), (x, c_x, c_y), g)
    for one, other in zip(pieces, gradients(printed, (x, c_x, c_y), g), strict=True):
        # The printed sum cancels to 1e-12 of its terms.
        torch.testing.assert_close(one, other, rtol=0, atol=1e-9 * (1 + float(other.abs().max())))


@pytest.mark.parametrize("s", [2, 3, 4, 5, 9])
def test_knot_slopes_pass_gradcheck(s: int, random_points: Points) -> None:
    c_x, c_y = random_points(2, s)
    c_x, order = c_x.sort(1)
    assert torch.autograd.gradcheck(
        knot_slopes, (c_x.requires_grad_(), c_y.gather(1, order).requires_grad_())
    )


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_second_derivatives_by_x_and_coefficients(k: int) -> None:
    inputs = leaf(2, 3), leaf(3, 2), leaf(3, 2), leaf(3, 2)
    assert torch.autograd.gradgradcheck(lambda *a: evaluate(*a, k), inputs)


def test_a_parameter_that_depends_on_x_is_counted_once() -> None:
    """Also where gradients are to be differentiated again, which is another way to compute them."""
    x = torch.randn(5, requires_grad=True)
    y = apply(SWISH, x, (x.mean()[None],))
    (once,) = torch.autograd.grad(y.square().sum(), x, retain_graph=True)
    (differentiable,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
    torch.testing.assert_close(differentiable, once)


def test_second_derivatives_of_the_hermite_spline() -> None:
    c_x = torch.tensor([[-1.0, 0.1, 1.2]], dtype=torch.float64, requires_grad=True)
    inputs = leaf(4), c_x, leaf(1, 3), leaf(1, 3)
    assert torch.autograd.gradgradcheck(evaluate_hermite, inputs)


@pytest.mark.parametrize("s", [3, 9])
@pytest.mark.parametrize("form", ["radial sum", "hermite"])
def test_only_x_is_saved_at_full_size(form: str, s: int) -> None:
    x = torch.randn(64, 8, 5, requires_grad=True)
    c_x = torch.linspace(-1, 1, s).repeat(8, 1).requires_grad_()
    rows = torch.randn(8, s, requires_grad=True)
    sizes: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: sizes.append(t.untyped_storage().nbytes()) or t, lambda t: t
    ):
        if form == "hermite":
            evaluate_hermite(x, c_x, rows, rows)
        else:
            evaluate(x, c_x, rows, rows[:, :2], 3)
    assert [n for n in sizes if n >= x.nbytes] == [x.nbytes]


@pytest.mark.parametrize(
    ("s", "inside", "tails"),
    [(3, 2e-7, 9e-7), (5, 3e-7, 9e-7), (9, 2e-7, 7e-6), (17, 2e-7, 2e-6), (33, 2e-7, 3e-6)],
)
def test_float32_error_of_order_3(s: int, inside: float, tails: float) -> None:
    """Within twice the errors known for the natural-spline form, on N(0, 1) heights, span 2."""
    c_x, c_y = torch.linspace(-1, 1, s).expand(300, s), torch.randn(300, s)
    x = torch.linspace(-1, 1, 500)[:, None].expand(-1, 300)
    far = torch.tensor([[-1000.0], [1000.0]]).expand(-1, 300)

    def error(x: Tensor) -> tuple[Tensor, Tensor]:
        exact = spline_through(x.double(), c_x.double(), c_y.double(), 3)
        return (spline_through(x, c_x, c_y, 3) - exact).abs(), exact.abs()

    # 1 % of splines are left out: a tail's relative error is unbounded where its slope vanishes.
    difference, exact = error(x)
    assert (difference.amax(0) / exact.amax(0)).quantile(0.99) <= 2 * inside
    difference, exact = error(far)
    assert (difference / exact).flatten().quantile(0.99) <= 2 * tails


def test_the_printed_sum_loses_float32_far_out() -> None:
    """Why order 3 has its own form: 17 points are wrong by 1 % at x = 1000, as Eq. 1 is summed."""
    c_x, c_y = torch.linspace(-1, 1, 17).expand(100, 17), torch.randn(100, 17)
    w, v = solve_coefficients(c_x, c_y, 3)
    far = torch.full((1, 100), 1000.0)
    exact = spline_through(far.double(), c_x.double(), c_y.double(), 3)
    assert ((evaluate(far, c_x, w, v, 3) - exact).abs() / exact.abs()).median() > 0.01


@pytest.mark.parametrize("k", ORDERS)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_input_is_computed_in_float32(k: int, half: torch.dtype) -> None:
    x = torch.linspace(-4, 4, 33).to(half)
    c_x, w, v = torch.randn(1, 3), 0.1 * torch.randn(1, 3), torch.randn(1, 2)
    y = evaluate(x, c_x, w, v, k)
    assert y.dtype == half
    assert torch.equal(y, evaluate(x.float(), c_x, w, v, k).to(half))


def test_coefficients_of_another_dtype_get_gradients_of_their_own() -> None:
    c_x, w, v = leaf(1, 3), leaf(1, 3), leaf(1, 2)
    evaluate(torch.randn(5), c_x, w, v, 3).sum().backward()
    assert c_x.grad is not None
    assert c_x.grad.dtype == torch.float64


class TestBadInput:
    @pytest.mark.parametrize(
        "shapes", [((3,), (3,), (2,)), ((2, 3), (2, 4), (2, 2)), ((2, 3), (2, 3), (1, 2))]
    )
    def test_coefficients_that_do_not_match(self, shapes: tuple[tuple[int, ...], ...]) -> None:
        with pytest.raises(ValueError, match=r"c_x and w must be \(A, s\) and v \(A, 2\), got"):
            evaluate(torch.zeros(4), *(torch.zeros(shape) for shape in shapes), 3)

    @pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 4)])
    def test_x_that_does_not_fit(self, shape: tuple[int, ...]) -> None:
        rows = torch.zeros(5, 3)
        with pytest.raises(ValueError, match=r"x of shape .* does not fit A = 5 activation func"):
            evaluate(torch.zeros(shape), rows, rows, torch.zeros(5, 2), 3)

    def test_order(self) -> None:
        rows = torch.zeros(1, 3)
        with pytest.raises(ValueError, match="k must be an integer of at least 1, got 0"):
            evaluate(torch.zeros(4), rows, rows, torch.zeros(1, 2), 0)
