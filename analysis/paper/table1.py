"""The paper's Table 1 beside ours."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.measures.origins import Origin
from analysis.measures.values import At, independent, values
from analysis.paper.claims import Paper, paper
from analysis.paper.evidence import Evidence
from analysis.paper.ledger import Ledger
from analysis.printed import ACTIVATIONS
from analysis.statistics.intervals import mean_interval
from analysis.store.results import Results

LOST = ("diverged", "censored", "missing", "conflict")
"""Outcomes of runs that have no value."""


def table1(results: Results, at: At = "last", scope: str = "layer") -> pd.DataFrame:
    """Return the mean validation error of each benchmark and activation, beside the paper's.

    Only runs in the paper's setting count, from confirmatory sweeps without early stopping: a
    search keeps what looked good, so that the mean of its completed runs is too small.

    Args:
        results: from `load`.
        at: the epoch of the error, as in `values`; the paper does not say which one it reports.
        scope: of the learned activations; the paper does not say.

    Returns:
        One row per benchmark and activation, and of runs of several codes or data sets one for each
        (`code_version`, `data_sha256`; null without runs): the paper's error, ours with its 95 % t
        interval, the deviation, the counts of measured, diverged, censored and missing runs and of
        those in conflict, `n_planned` and the `ledger` in words, ours less the paper's,
        `within_tolerance` (null without runs), and the ids of all runs, whatever became of them.
        Errors in percent.
    """
    evidence = Evidence(results, scope)
    found = _in_setting(results, evidence, at)
    rows = [
        _row(benchmark, activation, chosen, _ledger(evidence, chosen), paper())
        for benchmark in paper().benchmarks
        for activation in ACTIVATIONS
        for chosen in _by_origin(found, benchmark, activation)
    ]
    frame = pd.DataFrame(rows)
    counts = ["n", "n_planned", *(f"n_{name}" for name in LOST)]
    return frame.astype({"within_tolerance": "boolean", **dict.fromkeys(counts, "int64")})


def seed_correlations(results: Results, scope: str = "layer") -> dict[str, float]:
    """Return, by benchmark, the mean correlation of Table 1's activations over equal seeds.

    A benchmark in which no two activations have three seeds in common is left out.
    """
    found = _in_setting(results, Evidence(results, scope), "last")
    correlations = {}
    for benchmark in paper().benchmarks:
        own = found[(found["benchmark"] == benchmark) & (found["outcome"] == "measured")]
        wide = own.pivot_table(index="seed", columns="activation", values="value", observed=True)
        matrix = wide.corr(min_periods=3).to_numpy()
        pairs = matrix[np.triu_indices(len(matrix), 1)]
        if np.isfinite(pairs).any():
            correlations[benchmark] = float(np.nanmean(pairs))
    return correlations


def _in_setting(results: Results, evidence: Evidence, at: At) -> pd.DataFrame:
    """Return the values that may stand in Table 1, each run once."""
    origin = evidence.in_setting["origin"]
    found = values(results, "val_error_percent", at).loc[origin.index].assign(origin=origin)
    alone = [independent(group) for _, group in found.groupby("origin")]
    return pd.concat(alone).sort_index() if alone else found


def _by_origin(found: pd.DataFrame, benchmark: str, activation: str) -> list[pd.DataFrame]:
    chosen = found[(found["benchmark"] == benchmark) & (found["activation"] == activation)]
    return [group for _, group in chosen.groupby("origin")] or [chosen]


def _ledger(evidence: Evidence, chosen: pd.DataFrame) -> Ledger:
    """Return what became of a cell's runs, in all sweeps that have one of them."""
    runs = evidence.in_setting
    configs = set(chosen["config_id"].astype(str))
    own = runs["config_id"].isin(configs) & runs["origin"].isin(set(chosen["origin"]))
    return evidence.ledger_of(runs[own])


def _row(
    benchmark: str, activation: str, chosen: pd.DataFrame, ledger: Ledger, claims: Paper
) -> dict[str, object]:
    origin: Origin | None = None if chosen.empty else chosen["origin"].iloc[0]
    outcomes = chosen["outcome"].value_counts()
    sample = chosen.loc[chosen["outcome"] == "measured", "value"].to_numpy()
    ours = mean_interval(sample)
    theirs = claims.table1[benchmark][activation]
    difference = ours.estimate - theirs
    tolerance = claims.tolerance_of(benchmark, len(sample))
    return {
        "benchmark": benchmark,
        "activation": activation,
        "code_version": origin.code_version if origin else None,
        "data_sha256": origin.data_sha256 if origin else None,
        "paper_error_percent": theirs,
        "mean": ours.estimate,
        "low": ours.low,
        "high": ours.high,
        "sd": float(np.std(sample, ddof=1)) if len(sample) > 1 else np.nan,
        **{f"n_{name}": outcomes.get(name, 0) for name in LOST},
        "n": len(sample),
        "n_planned": ledger.planned,
        "ledger": ledger.text,
        "difference": difference,
        "tolerance": tolerance,
        "within_tolerance": abs(difference) <= tolerance if len(sample) else pd.NA,
        "run_ids": tuple(sorted(chosen["run_id"].astype(str))),
    }
