"""The Pareto front of a sweep with several objectives, on means over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.trials import drawn_parameters
from analysis.statistics.fronts import undominated
from analysis.statistics.intervals import pooled_deviation
from analysis.store.metric import Metric, objectives_of
from analysis.store.results import Results
from analysis.store.statuses import Status

ON_FRONT = "on_front"
_OWN = ("trial", "n", ON_FRONT, "config_id")


def pareto_front(results: Results, sweep: str | None = None) -> pd.DataFrame:
    """Return the trials of a sweep that no other one beats in all its objectives.

    A trial beats another one if its means over seeds are nowhere worse and somewhere better. Only
    completed trials count that have a value of each objective; of trials that drew the same
    configuration, the first one.

    Args:
        results: from `load`.
        sweep: its name; None: the one sweep that has several objectives.

    Returns:
        One row per trial, the best by the first objective first: `trial`; each objective under its
        own name, the mean over seeds, with its standard error (NaN without scatter) in
        `NAME_standard_error`; `n` seeds; the parameters that the search drew; `config_id`.

    Raises:
        ValueError: there is no such sweep, or not just one.
    """
    table = objectives_table(results, sweep if sweep is not None else _only(results))
    return table[table[ON_FRONT]].drop(columns=ON_FRONT).reset_index(drop=True)


def objectives_table(results: Results, sweep: str) -> pd.DataFrame:
    """Return the columns of `pareto_front` for every completed trial, and `on_front`.

    Raises:
        ValueError: there is no such sweep, or it has one objective.
    """
    objectives = objectives_of_sweep(results, sweep)
    if len(objectives) < 2:
        raise ValueError(f"{sweep}: no sweep of several objectives (objective.also)")
    samples = _samples(results, sweep, objectives)
    trials = results.trials[results.trials["sweep"] == sweep].sort_values("trial")
    whole = (trials["status"] == Status.COMPLETED) & trials["objective"].notna()
    drawn = drawn_parameters(results, sweep)
    rows = [
        {
            "trial": int(trial),
            **_means(objectives, samples[config]),
            "n": len(samples[config]),
            **_named(drawn.loc[trial].dropna().to_dict(), objectives),
            "config_id": config,
        }
        for trial, config in trials.loc[whole, ["trial", "config_id"]]
        .drop_duplicates("config_id")
        .itertuples(index=False)
        if config in samples
    ]
    table = pd.DataFrame(rows, columns=None if rows else ["trial", *_names(objectives)])
    bad = [[one.badness(value) for value in table[one.name]] for one in objectives]
    points = list(zip(*bad, strict=True))
    front = np.isin(np.arange(len(table)), undominated(points))
    order = sorted(range(len(table)), key=lambda at: (points[at], rows[at]["trial"]))
    return table.assign(**{ON_FRONT: front}).iloc[order].reset_index(drop=True)


def objectives_of_sweep(results: Results, sweep: str) -> tuple[Metric, ...]:
    """Return the objectives of a sweep, the one that trials are sorted by first; none: no sweep."""
    rows = results.sweeps[results.sweeps["sweep"] == sweep]
    return objectives_of(rows.iloc[0]) if len(rows) else ()


def _only(results: Results) -> str:
    names = [name for name in results.names if len(objectives_of_sweep(results, name)) > 1]
    if len(names) != 1:
        found = f"name one of {', '.join(names)}" if names else "there is none"
        raise ValueError(f"expected one sweep of several objectives (objective.also): {found}")
    return names[0]


def _samples(results: Results, sweep: str, objectives: Sequence[Metric]) -> dict[str, pd.DataFrame]:
    """Return by configuration a row a completed run with a column an objective, without NaN.

    Configurations of which a run lacks an objective are left out.
    """
    runs = results.runs[results.runs["sweep"] == sweep]
    runs = runs[runs["status"] == Status.COMPLETED].drop_duplicates("run_id")
    first = objectives[0].name if objectives[0].is_error else "metric_value"
    reported = [json.loads(text) if isinstance(text, str) else {} for text in runs["also_json"]]
    values = {
        one.name: _further(one.name, runs, reported) if place else runs[first].to_numpy(float)
        for place, one in enumerate(objectives)
    }
    frame = pd.DataFrame(values, dtype=float).assign(config_id=runs["config_id"].to_numpy(object))
    return {
        str(config): group.drop(columns="config_id")
        for config, group in frame.groupby("config_id")
        if group.notna().all(axis=None)
    }


def _further(name: str, runs: pd.DataFrame, reported: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Return what runs reported under a name, or what their column of this name has."""
    measured = runs[name].to_numpy(float) if name in runs else np.full(len(runs), np.nan)
    told = (one.get(name, other) for one, other in zip(reported, measured, strict=True))
    return np.array(list(told), dtype=float)


def _means(objectives: Sequence[Metric], sample: pd.DataFrame) -> dict[str, float]:
    found: dict[str, float] = {}
    for one in objectives:
        values = sample[one.name].to_numpy()
        found[one.name] = float(np.mean(values))
        found[f"{one.name}_standard_error"] = float(
            pooled_deviation([values])[0] / np.sqrt(len(values))
        )
    return found


def _names(objectives: Sequence[Metric]) -> list[str]:
    return [name for one in objectives for name in (one.name, f"{one.name}_standard_error")]


def _named(params: Mapping[Any, Any], objectives: Sequence[Metric]) -> dict[str, Any]:
    """Give parameters that are called as another column the prefix `config.`."""
    taken = {*_OWN, *_names(objectives)}
    return {f"config.{name}" if name in taken else name: value for name, value in params.items()}
