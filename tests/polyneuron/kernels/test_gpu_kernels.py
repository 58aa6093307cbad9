"""The Triton kernels against the reference in float64: interpreted, and compiled on a real GPU.

Tiles are cut to a few elements, so that tiny tensors take several tiles of several programs.
"""

import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from polyneuron.kernels import reference
from polyneuron.natural_spline import knot_slopes

pytest.importorskip("triton")
from polyneuron.kernels import gpu
from polyneuron.kernels.gpu import layout

DEVICE = "cpu" if os.environ.get("TRITON_INTERPRET") == "1" else "cuda"

pytestmark = [
    pytest.mark.skipif(
        DEVICE == "cuda" and not torch.cuda.is_available(),
        reason="without a GPU, TRITON_INTERPRET=1 must be set before triton is imported",
    ),
    pytest.mark.usefixtures("_tiny_tiles", "_poisoned"),
]

SINGLE = 2e-5
HALF = 1e-2


@pytest.fixture
def _tiny_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "THREADS", 16)
    monkeypatch.setattr(layout, "PROGRAMS", 4)


@pytest.fixture
def _poisoned() -> Iterator[None]:
    """Fill new memory with NaN: an element that a kernel forgets to write shows."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    assert torch.empty(2).new_empty(3).isnan().all()
    assert torch.empty_like(torch.zeros(3, device=DEVICE)).isnan().all()
    yield
    torch.use_deterministic_algorithms(before)


PLAIN: dict[str, Callable[..., Tensor]] = {
    "radial": reference.evaluate,
    "hermite": reference.evaluate_hermite,
    "swish": reference.swish,
    "apl": reference.apl,
    "prelu": reference.prelu,
    "srelu": reference.srelu,
    "pade": reference.pade,
    "blending": reference.blending,
    "ensemble": reference.ensemble,
    "relu": torch.relu,
}

OTHERS = ["hermite", "swish", "apl", "prelu", "srelu", "pade", "blending", "ensemble"]
"""All that are learned, but the radial sum."""


def parameters_of(name: str, A: int, s: int) -> tuple[Tensor, ...]:
    knots = (torch.rand(A, s) + 0.3).cumsum(1)
    knots = knots - knots.mean(1, keepdim=True)
    rows = torch.randn(2, A, s)
    found = {
        "radial": (knots[:, torch.randperm(s)], 0.3 * rows[0], torch.randn(A, 2)),
        "hermite": (knots, *rows),
        "swish": (rows[0, :, 0],),
        "apl": (rows[0], knots),
        "prelu": (rows[0, :, 0],),
        "srelu": (torch.randn(A, 4),),
        "pade": (torch.randn(A, 6), torch.randn(A, 4)),
        "blending": (torch.randn(A, 5),),
        "ensemble": (torch.randn(A, 4),),
        "relu": (),
    }[name]
    return tuple(parameter.to(DEVICE) for parameter in found)


LAYOUTS: dict[str, tuple[int, Callable[[], Tensor]]] = {
    "layer": (1, lambda: torch.randn(3, 5, 19)),
    "one element": (1, lambda: torch.randn(())),
    "empty layer": (1, lambda: torch.randn(0, 4)),
    "transposed layer": (1, lambda: torch.randn(3, 5, 7).permute(2, 0, 1)),
    "layer with holes": (1, lambda: torch.randn(6, 14)[::2, 1::3]),
    "channel": (2, lambda: torch.randn(7, 2, 6, 5)),
    "channels-last": (3, lambda: torch.randn(5, 3, 4, 3).to(memory_format=torch.channels_last)),
    "channel of a slice": (4, lambda: torch.randn(5, 7, 3)[:, 2:6]),
    "empty batch": (4, lambda: torch.randn(0, 4, 3)),
    "rows": (5, lambda: torch.randn(17, 5)),
    "neuron": (12, lambda: torch.randn(6, 3, 4)),
    "neuron, channels-last": (
        12,
        lambda: torch.randn(6, 3, 2, 2).to(memory_format=torch.channels_last),
    ),
}


def input_of(name: str, points: Tensor) -> Tensor:
    """Input of a layout, one of whose elements lies on a control point."""
    x = LAYOUTS[name][1]().to(DEVICE)
    if x.numel():
        x[(0,) * x.ndim] = points[0].flatten()[0]
    return x


def fast(name: str, g: Tensor, x: Tensor, parameters: Sequence[Tensor], *k: int) -> list[Tensor]:
    """Value and gradients by the kernels."""
    f = name, parameters, *k
    return [gpu.forward(x, *f), *gpu.backward(g, x, *f)]


def exact(
    plain: Callable[..., Tensor], g: Tensor, x: Tensor, parameters: Sequence[Tensor]
) -> list[Tensor]:
    """Value and gradients by the reference, in float64."""
    leaves = [tensor.detach().double().requires_grad_() for tensor in (x, *parameters)]
    y = plain(*leaves)
    return [y.detach(), *torch.autograd.grad(y, leaves, g.double())]


def assert_close(fast: Sequence[Tensor], exact: Sequence[Tensor], tolerance: float) -> None:
    """Relative to each element, and to the float32 rounding of terms as large as the largest."""
    for one, other in zip(fast, exact, strict=True):
        size = float(other.abs().max()) if other.numel() else 0.0
        assert one.shape == other.shape
        torch.testing.assert_close(one.double(), other, rtol=tolerance, atol=SINGLE * size)


def check(name: str, place: str, s: int, *k: int, dtype: torch.dtype = torch.float32) -> None:
    parameters = parameters_of(name, LAYOUTS[place][0], s)
    x = input_of(place, parameters[-1 if name == "apl" else 0]).to(dtype)
    g = torch.randn(x.shape).to(DEVICE, dtype)
    found = fast(name, g, x, parameters, *k)
    plain = partial(PLAIN[name], k=k[0]) if k else PLAIN[name]
    tolerance = SINGLE if dtype == torch.float32 else HALF
    assert_close(found, exact(plain, g, x, parameters), tolerance)
    for like_x in found[:2]:
        assert like_x.dtype == dtype
        assert like_x.stride() == torch.empty_like(x).stride()


@pytest.mark.parametrize(
    ("place", "k", "s"),
    list(zip(LAYOUTS, itertools.cycle(range(1, 7)), [2, 3, 5, 9, 5, 2, 3] * 2, strict=False)),
)
def test_radial_sum_in_every_layout(place: str, k: int, s: int) -> None:
    check("radial", place, s, k)


@pytest.mark.parametrize(("k", "s"), [(1, 9), (2, 5), (3, 9), (4, 2), (5, 3), (6, 5)])
def test_radial_sum_of_every_order(k: int, s: int) -> None:
    check("radial", "layer", s, k)


@pytest.mark.parametrize("place", ["layer", "channel", "channels-last", "neuron"])
@pytest.mark.parametrize("name", OTHERS)
def test_other_functions(name: str, place: str) -> None:
    check(name, place, 3)


@pytest.mark.parametrize("s", [2, 5, 9])
def test_knots_of_a_hermite_spline(s: int) -> None:
    check("hermite", "layer", s)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["radial", *OTHERS])
def test_half_precision(name: str, dtype: torch.dtype) -> None:
    k = (3,) if name == "radial" else ()
    check(name, "channels-last", 3, *k, dtype=dtype)
    check(name, "layer with holes", 3, *k, dtype=dtype)


@pytest.mark.parametrize("k", range(1, 7))
def test_far_input_and_control_points(k: int) -> None:
    parameters = parameters_of("radial", 1, 3)
    for x in (torch.tensor([1e4, -1e4, 1e4], device=DEVICE), parameters[0].flatten()):
        g = torch.randn(x.shape).to(DEVICE)
        found = fast("radial", g, x, parameters, k)
        assert_close(found, exact(partial(reference.evaluate, k=k), g, x, parameters), SINGLE)


@pytest.mark.parametrize("name", OTHERS)
def test_far_input_of_other_functions(name: str) -> None:
    parameters = parameters_of(name, 1, 3)
    x = torch.tensor([1e4, -1e4, *parameters[-1].flatten().tolist()], device=DEVICE)
    g = torch.randn(x.shape).to(DEVICE)
    found = fast(name, g, x, parameters)
    assert_close(found, exact(PLAIN[name], g, x, parameters), SINGLE)


@pytest.mark.parametrize("name", ["radial", *OTHERS])
def test_nan_stays_nan_and_stays_where_it_is(name: str) -> None:
    k = (2,) if name == "radial" else ()
    parameters = parameters_of(name, 3, 3)
    x = torch.randn(5, 3, 2, device=DEVICE)
    x[1, 2, 0] = float("nan")
    y, g_x, *_ = fast(name, torch.ones_like(x), x, parameters, *k)
    assert torch.equal(y.isnan(), x.isnan())
    assert not g_x[~x.isnan()].isnan().any()
    g = torch.where(x.isnan(), x, 1.0)
    _, g_x, *g_parameters = fast(name, g, x, parameters, *k)
    assert torch.equal(g_x.isnan(), g.isnan())
    for gradient in g_parameters:
        assert not gradient[:2].isnan().any()
        assert gradient[2].isnan().any()


@pytest.mark.parametrize("place", ["layer", "channel", "channels-last"])
@pytest.mark.parametrize("name", ["radial", "hermite", "apl", "pade"])
def test_equal_inputs_give_equal_bits(name: str, place: str) -> None:
    k = (4,) if name == "radial" else ()
    parameters = parameters_of(name, LAYOUTS[place][0], 3)
    x = LAYOUTS[place][1]().to(DEVICE)
    g = torch.randn_like(x)
    first, second = (fast(name, g, x, parameters, *k) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize("place", ["layer", "channel", "channels-last"])
def test_offsets_of_64_bits(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setattr(layout, "WIDE", 1)
    check("radial", place, 2, 3)


def test_gradient_of_another_memory_format() -> None:
    parameters = parameters_of("radial", 3, 2)
    x = torch.randn(4, 3, 2, 5, device=DEVICE)
    g = torch.randn(x.shape).to(DEVICE)
    plain = fast("radial", g, x, parameters, 3)
    for other in (g.to(memory_format=torch.channels_last), g.double()):
        assert all(
            torch.equal(one, same)
            for one, same in zip(plain, fast("radial", other, x, parameters, 3), strict=True)
        )
    ones = fast("radial", torch.ones_like(x), x, parameters, 3)
    expanded = fast("radial", torch.ones((), device=DEVICE).expand(x.shape), x, parameters, 3)
    assert all(torch.equal(one, same) for one, same in zip(ones, expanded, strict=True))


def test_other_dtypes_are_refused() -> None:
    beta = torch.ones(1, device=DEVICE)
    with pytest.raises(ValueError, match=r"float32, bfloat16 or float16, got torch\.float64"):
        gpu.forward(torch.zeros(3, dtype=torch.float64, device=DEVICE), "swish", [beta])


def test_full_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block sizes of real use, on a few blocks and a remainder."""
    monkeypatch.undo()
    check("radial", "layer", 3, 3)
    parameters = parameters_of("radial", 1, 3)
    x, g = torch.randn(2, 2500, device=DEVICE)
    found = fast("radial", g, x, parameters, 3)
    assert_close(found, exact(partial(reference.evaluate, k=3), g, x, parameters), SINGLE)


