"""Differences between levels of a parameter, and maps of means over two parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from analysis.measures.apart import apart
from analysis.measures.cells import Cell, Family, Key, cells, counts
from analysis.measures.values import CONFIGURATION, SETTING, At, independent, values
from analysis.statistics.deviations import cell_intervals
from analysis.statistics.intervals import Contrast, holm, probability_smaller
from analysis.store.errors import unknown_name
from analysis.store.results import Results


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

    Benchmarks, validation sets and budgets are never mixed, nor training codes, data hashes and
    settings that no column shows: each has its own rows, which `apart` names. Where other
    columns differ too, the difference is taken between runs that agree in them, and averaged
    over their combinations (a factorial contrast). The cells of a pair share one deviation, except
    cells that are plainly more or less scattered, which keep their own (Welch 1947).

    Args:
        results: from `load`, or some rows of `values`.
        by: the column whose levels are compared.
        baseline: the level that others are compared with; None: every pair.
        within: columns that both sides must agree in; None: all that differ and that every run
            has, and settings without a column. `()`: none, so that all runs of a level, of one
            code and data hash, are one cell.
        metric: as in `values`; unused where rows are given.
        at: as in `values`; unused where rows are given.
        margin: adds `within_margin`: the difference is within ±margin by TOST at `alpha`.
        alpha: level; intervals have confidence 1 - alpha.

    Returns:
        One row per pair: `apart` (empty where nothing is kept apart), `difference` =
        mean(level) - mean(reference) with `low` and `high`, `p` and Holm's `p_holm`, `p_better`
        (how often a run of the level has the smaller value, diverged runs being worst), the number
        of `blocks` averaged over, `n` and failures of both sides, and `pooled`: all cells of the
        pair share their deviation.

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
    frame = frame.assign(apart=apart(frame, other_keys=within is None))
    for setting, group in frame.groupby([*SETTING, "apart"], observed=True):
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
    """Return mean values over two columns of the configuration, for each setting and activation.

    Training codes, data hashes and settings that no column shows are kept apart, as by `compare`.

    Args:
        results: from `load`, or some rows of `values`.
        x: a column of the configuration.
        y: another one.
        metric: as in `values`; unused where rows are given.
        at: as in `values`; unused where rows are given.

    Returns:
        One row per cell: `apart` (empty where nothing is kept apart), `mean` with its 95 % t
        interval (`low`, `high`; cells of one setting and activation share their deviation, unless
        plainly more or less scattered), `n`, `n_diverged`, `n_censored`, `n_missing`, and
        `configurations`: the number averaged, 1 if nothing but x and y differs.

    Raises:
        ValueError: an unknown column, or no run that has both.
    """
    frame = values(results, metric, at) if isinstance(results, Results) else results
    for column in (x, y):
        if column not in CONFIGURATION:
            raise ValueError(unknown_name("column of the configuration", column, CONFIGURATION))
    frame = frame[frame[x].notna() & frame[y].notna()]
    if frame.empty:
        raise ValueError(f"no run has both {x} and {y}")
    frame = frame.assign(apart=apart(frame))
    group_columns = [*SETTING, "apart", *(["activation"] if "activation" not in (x, y) else [])]
    rows = []
    for key, group in frame.groupby(group_columns, observed=True):
        group = independent(group)
        found = cells(group, [x, y])
        intervals = cell_intervals([cell.sample for cell in found.values()])
        configurations = group.groupby([x, y], observed=True)["config_id"].nunique()
        for (place, cell), interval in zip(found.items(), intervals, strict=True):
            rows.append(
                dict(zip((*group_columns, x, y), (*key, *place), strict=True))
                | {
                    "mean": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    **counts(cell),
                    "configurations": int(configurations[place]),
                }
            )
    return pd.DataFrame(rows)


def _blocking(frame: pd.DataFrame, by: str) -> list[str]:
    """Return the other columns that differ and that every run has."""
    # a column that some runs do not have cannot be held equal
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
    """Return the rows of one benchmark, validation set and budget."""
    family = Family(cells(frame, [by, *others]))
    levels = sorted({key[0] for key in family.cells})
    if baseline is None:
        pairs = [(level, reference) for reference, level in combinations(levels, 2)]
    else:
        pairs = [(level, baseline) for level in levels if level != baseline]
    rows = [
        dict(zip((*SETTING, "apart"), setting, strict=True))
        | _pair(family, *pair, blocks, margin, alpha)
        for pair in pairs
        if (blocks := _common_blocks(family.cells, *pair))
    ]
    # corrected within the setting: another benchmark's comparisons are another question
    adjusted = holm([float(str(row["p"])) for row in rows])
    return [row | {"p_holm": p} for row, p in zip(rows, adjusted, strict=True)]


def _common_blocks(found: Mapping[Key, Cell], *levels: object) -> list[Key]:
    """Return the combinations of other columns in which all the levels have measured runs."""
    ended = [
        {key[1:] for key, cell in found.items() if key[0] == level and len(cell.sample)}
        for level in levels
    ]
    return sorted(set.intersection(*ended))


def _pair(
    family: Family[Cell],
    level: object,
    reference: object,
    blocks: list[Key],
    margin: float | None,
    alpha: float,
) -> dict[str, object]:
    weights = {(level, *block): 1 / len(blocks) for block in blocks}
    weights |= {(reference, *block): -1 / len(blocks) for block in blocks}
    sides = [[family.cells[side, *block] for block in blocks] for side in (level, reference)]
    better = [probability_smaller(a.ranked, b.ranked) for a, b in zip(*sides, strict=True)]
    return {
        "level": level,
        "reference": reference,
        **_interval_columns(family.contrast(weights), margin, alpha),
        "p_better": float(np.mean(better)),
        "blocks": len(blocks),
        **counts(*sides[0]),
        **{f"reference_{name}": n for name, n in counts(*sides[1]).items()},
        "pooled": family.pooled(weights),
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
