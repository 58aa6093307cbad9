import numpy as np
import pytest

from analysis.measures.curves import evaluate, sensitivity, slope

C_X, W = np.array([-1.0, 0, 1]), np.array([0.125, -0.25, 0.125])


def test_the_papers_start_lies_on_relu_at_its_control_points():
    y = evaluate(C_X, C_X, W, np.float64(0.5), np.float64(-0.25), 3)
    np.testing.assert_allclose(y, [0, 0, 1], atol=1e-12)


def test_its_tails_have_the_slopes_of_the_specification():
    """-1/4 on the left and 5/4 on the right, everywhere beyond the outermost points."""
    x = np.array([-5.0, -1.0, 1.0, 5.0])
    slopes = slope(x, C_X, W, np.float64(0.5), 3)
    np.testing.assert_allclose(slopes, [-0.25, -0.25, 1.25, 1.25], atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_the_slope_is_the_derivative(k):
    rng = np.random.default_rng(k)
    c_x, w = rng.normal(size=(2, 4, 5))
    v0, v1 = rng.normal(size=(2, 4))
    x, h = rng.normal(size=(4, 7)), 1e-6
    difference = evaluate(x + h, c_x, w, v0, v1, k) - evaluate(x - h, c_x, w, v0, v1, k)
    # central differences: truncation h^2, rounding 1e-16 / h
    np.testing.assert_allclose(slope(x, c_x, w, v0, k), difference / (2 * h), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("k", [2, 4])
def test_even_orders_are_finite_at_a_control_point(k):
    assert np.isfinite(evaluate(C_X, C_X, W, np.float64(0), np.float64(0), k)).all()
    assert np.isfinite(slope(C_X, C_X, W, np.float64(0), k)).all()


@pytest.mark.parametrize("k", [2, 3])
def test_the_sensitivity_is_the_norm_of_all_derivatives(k):
    rng = np.random.default_rng(k)
    parameters = np.concatenate([*rng.normal(size=(2, 3)), rng.normal(size=2)])
    x, h = np.array([[-3.0, 3.0]]), 1e-6

    def curve(p):
        return evaluate(x, p[None, :3], p[None, 3:6], p[None, 6], p[None, 7], k)

    steps = [h * unit for unit in np.eye(8)]
    rows = [(curve(parameters + step) - curve(parameters - step)) / (2 * h) for step in steps]
    expected = np.sqrt(np.sum(np.square(rows), axis=0))
    found = sensitivity(x, parameters[None, :3], parameters[None, 3:6], k)
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # central differences