class TestRowsOfTheirOwn:
    """Rows of unequal k and s, padded to the longest (maths of the fused populations)."""

    def test_each_row_is_its_own_function(self) -> None:
        orders = torch.tensor([1, 2, 3, 4, 5, 6], device=DEVICE)
        lengths = [5, 2, 3, 4, 2, 3]
        c_x, w, v = parameters_of("radial", 6, 5)
        present = torch.arange(5, device=DEVICE) < torch.tensor(lengths, device=DEVICE)[:, None]
        c_x, w = c_x * present, w * present
        x = torch.randn(7, 6, 3, device=DEVICE)
        x[0, :, 0] = c_x[:, 1]
        g = torch.randn(x.shape).to(DEVICE)
        f = "radial", (c_x, w, v), 6, orders
        y, found = gpu.forward(x, *f), gpu.backward(g, x, *f, present)
        for row, (k, s) in enumerate(zip(orders.tolist(), lengths, strict=True)):
            own = (c_x[row : row + 1, :s], w[row : row + 1, :s], v[row : row + 1])
            x_row, g_row = x[:, row], g[:, row]
            assert_close(
                [y[:, row], found[0][:, row], *(t[row : row + 1, :s] for t in found[1:])],
                exact(partial(reference.evaluate, k=k), g_row, x_row, own),
                SINGLE,
            )
            assert not found[1][row, s:].any()
            assert not found[2][row, s:].any()

    def test_equal_rows_are_the_homogeneous_kernel(self) -> None:
        parameters = parameters_of("radial", 3, 3)
        x, g = torch.randn(2, 5, 3, 4, device=DEVICE)
        orders = torch.full((3,), 4, device=DEVICE)
        f = "radial", parameters, 4, orders
        own = [gpu.forward(x, *f), *gpu.backward(g, x, *f)]
        for one, other in zip(fast("radial", g, x, parameters, 4), own, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-5)


