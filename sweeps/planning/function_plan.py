"""The plan of a sweep of a training function of the user's own, from its earlier runs alone.

Such a function is not called to find out what it costs: how long a call takes is not known before.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

import analysis
from analysis.printed import count, duration
from analysis.statistics.intervals import pooled_deviation
from analysis.statistics.power import detectable_gap
from analysis.store.errors import StoreError
from analysis.store.statuses import Status
from sweeps.planning.hypotheses import WANTED_POWER, hypotheses_table
from sweeps.spec.search_space import trial_count
from sweeps.spec.sections import SweepSpec


def function_plan(spec: SweepSpec, root: Path, slots: int, width: int) -> RenderableType:
    """Show trials and runs, and, if there are earlier runs, their time and the gap they resolve.

    Args:
        spec: of the sweep.
        root: of earlier sweeps.
        slots: trials at a time on this machine.
        width: characters of a line.
    """
    trials, seeds = trial_count(spec), len(spec.seeds)
    table = Table.grid(padding=(0, 2))
    rows = [("trials", f"{trials}"), ("runs", f"{trials * seeds} ({count(seeds, 'seed')} a trial)")]
    earlier = _earlier_runs(spec, root)
    seconds = None if earlier.empty else float(earlier["train_seconds"].median())
    if seconds is not None:
        bound = "at most " if spec.early_stopping.rule != "none" else ""
        wall = duration(seconds * trials * seeds / slots)
        rows += [
            ("one run", f"{duration(seconds)} (median of {count(len(earlier), 'earlier run')})"),
            ("wall time", f"{bound}{wall} ({slots} trials at a time here)"),
        ]
    for label, value in rows:
        table.add_row(Text(label, style="bold"), value)
    name = spec.benchmark
    unknown = f"time: not known before the first run of {name}" if seconds is None else ""
    deviation = _deviation(earlier)
    resolved = _resolution(spec, deviation)
    texts = (Text(text, style="dim") for text in (unknown, resolved) if text)
    return Group(table, *texts, *hypotheses_table(spec, deviation, width))


def _earlier_runs(spec: SweepSpec, root: Path) -> pd.DataFrame:
    """Return the completed runs of the function with the metric, whatever its code was then."""
    try:
        results = analysis.load(root)
    except StoreError:
        return pd.DataFrame()
    sweeps = results.sweeps
    same = sweeps.loc[sweeps["metric"].astype(str) == spec.objective.metric, "sweep"]
    runs = results.runs
    own = (runs["benchmark"] == spec.benchmark) & (runs["status"] == Status.COMPLETED)
    return runs[own & runs["sweep"].isin(same) & runs["metric_value"].notna()]


def _deviation(earlier: pd.DataFrame) -> float | None:
    """Return the deviation between seeds of one configuration; None where it is not known."""
    if earlier.empty:
        return None
    by_config = earlier.groupby("config_id", observed=True)["metric_value"]
    samples = [group.to_numpy(float) for _, group in by_config if len(group) > 1]
    deviation = pooled_deviation(samples)[0] if samples else 0.0
    return deviation if deviation > 0 else None


def _resolution(spec: SweepSpec, deviation: float | None) -> str:
    """Say which gap between two trials the seeds show, if earlier runs tell how seeds scatter."""
    seeds = len(spec.seeds)
    if deviation is None or seeds < 2:
        return ""
    gap = detectable_gap("difference", deviation, seeds, WANTED_POWER)
    return (
        f"seed-to-seed deviation of {spec.objective.metric}: {deviation:.2g}; {seeds} seeds show a"
        f" gap of {gap:.2g} with {100 * WANTED_POWER:.0f} % power"
    )
