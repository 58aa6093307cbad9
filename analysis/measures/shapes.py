"""One number a run about its activation functions: how they moved and how they bend.

The functions of one run are averaged: they share its seed, so they are not independent.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.measures.curves import evaluate, sensitivity, slope
from analysis.measures.groups import rows_of_each
from analysis.store.results import Results

RUN = ["sweep", "run_id"]
FUNCTION = [*RUN, "layer", "function"]
POINT = [*FUNCTION, "point"]

SHOWN_RANGE = 3.0
"""Curves are compared on [-3, 3], where batch-normalised inputs lie."""


def measure(results: Results, runs: pd.DataFrame, name: str) -> pd.Series | None:
    """Return a measure of every run, in the order of `runs`; None if there is none of the name.

    A run without snapshots that the measure needs is NaN.
    """
    if name not in MEASURES:
        return None
    found = MEASURES[name](results, runs)
    keys = pd.MultiIndex.from_frame(runs[RUN].astype(str))
    found.index = pd.MultiIndex.from_tuples(
        [(str(sweep), str(run)) for sweep, run in found.index], names=RUN
    )
    return pd.Series(found.reindex(keys).to_numpy("float64"), index=runs.index)


def shift(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the mean over control points of |c_x at the end - c_x at the start|."""
    start, end = _ends(results.snapshots, runs)
    moved = (end.set_index(POINT)["c_x"] - start.set_index(POINT)["c_x"]).abs()
    return moved.groupby(level=RUN, observed=True).mean().dropna()