NORMS = [
    # function, rows of its parameters, k, s
    ("radial", 1, 3, 3),
    ("radial", 3, 2, 3),
    ("hermite", 3, 0, 5),
    ("swish", 1, 0, 1),
    ("apl", 3, 0, 2),
    ("relu", 0, 0, 0),
]


class Norm:
    """Batch norm + residual + function, by the kernels and by torch in float64."""

    def __init__(self, z: Tensor, residual: bool, function: str, rows: int, k: int, s: int) -> None:
        C = z.shape[1]
        self.function, self.k, self.z = function, k, z
        self.g = torch.randn(z.shape).to(DEVICE, z.dtype)
        self.residual = torch.randn(z.shape).to(DEVICE, z.dtype) if residual else None
        self.weight, self.bias, self.mean = torch.randn(3, C, device=DEVICE)
        self.var = torch.rand(C, device=DEVICE) + 0.5
        self.parameters = parameters_of(function, rows, s) if rows else ()

    def fast(self, training: bool) -> list[Tensor]:
        running = self.mean.clone(), self.var.clone()
        front = self.z, self.residual, self.weight, self.bias
        f = self.function, self.parameters, self.k
        y, statistics = gpu.norm_forward(*front, *running, 1e-5, 0.1, training, *f)
        back = gpu.norm_backward(self.g, *front, statistics, training, *f)
        *gradients, by_parameters = back
        return [t for t in (y, *gradients, *by_parameters, *running) if t is not None]

    def exact(self, training: bool) -> list[Tensor]:
        running = self.mean.double(), self.var.double()
        plain = PLAIN[self.function]
        k = {"k": self.k} if self.function == "radial" else {}

        def value(z: Tensor, *rest: Tensor) -> Tensor:
            residual, (weight, bias, *parameters) = (
                (None, rest) if self.residual is None else (rest[0], rest[1:])
            )
            u = F.batch_norm(z, *running, weight, bias, training, 0.1, 1e-5)
            return plain(u if residual is None else u + residual, *parameters, **k)

        residual = () if self.residual is None else (self.residual,)
        rest = (*residual, self.weight, self.bias, *self.parameters)
        found = exact(value, self.g, self.z, rest)
        return [*found, *running]


