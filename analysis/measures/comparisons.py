"""Differences between levels of a parameter, and maps over two of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.values import CONFIGURATION, SETTING, At, independent, values
from analysis.statistics.deviations import cell_intervals, share_deviation
from analysis.statistics.intervals import Contrast, contrast, holm, probability_smaller
from analysis.store.errors import unknown_name
from analysis.store.results import Results

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Cell:
    """Runs that differ in nothing but their seed, or in nothing that is asked about."""

    sample: np.ndarray
    """The measured values."""
    diverged: int = 0
    censored: int = 0
    missing: int = 0
    run_ids: tuple[str, ...] = ()
    """All runs of the cell, whatever became of them."""

    @property
    def ranked(self) -> np.ndarray:
        """The values with a diverged run as infinity: worse than any that ended."""
        return np.append(self.sample, np.full(self.diverged, math.inf))


def cells(frame: pd.DataFrame, columns: Sequence[str]) -> dict[Key, Cell]:
    """Return the runs of a frame of `values`, grouped by the columns, each run once."""
    once = independent(frame)
    groups = once.groupby(list(columns), observed=True, dropna=False, sort=True)
    return {key: cell(group) for key, group in groups}


def cell(group: pd.DataFrame) -> Cell:
    """Return the rows of a frame of `values` as one cell."""
    return cell_of(*(np.asarray(group[name]) for name in ("value", "outcome", "run_id")))


def cell_of(value: np.ndarray, outcome: np.ndarray, run_id: np.ndarray) -> Cell:
    """Return runs as one cell, (runs,) each."""
    lost = {word: int((outcome == word).sum()) for word in ("diverged", "censored", "missing")}
    ended = value[outcome == "measured"].astype("float64")
    return Cell(ended, run_ids=tuple(sorted(map(str, run_id))), **lost)


def compare(
    results: Results | pd.DataFrame,
    by: str,
    baseline: object = None,
    *,
    within: Sequence[str] | None = None,
    metric: str = "val_error_percent",
    at: At = "last",
    margin: float | None = None,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Return the difference of means between levels of one column of the configuration.

    Benchmarks, validation sets and budgets are never mixed: each has its own rows. Where other
    columns differ too, the difference is taken between runs that agree in them, and averaged
    over their combinations (a factorial contrast). All cells share one deviation, but for those
    whose scatter is plainly another, which keep theirs (Welch).

    Args:
        results: what `load` returned, or some rows of `values`.
        by: the column whose levels are compared.
        baseline: the level that others are compared with; None: every pair.
        within: columns that both sides must agree in; None: all that differ and that every run
            has. `()`: none, so that all runs of a level are one cell.
        metric: as in `values`; unused where rows are given.
        at: likewise.
        margin: if given, whether a difference is within ±margin (TOST at `alpha`).
        alpha: level; intervals have confidence 1 - alpha.

    Returns:
        For each pair, `difference` = mean(level) - mean(reference) with `low` and `high`, `p` and
        Holm's `p_holm`, `p_better` (how often a run of the level has the smaller value, diverged
        ones being worst), `blocks` averaged over, `n` and failures of both sides, and whether
        their deviation was `pooled`.

    Raises:
        ValueError: an unknown column or level, or no two levels to compare.
    """
    frame = values(results, metric, at) if isinstance(results, Results) else results
    for column in (by, *(within or ())):
        if column not in CONFIGURATION:
            raise ValueError(unknown_name("column of the configuration", column, CONFIGURATION))
    frame = frame[frame[by].notna()]
    levels = sorted(frame[by].unique().tolist())
    if len(levels) < 2:
        raise ValueError(f"nothing to compare: {by} has {len(levels)} level in these runs")
    if baseline is not None and baseline not in levels:
        raise ValueError(f"no runs with {by} = {baseline}: there is {', '.join(map(str, levels))}")
    others = _blocking(frame, by) if within is None else list(within)
    rows: list[dict[str, object]] = []
    for setting, group in frame.groupby(list(SETTING), observed=True):
        rows += _setting_rows(setting, group, by, baseline, others, margin, alpha)
    if not rows:
        raise ValueError(
            f"no two levels of {by} agree in {', '.join(others)}: pass within=() to compare "
            "all runs of each level"
        )
    return pd.DataFrame(rows)


