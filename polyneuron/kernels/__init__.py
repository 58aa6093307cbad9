"""Eq. 1, its natural-spline form and their rivals over whole tensors: checked, and fast."""

from torch import Tensor

from polyneuron.basis import check_order
from polyneuron.kernels.hermite.formula import HERMITE
from polyneuron.kernels.operators import apply
from polyneuron.kernels.radial.formula import radial


def evaluate(x: Tensor, c_x: Tensor, w: Tensor, v: Tensor, k: int) -> Tensor:
    """Eq. 1: y = sum_i w_i U_k(|x - c_i|) + v_0 x + v_1.

    Half precision computes in float32. Elsewhere the coefficients are taken in x's dtype.

    Args:
        x: any shape with A = 1; (N, C, ...) with A = C or A = the elements of a sample.
        c_x: control points (A, s).
        w: weights (A, s).
        v: slope and offset (A, 2).
        k: order of U_k, at least 1.

    Returns:
        y in x's shape and dtype.

    Raises:
        ValueError: the shapes do not fit, or k is not an integer of at least 1.
    """
    check_order(k)
    if c_x.ndim != 2 or w.shape != c_x.shape or v.shape != (c_x.shape[0], 2):
        raise ValueError(
            "c_x and w must be (A, s) and v (A, 2), got"
            f" {tuple(c_x.shape)}, {tuple(w.shape)} and {tuple(v.shape)}"
        )
    return apply(radial(k), x, (c_x, w, v))


def evaluate_hermite(x: Tensor, c_x: Tensor, c_y: Tensor, m: Tensor) -> Tensor:
    """Value at x of the cubic Hermite spline with straight tails.

    Args:
        x: as for `evaluate`.
        c_x: knots (A, s), ascending.
        c_y: values (A, s) at the knots.
        m: slopes (A, s) at the knots.

    Returns:
        y in x's shape and dtype.
    """
    return apply(HERMITE, x, (c_x, c_y, m))


__all__ = ["evaluate", "evaluate_hermite"]