class TestNorm:
    @pytest.mark.parametrize(
        ("training", "residual", "channels_last", "norm"),
        [
            (*switches, norm)
            for switches, norm in zip(
                itertools.product((True, False), repeat=3), itertools.cycle(NORMS), strict=False
            )
        ],
    )
    def test_is_the_separate_modules(
        self,
        training: bool,
        residual: bool,
        channels_last: bool,
        norm: tuple[str, int, int, int],
    ) -> None:
        z = 2 * torch.randn(5, 3, 4, 3) + torch.tensor([0.0, 3.0, -9.0])[:, None, None]
        if channels_last:
            z = z.to(memory_format=torch.channels_last)
        case = Norm(z.to(DEVICE), residual, *norm)
        found = case.fast(training)
        assert_close(found, case.exact(training), SINGLE)
        for like_z in found[:2]:
            assert like_z.stride() == z.stride()

    @pytest.mark.parametrize("shape", [(9, 4), (6, 1, 3, 2), (3, 4, 5), (5, 3, 1)])
    def test_shapes(self, shape: tuple[int, ...]) -> None:
        case = Norm(torch.randn(shape).to(DEVICE), True, "radial", 1, 3, 3)
        assert_close(case.fast(True), case.exact(True), SINGLE)

    def test_half_precision(self) -> None:
        z = (torch.randn(5, 3, 4, 3) + 2).bfloat16().to(DEVICE)
        z = z.to(memory_format=torch.channels_last)
        case = Norm(z, True, "radial", 3, 3, 3)
        found, wanted = case.fast(True), case.exact(True)
        # The gradient of z is made from that of u as stored, 8 bits of the largest, less its mean.
        assert_close([found[0], *found[2:]], [wanted[0], *wanted[2:]], HALF)
        size = float(wanted[1].abs().max())
        torch.testing.assert_close(found[1].double(), wanted[1], rtol=HALF, atol=2 * HALF * size)

    def test_a_mean_far_from_zero_does_not_cancel(self) -> None:
        """Differences of raw moments would give a variance that is wrong by 6 %."""
        z = torch.randn(40, 2, 5, device=DEVICE) + 1000
        ones = torch.ones(2, device=DEVICE)
        y, (mean, rstd) = gpu.norm_forward(
            z, None, ones, 0 * ones, None, None, 0, 0.1, True, "relu"
        )
        var, exact_mean = torch.var_mean(z.double(), (0, 2), correction=0)
        torch.testing.assert_close(rstd.double(), var.rsqrt(), rtol=1e-5, atol=0)
        # float32 has no number nearer than 3e-5 to a mean of 1000, and y shifts by as much.
        torch.testing.assert_close(mean.double(), exact_mean, rtol=0, atol=6.2e-5)
        u = (z.double() - exact_mean[:, None]) * var.rsqrt()[:, None]
        torch.testing.assert_close(y.double(), u.relu(), rtol=0, atol=1e-4)

    def test_an_outlier_in_front_does_not_spoil_the_variance(self) -> None:
        z = torch.randn(200, 2, device=DEVICE)
        z[0] = 1e4
        ones = torch.ones(2, device=DEVICE)
        _, (_, rstd) = gpu.norm_forward(z, None, ones, ones, None, None, 0, 0.1, True, "relu")
        var = z.double().var(0, correction=0)
        torch.testing.assert_close(rstd.double(), var.rsqrt(), rtol=1e-5, atol=0)

    def test_without_running_statistics_evaluation_uses_the_batch(self) -> None:
        z = torch.randn(6, 3, 2, device=DEVICE)
        rows = torch.rand(2, 3, device=DEVICE)
        first, second = (
            gpu.norm_forward(z, None, *rows, None, None, 1e-5, 0.1, training, "relu")
            for training in (True, False)
        )
        assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))

    def test_equal_inputs_give_equal_bits(self) -> None:
        case = Norm(torch.randn(9, 3, 7, device=DEVICE), True, "radial", 1, 3, 3)
        pairs = zip(case.fast(True), case.fast(True), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)

    def test_an_empty_batch(self) -> None:
        case = Norm(torch.randn(0, 3, 2, device=DEVICE), True, "radial", 1, 3, 3)
        y, g_z, g_residual, *rest = case.fast(False)
        assert y.shape == g_z.shape == g_residual.shape == (0, 3, 2)
        assert not any(gradient.any() for gradient in rest[:-2])

    def test_nan_reaches_its_channel_alone(self) -> None:
        case = Norm(torch.randn(6, 3, 2, device=DEVICE), False, "hermite", 1, 0, 3)
        case.z[1, 2, 0] = float("nan")
        y, g_z, g_weight, g_bias, *_ = case.fast(True)
        for tensor in (y.transpose(0, 1), g_z.transpose(0, 1), g_weight, g_bias):
            assert tensor[2].isnan().all()
            assert not tensor[:2].isnan().any()

    def test_unknown_function(self) -> None:
        z, row = torch.zeros(2, 3), torch.zeros(3)
        with pytest.raises(ValueError, match="unknown function 'tanh'; known: radial, hermite"):
            gpu.norm_forward(z, None, row, row, None, None, 1e-5, 0.1, True, "tanh")

    def test_parameters_that_do_not_fit(self) -> None:
        z, row = torch.zeros(2, 3), torch.zeros(3)
        with pytest.raises(ValueError, match=r"parameters with 1 or C rows, got \(2, 3\) and"):
            gpu.norm_forward(
                z, None, row, row, None, None, 1e-5, 0.1, True, "swish", [torch.zeros(2)]
            )


