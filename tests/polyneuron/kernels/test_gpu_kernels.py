"""The Triton kernels of functions against the formulas in float64: interpreted, or on a GPU."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton")
from gpu_cases import (
    DEVICE,
    HALF,
    LAYOUTS,
    OTHERS,
    SINGLE,
    assert_close,
    equal_bits,
    exact,
    fast,
    input_of,
    on_the_device,
    parameters_of,
)

from polyneuron.kernels.apl.formula import APL
from polyneuron.kernels.function import Function
from polyneuron.kernels.gpu import backend, layout
from polyneuron.kernels.hermite.formula import HERMITE
from polyneuron.kernels.pade.formula import PADE
from polyneuron.kernels.radial.formula import radial
from polyneuron.kernels.swish.formula import SWISH

pytestmark = on_the_device

every_other_function = pytest.mark.parametrize("function", OTHERS, ids=lambda f: f.name)


def check(function: Function, place: str, s: int, dtype: torch.dtype = torch.float32) -> None:
    parameters = parameters_of(function, LAYOUTS[place][0], s)
    x = input_of(place, parameters[-1 if function.family == "apl" else 0]).to(dtype)
    g = torch.randn(x.shape).to(DEVICE, dtype)
    found = fast(function, g, x, parameters)
    tolerance = SINGLE if dtype == torch.float32 else HALF
    assert_close(found, exact(function.plain, g, x, parameters), tolerance)
    for like_x in found[:2]:
        assert like_x.dtype == dtype
        assert like_x.stride() == torch.empty_like(x).stride()


@pytest.mark.parametrize(
    ("place", "k", "s"),
    list(zip(LAYOUTS, itertools.cycle(range(1, 7)), [2, 3, 5, 9, 5, 2, 3] * 2, strict=False)),
)
def test_radial_sum_in_every_layout(place: str, k: int, s: int) -> None:
    check(radial(k), place, s)


@pytest.mark.parametrize(("k", "s"), [(1, 9), (2, 5), (3, 9), (4, 2), (5, 3), (6, 5)])
def test_radial_sum_of_every_order(k: int, s: int) -> None:
    check(radial(k), "layer", s)


@pytest.mark.parametrize("place", ["layer", "channel", "channels-last", "neuron"])
@every_other_function
def test_other_functions(function: Function, place: str) -> None:
    check(function, place, 3)


@pytest.mark.parametrize("s", [2, 5, 9])
def test_knots_of_a_hermite_spline(s: int) -> None:
    check(HERMITE, "layer", s)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("function", [radial(3), *OTHERS], ids=lambda f: f.name)
def test_half_precision(function: Function, dtype: torch.dtype) -> None:
    check(function, "channels-last", 3, dtype)
    check(function, "layer with holes", 3, dtype)


@pytest.mark.parametrize("k", range(1, 7))
def test_far_input_and_control_points(k: int) -> None:
    parameters = parameters_of(radial(k), 1, 3)
    for x in (torch.tensor([1e4, -1e4, 1e4], device=DEVICE), parameters[0].flatten()):
        g = torch.randn(x.shape).to(DEVICE)
        found = fast(radial(k), g, x, parameters)
        assert_close(found, exact(radial(k).plain, g, x, parameters), SINGLE)


@every_other_function
def test_far_input_of_other_functions(function: Function) -> None:
    parameters = parameters_of(function, 1, 3)
    x = torch.tensor([1e4, -1e4, *parameters[-1].flatten().tolist()], device=DEVICE)
    g = torch.randn(x.shape).to(DEVICE)
    found = fast(function, g, x, parameters)
    assert_close(found, exact(function.plain, g, x, parameters), SINGLE)


@pytest.mark.parametrize("function", [radial(2), *OTHERS], ids=lambda f: f.name)
def test_nan_stays_nan_and_stays_where_it_is(function: Function) -> None:
    parameters = parameters_of(function, 3, 3)
    x = torch.randn(5, 3, 2, device=DEVICE)
    x[1, 2, 0] = float("nan")
    y, g_x, *_ = fast(function, torch.ones_like(x), x, parameters)
    assert torch.equal(y.isnan(), x.isnan())
    assert not g_x[~x.isnan()].isnan().any()
    g = torch.where(x.isnan(), x, 1.0)
    _, g_x, *g_parameters = fast(function, g, x, parameters)
    assert torch.equal(g_x.isnan(), g.isnan())
    for gradient in g_parameters:
        assert not gradient[:2].isnan().any()
        assert gradient[2].isnan().any()


@pytest.mark.parametrize("place", ["layer", "channel", "channels-last"])
@pytest.mark.parametrize("function", [radial(4), HERMITE, APL, PADE], ids=lambda f: f.name)
def test_equal_inputs_give_equal_bits(function: Function, place: str) -> None:
    parameters = parameters_of(function, LAYOUTS[place][0], 3)
    x = LAYOUTS[place][1]().to(DEVICE)
    g = torch.randn_like(x)
    assert equal_bits(*(fast(function, g, x, parameters) for _ in range(2)))


@pytest.mark.parametrize("place", ["layer", "channel", "channels-last"])
def test_offsets_of_64_bits(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setattr(layout, "WIDE", 1)
    check(radial(3), place, 2)


def test_gradient_of_another_memory_format() -> None:
    f, parameters = radial(3), parameters_of(radial(3), 3, 2)
    x = torch.randn(4, 3, 2, 5, device=DEVICE)
    g = torch.randn(x.shape).to(DEVICE)
    plain = fast(f, g, x, parameters)
    for other in (g.to(memory_format=torch.channels_last), g.double()):
        assert equal_bits(plain, fast(f, other, x, parameters))
    ones = fast(f, torch.ones_like(x), x, parameters)
    expanded = fast(f, torch.ones((), device=DEVICE).expand(x.shape), x, parameters)
    assert equal_bits(ones, expanded)


def test_other_dtypes_are_refused() -> None:
    beta = torch.ones(1, device=DEVICE)
    with pytest.raises(ValueError, match=r"float32, bfloat16 or float16, got torch\.float64"):
        backend.forward(SWISH, torch.zeros(3, dtype=torch.float64, device=DEVICE), [beta])


def test_full_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block sizes of real use, on a few blocks and a remainder."""
    monkeypatch.undo()
    check(radial(3), "layer", 3)
    parameters = parameters_of(radial(3), 1, 3)
    x, g = torch.randn(2, 2500, device=DEVICE)
    found = fast(radial(3), g, x, parameters)
    assert_close(found, exact(radial(3).plain, g, x, parameters), SINGLE)


