"""Times of timing sweeps, in which each trial is one process on an otherwise idle machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.values import RUN, in_order_of, unchecked_values
from analysis.store.results import Results

TIMING = "timing"
"""The purpose of such a sweep."""

LOADED = 0.1
"""Cores that other processes may keep busy beside a timed trial; more, and the trial is marked."""

WARM_UP = 1
"""First epochs of a run that are not timed: memory is allocated, and caches are filled."""


def timing_sweeps(results: Results) -> list[str]:
    """Return the sweeps that measure times, and whose errors are no second outcome."""
    sweeps = results.sweeps
    return [str(name) for name in sweeps.loc[sweeps["purpose"] == TIMING, "sweep"]]


def log_epoch_seconds(results: Results) -> pd.DataFrame:
    """Return `values` of the logarithm of each run's median epoch, warm-up left out.

    Differences of logarithms are ratios, which claims on time are about.
    """
    frame = unchecked_values(results, "epoch_seconds", "last")
    epochs = results.table("epochs", ["epoch_seconds"])
    timed = epochs[epochs["epoch"] > WARM_UP].groupby(RUN, observed=True)["epoch_seconds"].median()
    seconds = in_order_of(results.runs, timed).where(frame["value"].notna())
    outcome = frame["outcome"].astype(object)
    lost = seconds.isna() & (outcome == "measured")
    return frame.assign(
        value=np.log(seconds.where(seconds > 0)), outcome=outcome.mask(lost, "missing")
    )


def one_each_process(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row a trial, with the mean of its measured runs.

    A trial trains its seeds in one process, and what slows a process slows them all: as runs of
    their own they would make a common slowness look like a certain difference.
    """
    process = ["sweep", "trial"]
    mean = frame.groupby(process, observed=True)["value"].transform("mean")
    order = np.argsort(frame["outcome"].ne("measured").to_numpy(), kind="stable")
    return frame.assign(value=mean).take(order).drop_duplicates(process).sort_index()


def machines(results: Results, runs: pd.DataFrame) -> set[str]:
    """Name the devices on which some runs were trained, each with its host."""
    hosts = dict(_of_trials(results, "hostname"))
    keys = zip(runs["sweep"].astype(str), runs["trial"], runs["device"], strict=True)
    return {
        f"{device} of {hosts.get((sweep, trial), 'an unknown host')}"
        for sweep, trial, device in keys
        if pd.notna(device)
    }


def loaded(results: Results, runs: pd.DataFrame) -> int:
    """Count the trials of some runs beside which other processes were too busy."""
    loads = dict(_of_trials(results, "other_load"))
    trials = {*zip(runs["sweep"].astype(str), runs["trial"], strict=True)}
    return sum(float(loads.get(key, 0.0)) > LOADED for key in trials)


def _of_trials(results: Results, column: str) -> Iterator[tuple[tuple[str, int], Any]]:
    known = results.trials[results.trials[column].notna()]
    keys = zip(known["sweep"].astype(str), known["trial"], strict=True)
    yield from zip(keys, known[column], strict=True)