class TestNaturalSpline:
    @pytest.mark.parametrize("s", [2, 3, 9])
    def test_is_the_reference_in_any_order_of_points(self, s: int) -> None:
        A = 130
        c_x = (torch.rand(A, s) + 0.3).cumsum(1).gather(1, torch.rand(A, s).argsort(1)).to(DEVICE)
        c_y = torch.randn(A, s).to(DEVICE)
        g = torch.randn(3, A, s).to(DEVICE)
        *splines, order = gpu.interpolate_forward(c_x, c_y)
        found = [*splines, *gpu.interpolate_backward(*g, *splines, order)]
        leaves = [points.double().requires_grad_() for points in (c_x, c_y)]
        knots, by_torch = leaves[0].sort(1)
        heights = leaves[1].gather(1, by_torch)
        outputs = [knots, heights, knot_slopes(knots, heights)]
        wanted = [*outputs, *torch.autograd.grad(outputs, leaves, list(g.double()))]
        assert torch.equal(order.long(), by_torch)
        assert_close(found, [tensor.detach() for tensor in wanted], SINGLE)

    @pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's, of the interpreter
    def test_coincident_points_and_nan_spoil_their_row_alone(self) -> None:
        c_x = torch.linspace(-1, 1, 4).repeat(5, 1).to(DEVICE)
        c_y = torch.randn(5, 4).to(DEVICE)
        c_x[1, 2] = c_x[1, 0]
        c_x[2, 1] = float("nan")
        c_y[3, 3] = float("nan")
        _, _, m, order = gpu.interpolate_forward(c_x, c_y)
        bad = torch.tensor([False, True, True, True, False], device=DEVICE)
        assert torch.equal(m.isnan().all(1), bad)
        assert torch.equal(m.isnan().any(1), bad)
        assert torch.equal(order.long(), c_x.sort(dim=1, stable=True).indices)


def test_the_kernels_compile_for_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    """The interpreter accepts what the compiler does not; machine code for sm_90 needs no GPU."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    script = Path(__file__).with_name("compile_gpu_kernels.py")
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "kernels compiled for sm_90" in done.stdout
