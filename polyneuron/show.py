"""Draw activation functions with their derivatives: `python -m polyneuron.show NAME... --out FILE`.

A NAME may carry options: `polyneuron:s=5,init=smooth_relu`.
"""

from __future__ import annotations

import argparse
import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from polyneuron.activations import activation_names, make_activation
from polyneuron.activations.activation import Activation

if TYPE_CHECKING:
    from jaxtyping import Float
    from matplotlib.figure import Figure

DEFAULT = ("relu", "swish", "apl", "polyneuron", "polyneuron_r:init=smooth_relu", "polyneuron:k=2")
FORMATS = (".png", ".svg", ".pdf")
POINTS = 801
"""Points of a curve: more than a panel has pixels across (3.4 inches of 150)."""


def curve_and_slope(
    activation: Activation, grid: Float[Tensor, " n"]
) -> tuple[Float[Tensor, "A n"], Float[Tensor, "A n"]]:
    """Return the values and first derivatives of all A functions at the points of a grid."""
    # A column per function: one backward pass of the sum gives the slopes of all.
    x = grid[:, None].repeat(1, activation.functions).requires_grad_()
    # In training, an ensemble's curve would depend on the grid.
    training = activation.training
    activation.eval()
    y = activation(x)
    activation.train(training)
    (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach().T, slope.T


def draw(activations: Mapping[str, Activation], low: float = -3.0, high: float = 3.0) -> Figure:
    """Draw a panel for each activation: functions solid, derivatives dashed, points as dots.

    Args:
        activations: each panel's title, and the activation whose A functions it shows.
        low: left end of the x axis.
        high: right end of the x axis.

    Returns:
        The figure, not yet written anywhere.
    """
    # Here, not at the top: polyneuron itself needs torch and numpy alone.
    from matplotlib.figure import Figure

    columns = min(3, len(activations))
    rows = math.ceil(len(activations) / columns)
    figure = Figure(figsize=(3.4 * columns, 2.8 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    grid = torch.linspace(low, high, POINTS, dtype=torch.float64)
    for panel, (title, activation) in zip(panels, activations.items(), strict=False):
        values, slopes = curve_and_slope(activation, grid)
        panel.plot(grid, slopes.T, color="tab:orange", lw=1, ls="--")
        panel.plot(grid, values.T, color="tab:blue", lw=1.8)
        points = activation.points()
        if points is not None:
            c_x, c_y = points
            panel.plot(c_x.detach().T, c_y.detach().T, "o", color="tab:red", ms=5, zorder=3)
        panel.axhline(0, color="0.85", lw=0.8, zorder=0)
        panel.axvline(0, color="0.85", lw=0.8, zorder=0)
        panel.set_title(title, fontsize=9)
    for panel in panels[len(activations) :]:
        panel.remove()
    figure.supxlabel("x  (solid: f, dashed: f', dots: control points)", fontsize=9)
    return figure


def parse_activation(text: str) -> Activation:
    """Return the activation of one function that `name` or `name:option=value,...` describes.

    >>> parse_activation("polyneuron:s=5,k=1")
    PolyNeuron(s=5, k=1, channels=None)

    Raises:
        ValueError: an unknown name or option, or a value out of range.
    """
    name, _, listed = text.partition(":")
    options: dict[str, bool | int | float | str] = {}
    for item in filter(None, listed.split(",")):
        option, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"expected option=value after {name}:, got {item!r}")
        options[option] = _plain_value(value)
    generator = torch.Generator().manual_seed(0)
    return make_activation(name, generator=generator, scope="layer", channels=None, **options)


def _plain_value(text: str) -> bool | int | float | str:
    if text in ("True", "False", "true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, draw the activations, and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m polyneuron.show", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        default=DEFAULT,
        metavar="NAME",
        help=f"an activation to draw: {', '.join(activation_names())}",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("activations.png"),
        help=f"the picture's file, {', '.join(FORMATS)} (default: %(default)s)",
    )
    parser.add_argument("--low", type=float, default=-3.0, help="left end of the x axis")
    parser.add_argument("--high", type=float, default=3.0, help="right end of the x axis")
    given = parser.parse_args(arguments)
    if given.out.suffix not in FORMATS:
        parser.error(f"--out must end in one of {', '.join(FORMATS)}, got {given.out}")
    if not given.low < given.high:
        parser.error(f"--low must be below --high, got {given.low} and {given.high}")
    try:
        figure = draw({name: parse_activation(name) for name in given.names}, given.low, given.high)
        figure.savefig(given.out, dpi=150)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(given.out)


if __name__ == "__main__":
    main()
