import math
import re
import warnings

import pytest
import torch

from polyneuron import (
    PolyNeuron,
    PolyNeuronR,
    PolyNeuronWarning,
    SingularSystemError,
    penalties,
    solve_isolated,
)
from polyneuron.initialization import INITS, smooth_relu, start_coefficients, start_points

FAR = torch.tensor([-100.0, 100.0], dtype=torch.float64)


def tail_slopes(activation: PolyNeuron | PolyNeuronR) -> list[float]:
    """Slopes of the first function's tails, k = 3."""
    x = FAR[:, None].repeat(1, activation.functions).requires_grad_()
    (slope,) = torch.autograd.grad(activation.double()(x).sum(), x)
    return list(slope[:, 0].tolist())


@pytest.mark.parametrize("kind", [PolyNeuron, PolyNeuronR])
def test_the_papers_start(kind: type[PolyNeuron | PolyNeuronR]) -> None:
    start = kind()
    assert torch.equal(start.c_x.detach(), torch.tensor([[-1.0, 0.0, 1.0]]))
    assert torch.equal(start.c_y.detach(), torch.tensor([[0.0, 0.0, 1.0]]))
    w, v = start.coefficients()
    assert w.tolist() == [[0.125, -0.25, 0.125]]
    assert v.tolist() == [[0.5, -0.25]]


@pytest.mark.parametrize("kind", [PolyNeuron, PolyNeuronR])
@pytest.mark.parametrize("s", [2, 3, 4, 5, 9])
@pytest.mark.parametrize("k", range(1, 8))
@pytest.mark.parametrize("half_range", [1.0, 3.0])
@pytest.mark.filterwarnings("ignore::polyneuron.PolyNeuronWarning")
@pytest.mark.usefixtures("float64")
def test_relu_like_points_lie_on_the_curve(
    kind: type[PolyNeuron | PolyNeuronR], s: int, k: int, half_range: float
) -> None:
    start = kind(s, k, half_range=half_range)
    expected = torch.linspace(-half_range, half_range, s)
    torch.testing.assert_close(start.c_x.detach()[0], expected, rtol=0, atol=1e-15)
    # Eq. 1 rounds terms of up to w 6^7.
    torch.testing.assert_close(start(expected), torch.relu(expected), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("s", "slopes"),
    [
        (3, (-0.25, 1.25)),
        (5, (0.0714, 0.9286)),
        (7, (-0.0192, 1.0192)),
        (9, (0.0052, 0.9948)),
        (17, (0.0, 1.0)),
    ],
)
@pytest.mark.parametrize("half_range", [0.5, 1.0, 2.5])
def test_relu_like_tail_slopes_do_not_depend_on_the_range(
    s: int, slopes: tuple[float, float], half_range: float
) -> None:
    # Four digits are known.
    assert tail_slopes(PolyNeuron(s, half_range=half_range)) == pytest.approx(slopes, abs=6e-5)


def test_an_even_s_misses_the_kink() -> None:
    with pytest.warns(PolyNeuronWarning, match="s = 4 is even: no control point lies at ReLU's"):
        start = PolyNeuron(4)
    x = torch.linspace(-1, 1, 2001)
    deviation = (start(x) - torch.relu(x)).abs().max()
    assert float(deviation.detach()) == pytest.approx(0.117, abs=1e-3)


@pytest.mark.parametrize("kind", [PolyNeuron, PolyNeuronR])
@pytest.mark.parametrize("s", [3, 5, 9])
@pytest.mark.parametrize("half_range", [1.0, 2.0])
@pytest.mark.usefixtures("float64")
def test_smooth_relu_has_the_tails_of_relu(
    kind: type[PolyNeuron | PolyNeuronR], s: int, half_range: float
) -> None:
    start = kind(s, init="smooth_relu", half_range=half_range)
    outside = torch.tensor([-50.0, -2.0, -1.0, 1.0, 2.0, 50.0]) * half_range
    # Cancellation of Eq. 1's cubes at 50, for PolyNeuron-R.
    torch.testing.assert_close(start(outside), torch.relu(outside), rtol=0, atol=1e-9)
    inside = torch.linspace(-1, 1, 201) * half_range
    difference = (start(inside) - torch.relu(inside)).detach()
    assert difference.min() > -1e-12
    assert float(difference.max()) == pytest.approx(half_range / 6)
    torch.testing.assert_close(start(inside), smooth_relu(inside, half_range), rtol=0, atol=1e-11)


def test_penalties_and_their_gradients_vanish_at_the_papers_start() -> None:
    start = PolyNeuronR()
    total, product = penalties(start)
    assert total == product == 0
    (total + product).backward()
    assert start.w.grad is not None
    assert start.w.grad.abs().max() == 0