class TestRowsOfTheirOwn:
    """Rows of unequal k and s, padded to the longest (maths of the fused populations)."""

    def test_each_row_is_its_own_function(self) -> None:
        orders = torch.tensor([1, 2, 3, 4, 5, 6], device=DEVICE)
        lengths = [5, 2, 3, 4, 2, 3]
        c_x, w, v = parameters_of(radial(6), 6, 5)
        present = torch.arange(5, device=DEVICE) < torch.tensor(lengths, device=DEVICE)[:, None]
        c_x, w = c_x * present, w * present
        x = torch.randn(7, 6, 3, device=DEVICE)
        x[0, :, 0] = c_x[:, 1]
        g = torch.randn(x.shape).to(DEVICE)
        parameters = c_x, w, v
        y, _ = backend.forward(radial(6), x, parameters, orders)
        g_x, found = backend.backward(radial(6), g, x, parameters, orders, present)
        for row, (k, s) in enumerate(zip(orders.tolist(), lengths, strict=True)):
            own = (c_x[row : row + 1, :s], w[row : row + 1, :s], v[row : row + 1])
            x_row, g_row = x[:, row], g[:, row]
            assert_close(
                [y[:, row], g_x[:, row], *(t[row : row + 1, :s] for t in found)],
                exact(radial(k).plain, g_row, x_row, own),
                SINGLE,
            )
            assert not found[0][row, s:].any()
            assert not found[1][row, s:].any()

    def test_equal_rows_are_the_homogeneous_kernel(self) -> None:
        parameters = parameters_of(radial(4), 3, 3)
        x, g = torch.randn(2, 5, 3, 4, device=DEVICE)
        orders = torch.full((3,), 4, device=DEVICE)
        y, _ = backend.forward(radial(4), x, parameters, orders)
        g_x, gradients = backend.backward(radial(4), g, x, parameters, orders)
        own = [y, g_x, *gradients]
        for one, other in zip(fast(radial(4), g, x, parameters), own, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-5)


def test_the_kernels_compile_for_a_gpu_that_is_not_there(tmp_path: Path) -> None:
    """The interpreter accepts code that the compiler refuses; compiling for sm_90 needs no GPU."""
    environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path)}
    environment.pop("TRITON_INTERPRET", None)
    script = Path(__file__).with_name("compile_gpu_kernels.py")
    done = subprocess.run(
        [sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "kernels compiled for sm_90" in done.stdout
