"""Measures of activation functions, one number per run: how they moved and how they bend.

The functions of one run are averaged: they share its seed, so they are not independent.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.measures.curves import evaluate, sensitivity, slope
from analysis.measures.rows import rows_of_each
from analysis.measures.values import RUN, in_order_of
from analysis.statistics.intervals import Floats
from analysis.store.results import Results

FUNCTION = [*RUN, "layer", "function"]
POINT = [*FUNCTION, "point"]

SHOWN_RANGE = 3.0
"""Curves are compared on [-3, 3], where batch-normalised inputs lie."""


def measure(results: Results, runs: pd.DataFrame, name: str) -> pd.Series | None:
    """Return a measure of every run, in the order of `runs`; None if no measure has the name.

    A run without the snapshots that the measure needs is NaN.
    """
    if name not in MEASURES:
        return None
    return in_order_of(runs, MEASURES[name].of(results, runs))


def shift(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the mean over control points of |c_x at the end - c_x at the start|."""
    start, end = _ends(results.snapshots, runs)
    moved = (end.set_index(POINT)["c_x"] - start.set_index(POINT)["c_x"]).abs()
    return moved.groupby(level=RUN, observed=True).mean().dropna()


def shift_beyond_rise(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return how much further control points moved in x than in y; below 0: less far.

    The mean of |c_x at the end - c_x at the start| less the root mean square of c_y's change.
    """
    start, end = (rows.set_index(POINT) for rows in _ends(results.snapshots, runs))
    moved = (end["c_x"] - start["c_x"]).abs().groupby(level=RUN, observed=True).mean()
    risen = ((end["c_y"] - start["c_y"]) ** 2).groupby(level=RUN, observed=True).mean()
    return (moved - risen.map(np.sqrt)).dropna()


def log_span(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the logarithm of the outermost points' mean |c_x| at the end over the start's."""
    sizes = []
    for points in _ends(results.snapshots, runs):
        by_function = points.groupby(FUNCTION, observed=True)["c_x"]
        outermost = (by_function.min().abs() + by_function.max().abs()) / 2
        sizes.append(outermost.groupby(level=RUN, observed=True).mean())
    start, end = sizes
    ratio = (end / start).dropna()
    return ratio[ratio > 0].map(np.log)  # points that ended at 0 have no logarithm


def early_share(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the share of the way to the last curve that a quarter of the epochs closes."""
    return _over_epochs(results, runs, lambda config, epochs: epochs, _closed)


def early_share_before_drop(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return `early_share` within the epochs before the learning rate first drops."""
    return _over_epochs(results, runs, _first_drop, _closed)


def early_path(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the first quarter's share of the path over the four quarters of the epochs."""
    # Quarters are steps of equal length. Snapshots lie closer at the start, so that a path over
    # all of them would follow early wiggles and cut late ones short.
    return _over_epochs(results, runs, lambda config, epochs: epochs, _first_step)


def tail_bend(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return how far the curves leave their tangents at the outermost control points.

    The greatest distance over two spans beyond either edge, over the rise of the steeper tangent
    on that way. 0 for a curve with linear tails.
    """
    return _by_edge(_splines(results, runs, last=True), _bend).groupby(level=RUN).mean().dropna()


def gap_correlation(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the rank correlation of closeness and steepness over a run's edges at its start.

    Closeness is -log of an outermost point's distance to its neighbour; steepness is the absolute
    slope of the tail beyond the point.
    """
    splines = _splines(results, runs, last=False)
    return _edge_correlation(splines, lambda of: np.abs(of.slopes(of.edges)))


def sensitivity_correlation(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the rank correlation of closeness and sensitivity over a run's edges at its end.

    Closeness as in `gap_correlation`; the sensitivity is that of y(-3) beyond the left edge and
    of y(3) beyond the right one (`analysis.measures.curves.sensitivity`).
    """
    places = np.array([[-SHOWN_RANGE, SHOWN_RANGE]])
    splines = _splines(results, runs, last=True)
    return _edge_correlation(splines, lambda of: sensitivity(places, of.c_x, of.w, of.k))


@dataclass(frozen=True)
class Measure:
    """One number per run, from the results and some rows of `runs`, and its name in print."""

    of: Callable[[Results, pd.DataFrame], pd.Series]
    printed: str
    range: tuple[float, float] = (-math.inf, math.inf)
    """The values that it can take; no interval of its mean is shown to reach beyond."""


MEASURES = {
    "shift": Measure(shift, "shift of the control points"),
    "shift_beyond_rise": Measure(shift_beyond_rise, "shift in x less that in y"),
    "log_span": Measure(log_span, "logarithm of the outermost points' shrinkage"),
    "early_share": Measure(early_share, "share of the change in the first quarter"),
    "early_share_before_drop": Measure(early_share_before_drop, "the same before the rate drops"),
    "early_path": Measure(early_path, "share of the way travelled in the first quarter"),
    "tail_bend": Measure(tail_bend, "bend of the tails"),
    "gap_correlation": Measure(gap_correlation, "rank correlation", (-1.0, 1.0)),
    "sensitivity_correlation": Measure(sensitivity_correlation, "rank correlation", (-1.0, 1.0)),
}


def _ends(points: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows at the start and after the last planned epoch."""
    planned = runs[[*RUN, "epochs_planned"]]
    wanted = {0, *planned["epochs_planned"].unique()}  # a tenth of the rows: joins take the time
    joined = points[points["epoch"].isin(wanted)].merge(planned, on=RUN)
    return joined[joined["epoch"] == 0], joined[joined["epoch"] == joined["epochs_planned"]]


@dataclass(frozen=True)
class _Splines:
    """Splines of one order k and one number of points s, with the run of each."""

    runs: pd.MultiIndex  # (n,)
    c_x: Floats  # (n, s)
    w: Floats  # (n, s)
    v0: Floats  # (n,)
    v1: Floats  # (n,)
    k: int

    @property
    def edges(self) -> Floats:
        """Places of the outermost control points, (n, 2)."""
        return np.stack([self.c_x.min(-1), self.c_x.max(-1)], -1)

    def heights(self, x: Floats) -> Floats:
        return evaluate(x, self.c_x, self.w, self.v0, self.v1, self.k)

    def slopes(self, x: Floats) -> Floats:
        return slope(x, self.c_x, self.w, self.v0, self.k)


Shape = Callable[[_Splines], Floats]
"""One or two numbers per spline, (n,) or (n, 2)."""


def _splines(results: Results, runs: pd.DataFrame, last: bool) -> list[_Splines]:
    """Return every spline at its run's start, or at its end if `last`."""
    points = _ends(results.snapshots, runs)[last]
    linear = results.functions[[*FUNCTION, "epoch", "v0", "v1"]]
    joined = points.merge(linear, on=[*FUNCTION, "epoch"]).merge(runs[[*RUN, "k"]], on=RUN)
    joined = joined[joined["k"].notna()].sort_values([*FUNCTION, "point"])
    joined["s"] = joined.groupby(FUNCTION, observed=True)["point"].transform("size")
    found = []
    for _, rows in joined.groupby(["k", "s"]):
        k, s = (int(rows[name].iloc[0]) for name in ("k", "s"))
        first = rows.iloc[::s]  # the s points of a function follow each other
        c_x, w = (rows[name].to_numpy("float64").reshape(-1, s) for name in ("c_x", "w"))
        v0, v1 = (first[name].to_numpy("float64") for name in ("v0", "v1"))
        found.append(_Splines(pd.MultiIndex.from_frame(first[RUN].astype(str)), c_x, w, v0, v1, k))
    return found


def _by_edge(splines: list[_Splines], shape: Shape) -> pd.Series:
    """Return a shape's values, one or two per spline, each under its run."""
    columns = [pd.Series(dtype="float64", index=pd.MultiIndex.from_tuples([], names=RUN))]
    for some in splines:
        made = shape(some).reshape(len(some.runs), -1)
        columns.append(pd.Series(made.ravel(), some.runs.repeat(made.shape[1])))
    found: pd.Series = pd.concat(columns)
    return found


def _bend(of: _Splines) -> Floats:
    """Return how far each curve leaves its tangents, (n,), as `tail_bend` says."""
    edges = of.edges
    span = edges[..., 1] - edges[..., 0]
    slopes, heights = of.slopes(edges), of.heights(edges)
    steps = np.linspace(0, 2, 41) * span[..., None]
    farthest = np.zeros(len(of.c_x))
    for side, sign in ((0, -1), (1, 1)):  # 0 is the left edge, whose tail runs to the left
        x = edges[..., side, None] + sign * steps
        tangent = heights[..., side, None] + slopes[..., side, None] * sign * steps
        farthest = np.maximum(farthest, np.abs(of.heights(x) - tangent).max(-1))
    rise = np.abs(slopes).max(-1) * 2 * span
    return np.where(rise > 0, farthest / np.where(rise > 0, rise, 1), np.nan)


def _edge_correlation(splines: list[_Splines], shape: Shape) -> pd.Series:
    """Return each run's rank correlation of closeness with a shape (Spearman 1904)."""
    closeness = _by_edge(splines, lambda of: -np.log(_edge_gaps(of.c_x)))
    pairs = pd.DataFrame({"closeness": closeness, "shape": _by_edge(splines, shape)}).dropna()
    by_run = pairs.groupby(level=RUN)
    off = by_run.rank() - by_run.rank().groupby(level=RUN).transform("mean")
    products = off.prod(axis=1).groupby(level=RUN).sum()
    squares = (off**2).groupby(level=RUN).sum().prod(axis=1)
    ranked = (by_run.nunique() > 2).all(axis=1)  # two ranks correlate with 1 or -1 by chance
    found: pd.Series = (products / np.sqrt(squares))[ranked]
    return found


def _edge_gaps(c_x: Floats) -> Floats:
    """Return the distance of each outermost point to its neighbour, (..., 2)."""
    gaps = np.diff(np.sort(c_x, -1), axis=-1)
    return np.stack([gaps[..., 0], gaps[..., -1]], -1)


def _first_drop(config: Mapping[str, Any], epochs: int) -> int:
    """Return the number of epochs before the rate first drops; without a drop all."""
    return int(min(config["recipe"]["drop_at"], default=epochs))


@dataclass(frozen=True)
class _History:
    """One function's curves at its snapshots, by epoch."""

    epochs: npt.NDArray[np.int64]
    curve_x: np.ndarray
    """An array of places for each epoch."""
    curve_y: np.ndarray
    """An array of heights for each epoch."""

    def quarters(self, end: int) -> Floats | None:
        """Return the curve on [-3, 3] at the start and after each quarter of the epochs.

        A quarter without a snapshot at its end takes the last one before, which makes early
        changes look smaller.

        Returns:
            Heights, (5, points); None without snapshots at the start and at the end.
        """
        if end not in self.epochs or self.epochs[0] != 0:
            return None
        places = np.searchsorted(self.epochs, [end * part / 4 for part in range(5)], "right") - 1
        inside = np.abs(np.asarray(self.curve_x[places[-1]])) <= SHOWN_RANGE
        return np.stack([np.asarray(self.curve_y[p], dtype="float64")[inside] for p in places])


def _over_epochs(
    results: Results,
    runs: pd.DataFrame,
    end_of: Callable[[Mapping[str, Any], int], int],
    share_of: Callable[[Floats], float],
) -> pd.Series:
    """Return the mean over each run's functions of a share of their way up to an epoch.

    Args:
        results: has the functions' curves.
        runs: rows of `runs`.
        end_of: from a run's configuration and planned epochs, the epoch at which the way ends.
        share_of: the share, from a function's `_History.quarters`.
    """
    functions = results.functions
    functions = functions[functions["run_id"].isin(runs["run_id"])]
    functions = functions.sort_values([*FUNCTION, "epoch"])
    ends = {
        (str(sweep), str(run)): end_of(json.loads(text), int(planned))
        for sweep, run, text, planned in runs[[*RUN, "config_json", "epochs_planned"]].itertuples(
            index=False
        )
    }
    own = {name: np.asarray(functions[name]) for name in (*RUN, "epoch", "curve_x", "curve_y")}
    shares: dict[tuple[str, str], list[float]] = {}
    for rows in rows_of_each(functions, FUNCTION):
        run = (str(own["sweep"][rows[0]]), str(own["run_id"][rows[0]]))
        if run in ends:
            history = _History(*(own[name][rows] for name in ("epoch", "curve_x", "curve_y")))
            curves = history.quarters(ends[run])
            shares.setdefault(run, []).append(np.nan if curves is None else share_of(curves))
    means = {run: np.nanmean(found) for run, found in shares.items() if not np.isnan(found).all()}
    index = pd.MultiIndex.from_tuples(list(means), names=RUN)
    return pd.Series(list(means.values()), index=index, dtype="float64")


def _closed(quarters: Floats) -> float:
    """Return 1 - |f_quarter - f_end| / |f_start - f_end|; NaN for a curve that never moved."""
    first, quarter, last = quarters[[0, 1, 4]]
    way = np.linalg.norm(first - last)
    return float(1 - np.linalg.norm(quarter - last) / way) if way > 0 else np.nan


def _first_step(quarters: Floats) -> float:
    """Return the first quarter's share of the path; NaN for a curve that never moved."""
    steps = np.linalg.norm(np.diff(quarters, axis=0), axis=1)
    return float(steps[0] / steps.sum()) if steps.sum() > 0 else np.nan