class TestRandomStart:
    def test_is_drawn_from_the_generator_alone(self) -> None:
        def start(seed: int) -> list[torch.Tensor]:
            generator = torch.Generator().manual_seed(seed)
            return list(PolyNeuronR(channels=3, init="random", generator=generator).parameters())

        torch.manual_seed(1)
        state = torch.get_rng_state()
        assert all(torch.equal(a, b) for a, b in zip(start(5), start(5), strict=True))
        assert not any(torch.equal(a, b) for a, b in zip(start(5), start(6), strict=True))
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize("half_range", [0.25, 4.0])
    def test_half_range_scales_the_points_and_neither_weights_nor_line(
        self, half_range: float
    ) -> None:
        def start(half_range: float) -> list[torch.Tensor]:
            generator = torch.Generator().manual_seed(1)
            return list(start_coefficients(50, 5, 3, "random", half_range, generator))

        (c_x, w, v), (c_x_of_1, w_of_1, v_of_1) = start(half_range), start(1.0)
        assert torch.equal(c_x, half_range * c_x_of_1)
        assert torch.equal(w, w_of_1)
        assert torch.equal(v, v_of_1)
        # 250 and 100 draws from N(0, 1) fix its deviation to 4 and 7 %.
        assert float(w.std()) == pytest.approx(1, rel=0.2)
        assert float(v.std()) == pytest.approx(1, rel=0.3)

    def test_half_range_scales_both_coordinates_of_polyneurons_points(self) -> None:
        def start(half_range: float) -> list[torch.Tensor]:
            generator = torch.Generator().manual_seed(1)
            return list(start_points(50, 5, 3, "random", half_range, generator))

        for found, of_1 in zip(start(4.0), start(1.0), strict=True):
            assert torch.equal(found, 4 * of_1)

    def test_functions_differ(self) -> None:
        start = PolyNeuron(channels=4, init="random")
        assert len({tuple(row) for row in start.c_x.tolist()}) == 4

    def test_tail_slopes_of_order_3_are_heavy_tailed(self) -> None:
        """Quantiles known for c_x and c_y from N(0, 1): the instability that the paper reports."""
        start = PolyNeuron(channels=20_000, init="random")
        w, v, singular = solve_isolated(start.c_x, start.c_y, 3)
        assert singular.float().mean() < 1e-3  # a few draws coincide to within 1e-6 of their span
        second = (w * start.c_x**2).sum(1)
        steepest = torch.maximum((v[:, 0] + 3 * second).abs(), (v[:, 0] - 3 * second).abs())
        found = steepest.detach().quantile(torch.tensor([0.5, 0.9, 0.99]))
        # 20,000 draws fix these quantiles to a few per cent, the last to about 10 %.
        assert found.tolist() == pytest.approx([3.5, 21, 200], rel=0.25)
        assert float((steepest > 10).float().mean()) == pytest.approx(0.2, abs=0.02)

    def test_polyneuron_r_starts_with_outputs_of_a_thousand(self) -> None:
        start = PolyNeuronR(channels=20_000, init="random")
        y = start(torch.full((1, 20_000), 10.0)).detach().abs()
        assert float(y.median()) == pytest.approx(1.2e3, rel=0.1)


@pytest.mark.parametrize(
    ("s", "k", "message"),
    [
        (2, 3, "s = 2: the spline through two control points is a straight line"),
        (6, 3, "s = 6 is even"),
        (3, 4, "k = 4: Eq. 2 is singular at some spacings of distinct control points"),
        (3, 6, "k = 6: Eq. 2 is singular"),
    ],
)
@pytest.mark.parametrize("kind", [PolyNeuron, PolyNeuronR])
def test_unsound_choices_warn(
    kind: type[PolyNeuron | PolyNeuronR], s: int, k: int, message: str
) -> None:
    with pytest.warns(PolyNeuronWarning, match=message):
        kind(s, k)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 7])
def test_sound_choices_do_not_warn(k: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for init in INITS:
            PolyNeuron(5, k, init=init)
            PolyNeuronR(5, k, init=init)


@pytest.mark.parametrize("kind", [PolyNeuron, PolyNeuronR])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"s": 1}, "s must be an integer of at least 2, got 1"),
        ({"s": 3.0}, "s must be an integer of at least 2, got 3.0"),
        ({"s": True}, "s must be an integer of at least 2, got True"),
        ({"k": 0}, "k must be an integer of at least 1, got 0"),
        ({"k": 2.5}, "k must be an integer of at least 1, got 2.5"),
        ({"init": "relu"}, "init must be one of relu_like, random, smooth_relu, got 'relu'"),
        ({"half_range": 0}, "half_range must be a finite number above 0, got 0"),
        ({"half_range": math.nan}, "half_range must be a finite number above 0, got nan"),
        ({"half_range": "wide"}, "half_range must be a finite number above 0, got 'wide'"),
        ({"channels": 0}, "channels must be None .* got 0"),
        ({"channels": (3, 0)}, r"channels must be None .* got \(3, 0\)"),
        ({"channels": 2.0}, "channels must be None .* got 2.0"),
        ({"channels": ()}, r"channels must be None .* got \(\)"),
    ],
)
def test_bad_options(
    kind: type[PolyNeuron | PolyNeuronR], options: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**options)


def test_a_start_on_a_singular_scale_is_an_error() -> None:
    message = "Eq. 2 is singular for activation function 0 with k = 4"
    with pytest.raises(SingularSystemError, match=re.escape(message)):
        PolyNeuronR(k=4, half_range=2 ** (-4 / 3))


def test_a_start_that_was_solved_before_is_the_same_and_nobodys_to_change():
    first = start_coefficients(2, 5, 3)
    kept = [tensor.clone() for tensor in first]
    for tensor in first:
        tensor.zero_()
    with torch.inference_mode():
        start_coefficients(2, 7, 3)
    for found, expected in zip(start_coefficients(2, 5, 3), kept, strict=True):
        assert torch.equal(found, expected)
    assert not start_coefficients(2, 7, 3)[1].is_inference()