def surface(
    results: Results | pd.DataFrame,
    x: str = "s",
    y: str = "k",
    *,
    metric: str = "val_error_percent",
    at: At = "last",
) -> pd.DataFrame:
    """Return the mean over two columns of the configuration, for each setting and activation.

    Returns:
        A row a cell: `mean` with its 95 % t interval (`low`, `high`; cells of one setting and
        activation share their deviation, but for those whose scatter is another), `n`,
        `n_diverged`, `n_censored`, `n_missing`, and `configurations`: how many are averaged, 1
        where nothing but x and y differs.

    Raises:
        ValueError: an unknown column, or no run that has both.
    """
    frame = values(results, metric, at) if isinstance(results, Results) else results
    for column in (x, y):
        if column not in CONFIGURATION:
            raise ValueError(unknown_name("column of the configuration", column, CONFIGURATION))
    frame = independent(frame[frame[x].notna() & frame[y].notna()])
    if frame.empty:
        raise ValueError(f"no run has both {x} and {y}")
    group_columns = [*SETTING, *(["activation"] if "activation" not in (x, y) else [])]
    rows = []
    for key, group in frame.groupby(group_columns, observed=True):
        found = cells(group, [x, y])
        intervals = cell_intervals([c.sample for c in found.values()])
        configurations = group.groupby([x, y], observed=True)["config_id"].nunique()
        for (place, c), interval in zip(found.items(), intervals, strict=True):
            rows.append(
                dict(zip((*group_columns, x, y), (*key, *place), strict=True))
                | {
                    "mean": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    **_counts(c),
                    "configurations": int(configurations[place]),
                }
            )
    return pd.DataFrame(rows)


def _blocking(frame: pd.DataFrame, by: str) -> list[str]:
    """Name the other columns that differ and that apply to every run."""
    others = [name for name in CONFIGURATION if name != by and frame[name].notna().all()]
    return [name for name in others if frame[name].nunique() > 1]


def _setting_rows(
    setting: Key,
    frame: pd.DataFrame,
    by: str,
    baseline: object,
    others: list[str],
    margin: float | None,
    alpha: float,
) -> list[dict[str, object]]:
    found = cells(frame, [by, *others])
    shared = dict(zip(found, share_deviation([c.sample for c in found.values()]), strict=True))
    levels = sorted({key[0] for key in found})
    if baseline is None:
        pairs = [(level, reference) for reference, level in combinations(levels, 2)]
    else:
        pairs = [(level, baseline) for level in levels if level != baseline]
    rows = []
    for level, reference in pairs:
        blocks = _common_blocks(found, level, reference)
        if blocks:
            row = _pair(found, shared, level, reference, blocks, margin, alpha)
            rows.append(dict(zip(SETTING, setting, strict=True)) | row)
    adjusted = holm([float(str(row["p"])) for row in rows])
    return [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]


def _common_blocks(found: dict[Key, Cell], level: object, reference: object) -> list[Key]:
    """Return the combinations of other columns in which both levels have measured runs."""
    of = [
        {key[1:] for key, c in found.items() if key[0] == side and len(c.sample)}
        for side in (level, reference)
    ]
    return sorted(of[0] & of[1])


def _pair(
    found: dict[Key, Cell],
    shared: dict[Key, bool],
    level: object,
    reference: object,
    blocks: list[Key],
    margin: float | None,
    alpha: float,
) -> dict[str, object]:
    weights = {(level, *block): 1 / len(blocks) for block in blocks}
    weights |= {(reference, *block): -1 / len(blocks) for block in blocks}
    found_contrast = contrast(
        [c.sample for c in found.values()],
        [weights.get(key, 0.0) for key in found],
        list(shared.values()),
    )
    sides = [[found[(side, *block)] for block in blocks] for side in (level, reference)]
    better = [probability_smaller(a.ranked, b.ranked) for a, b in zip(*sides, strict=True)]
    return {
        "level": level,
        "reference": reference,
        **_interval_columns(found_contrast, margin, alpha),
        "p_better": float(np.mean(better)),
        "blocks": len(blocks),
        **_counts(*sides[0]),
        **{f"reference_{name}": n for name, n in _counts(*sides[1]).items()},
        "pooled": all(shared[key] for key in weights),
    }


def _interval_columns(
    found: Contrast, margin: float | None, alpha: float
) -> dict[str, float | bool]:
    interval = found.interval(1 - alpha)
    columns: dict[str, float | bool] = {
        "difference": found.estimate,
        "low": interval.low,
        "high": interval.high,
        "p": found.p_value(),
    }
    if margin is not None:
        columns["within_margin"] = found.equivalence_p(margin) < alpha
    return columns


def _counts(*found: Cell) -> dict[str, int]:
    return {
        "n": sum(len(c.sample) for c in found),
        "n_diverged": sum(c.diverged for c in found),
        "n_censored": sum(c.censored for c in found),
        "n_missing": sum(c.missing for c in found),
    }