def shift_beyond_rise(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return how much further a run's control points moved in x than in y: below 0 if less far.

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
    return ratio[ratio > 0].map(np.log)


def early_share(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the share of the way to the last curve that a quarter of the epochs closes."""
    return _over_epochs(results, runs, lambda config, epochs: epochs, _closed)


def early_share_before_drop(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the same within the epochs before the learning rate first drops."""
    return _over_epochs(results, runs, _first_drop, _closed)


def early_path(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the first quarter's share of the path over the four quarters of the epochs.

    Steps of equal length in epochs: snapshots lie closer at the start, so that a path over all of
    them would follow early wiggles and cut late ones short.
    """
    return _over_epochs(results, runs, lambda config, epochs: epochs, _first_step)


def tail_bend(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return how far the curves leave their tangents at the outermost control points.

    The greatest distance over two spans beyond either edge, over the rise of the steeper tangent
    on that way. 0 for a curve with linear tails.
    """
    functions = _coefficients(results, runs, last=True)

    def bend(c_x: np.ndarray, w: np.ndarray, v0: np.ndarray, v1: np.ndarray, k: int) -> np.ndarray:
        edges = np.stack([c_x.min(-1), c_x.max(-1)], -1)
        span = edges[..., 1] - edges[..., 0]
        slopes = slope(edges, c_x, w, v0, k)
        heights = evaluate(edges, c_x, w, v0, v1, k)
        steps = np.linspace(0, 2, 41) * span[..., None]
        farthest = np.zeros(len(c_x))
        for side, sign in ((0, -1), (1, 1)):
            x = edges[..., side, None] + sign * steps
            tangent = heights[..., side, None] + slopes[..., side, None] * sign * steps
            off = np.abs(evaluate(x, c_x, w, v0, v1, k) - tangent).max(-1)
            farthest = np.maximum(farthest, off)
        rise = np.abs(slopes).max(-1) * 2 * span
        return np.where(rise > 0, farthest / np.where(rise > 0, rise, 1), np.nan)

    return _by_run(functions, bend)


def gap_correlation(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the rank correlation, over a run's edges at its start, of closeness and slope.

    Closeness is -log of an outermost point's distance to its neighbour; the slope is that of the
    tail beyond it, without its sign.
    """
    functions = _coefficients(results, runs, last=False)
    return _edge_correlation(
        functions,
        lambda c_x, w, v0, v1, k: np.abs(
            slope(np.stack([c_x.min(-1), c_x.max(-1)], -1), c_x, w, v0, k)
        ),
    )


def sensitivity_correlation(results: Results, runs: pd.DataFrame) -> pd.Series:
    """Return the rank correlation, over a run's edges at its end, of closeness and sensitivity.

    The sensitivity is the norm of the derivative of y(-3) or y(3), whichever lies beyond the
    edge, by the function's parameters.
    """
    functions = _coefficients(results, runs, last=True)
    places = np.array([[-SHOWN_RANGE, SHOWN_RANGE]])
    return _edge_correlation(functions, lambda c_x, w, v0, v1, k: sensitivity(places, c_x, w, k))


MEASURES: dict[str, Callable[[Results, pd.DataFrame], pd.Series]] = {
    "shift": shift,
    "shift_beyond_rise": shift_beyond_rise,
    "log_span": log_span,
    "early_share": early_share,
    "early_share_before_drop": early_share_before_drop,
    "early_path": early_path,
    "tail_bend": tail_bend,
    "gap_correlation": gap_correlation,
    "sensitivity_correlation": sensitivity_correlation,
}


def _ends(points: pd.DataFrame, runs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows at the start and after the last planned epoch."""
    planned = runs[[*RUN, "epochs_planned"]]
    wanted = {0, *planned["epochs_planned"].unique()}  # a tenth of the rows: joins take the time
    joined = points[points["epoch"].isin(wanted)].merge(planned, on=RUN)
    return joined[joined["epoch"] == 0], joined[joined["epoch"] == joined["epochs_planned"]]


def _coefficients(results: Results, runs: pd.DataFrame, last: bool) -> list[tuple]:
    """Return every spline at its run's start or end, those of one order and size together.

    As (runs, c_x, w, v0, v1, k): an index (n,), then arrays (n, s) or (n,).
    """
    points = _ends(results.snapshots, runs)[last]
    linear = results.functions[[*FUNCTION, "epoch", "v0", "v1"]]
    joined = points.merge(linear, on=[*FUNCTION, "epoch"]).merge(runs[[*RUN, "k"]], on=RUN)
    joined = joined[joined["k"].notna()].sort_values([*FUNCTION, "point"])
    joined["s"] = joined.groupby(FUNCTION, observed=True)["point"].transform("size")
    found = []
    for _, rows in joined.groupby(["k", "s"]):
        k, s = (int(rows[name].iloc[0]) for name in ("k", "s"))
        first = rows.iloc[::s]
        c_x, w = (rows[name].to_numpy("float64").reshape(-1, s) for name in ("c_x", "w"))
        v0, v1 = (first[name].to_numpy("float64") for name in ("v0", "v1"))
        found.append((pd.MultiIndex.from_frame(first[RUN].astype(str)), c_x, w, v0, v1, k))
    return found


Shape = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]


def _by_edge(functions: list[tuple], shape: Shape) -> pd.Series:
    """Return a shape's values, one or two a function, each under its run."""
    found = [pd.Series(dtype="float64", index=pd.MultiIndex.from_tuples([], names=RUN))]
    for of_runs, *coefficients in functions:
        made = shape(*coefficients).reshape(len(of_runs), -1)
        found.append(pd.Series(made.ravel(), of_runs.repeat(made.shape[1])))
    return pd.concat(found)


def _by_run(functions: list[tuple], shape: Shape) -> pd.Series:
    """Return the mean of a shape over each run's functions."""
    return _by_edge(functions, shape).groupby(level=RUN).mean().dropna()


def _edge_correlation(functions: list[tuple], shape: Shape) -> pd.Series:
    """Return each run's rank correlation, over its functions' edges, of closeness with a shape."""
    closeness = _by_edge(functions, lambda c_x, w, v0, v1, k: -np.log(_edge_gaps(c_x)))
    pairs = pd.DataFrame({"closeness": closeness, "shape": _by_edge(functions, shape)}).dropna()
    by_run = pairs.groupby(level=RUN)
    off = by_run.rank() - by_run.rank().groupby(level=RUN).transform("mean")
    products = off.prod(axis=1).groupby(level=RUN).sum()
    squares = (off**2).groupby(level=RUN).sum().prod(axis=1)
    ranked = (by_run.nunique() > 2).all(axis=1)
    return (products / np.sqrt(squares))[ranked]


def _edge_gaps(c_x: np.ndarray) -> np.ndarray:
    """Return the distance of each outermost point to its neighbour, (..., 2)."""
    gaps = np.diff(np.sort(c_x, -1), axis=-1)
    return np.stack([gaps[..., 0], gaps[..., -1]], -1)


def _first_drop(config: dict, epochs: int) -> int:
    """Return after how many epochs the rate first drops: halves round up, as in training."""
    drops = config["recipe"]["drop_at"]
    return int(np.floor(min(drops) * epochs + 0.5)) if drops else epochs


def _over_epochs(
    results: Results,
    runs: pd.DataFrame,
    end_of: Callable[[dict, int], int],
    share_of: Callable[[_History, int], float],
) -> pd.Series:
    """Return the mean over each run's functions of a share of what they do up to an epoch."""
    functions = results.functions
    functions = functions[functions["run_id"].isin(runs["run_id"])].sort_values(
        [*FUNCTION, "epoch"]
    )
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
            shares.setdefault(run, []).append(share_of(history, ends[run]))
    means = {run: np.nanmean(found) for run, found in shares.items() if not np.isnan(found).all()}
    return pd.Series(means, dtype="float64")


@dataclass(frozen=True)
class _History:
    """One function's curves at its snapshots, by epoch."""

    epochs: np.ndarray
    curve_x: np.ndarray
    curve_y: np.ndarray

    def quarters(self, end: int) -> np.ndarray | None:
        """Return it on [-3, 3] at the start and after each quarter of the epochs, (5, points).

        Of a quarter without a snapshot at its end the last one before counts, which makes early
        changes look smaller. None without one at the start and at the end.
        """
        if end not in self.epochs or self.epochs[0] != 0:
            return None
        places = np.searchsorted(self.epochs, [end * part / 4 for part in range(5)], "right") - 1
        inside = np.abs(np.asarray(self.curve_x[places[-1]])) <= SHOWN_RANGE
        return np.stack([np.asarray(self.curve_y[p], dtype="float64")[inside] for p in places])


def _closed(history: _History, end: int) -> float:
    """Return 1 - |f_quarter - f_end| / |f_start - f_end|; NaN for a curve that never moved."""
    curves = history.quarters(end)
    if curves is None:
        return np.nan
    first, quarter, last = curves[[0, 1, 4]]
    way = np.linalg.norm(first - last)
    return float(1 - np.linalg.norm(quarter - last) / way) if way > 0 else np.nan


def _first_step(history: _History, end: int) -> float:
    curves = history.quarters(end)
    if curves is None:
        return np.nan
    steps = np.linalg.norm(np.diff(curves, axis=0), axis=1)
    return float(steps[0] / steps.sum()) if steps.sum() > 0 else np.nan
