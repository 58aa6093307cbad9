"""What became of the runs behind a verdict: the number planned, and how each of them ended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.measures.timing import TIMING
from analysis.measures.values import SEED, in_conflict
from analysis.store.statuses import Status

_WORDS = {
    "completed": Status.COMPLETED,
    "diverged": Status.DIVERGED,
    "error": Status.ERROR,
    "pruned": Status.PRUNED,
    "interrupted": Status.INTERRUPTED,
    "running": Status.RUNNING,
}


@dataclass(frozen=True)
class Ledger:
    """Counts of runs, each seed of a configuration once, however many sweeps have it."""

    planned: int
    counts: tuple[tuple[str, int], ...]
    """By what became of them; together with `missing` and `in conflict` the planned ones."""
    taken_over: int = 0
    """Runs that no sweep here trained itself."""
    never_started: int = 0
    """Runs of configurations that the same sweeps planned and never started, whichever they are."""
    looks: int = 0
    """Instalments of seeds so far; 0 where nothing is decided."""

    @property
    def text(self) -> str:
        """The counts that are not 0, in words."""
        others = {
            "taken over": self.taken_over,
            "never started in these sweeps": self.never_started,
            "looks": self.looks,
        }
        counts = [(word, n) for word, n in (*self.counts, *others.items()) if n]
        return ", ".join(f"{word} {n}" for word, n in [("planned", self.planned), *counts])


NO_RUNS = Ledger(0, ())


@dataclass(frozen=True)
class Planned:
    """The largest numbers that a sweep has planned."""

    seeds: int
    """Of a configuration."""
    trials: int
    seeds_each: int
    """Of a trial: a timing sweep has a trial for each seed."""


def planned_of(sweeps: pd.DataFrame, events: pd.DataFrame) -> dict[str, Planned]:
    """Return the largest numbers of seeds a trial and of trials that each sweep ever planned.

    Args:
        sweeps: rows of the table `sweeps`: its latest row, and its specification.
        events: rows of the table `events`, of which an `extend` tells the counts of seeds.
    """
    extended = events[events["kind"] == "extend"]
    told: dict[str, int] = {}
    for sweep, detail in zip(extended["sweep"].astype(str), extended["detail"], strict=True):
        counts = map(int, re.findall(r"\d+", str(detail)))
        told[sweep] = max([told.get(sweep, 0), *counts])
    columns = ("sweep", "seeds", "trials_planned", "spec_json", "purpose")
    found = {}
    for sweep, seeds, trials, spec, purpose in sweeps[list(columns)].itertuples(
        index=False, name=None
    ):
        listed = len(json.loads(spec).get("seeds") or ()) if isinstance(spec, str) else 0
        most = max(0 if pd.isna(seeds) else int(seeds), listed, told.get(sweep, 0))
        each = 1 if purpose == TIMING else most
        found[str(sweep)] = Planned(most, 0 if pd.isna(trials) else int(trials), each)
    return found


def planned_seeds(planned: Mapping[str, Planned]) -> dict[str, int]:
    """Return the seeds a trial of each sweep."""
    return {sweep: one.seeds for sweep, one in planned.items()}


def never_started(planned: Mapping[str, Planned], runs: pd.DataFrame) -> dict[str, int]:
    """Return the runs of each sweep whose trials never started: planned, and without any row.

    Args:
        planned: from `planned_of`.
        runs: all rows of the sweeps' runs.
    """
    started = runs.groupby(runs["sweep"].astype(str))["trial"].nunique()
    return {
        sweep: max(one.trials - int(started.get(sweep, 0)), 0) * one.seeds_each
        for sweep, one in planned.items()
    }


def ledger_of(
    runs: pd.DataFrame,
    planned_by: Mapping[str, Planned],
    unstarted: Mapping[str, int],
    added: Mapping[tuple[str, str], int],
) -> Ledger:
    """Return the ledger of some rows of `runs`.

    Args:
        runs: the rows.
        planned_by: from `planned_of`.
        unstarted: from `never_started`.
        added: seeds that single configurations of a sweep have beyond the sweep's.
    """
    if runs.empty:
        return NO_RUNS
    seeds = planned_seeds(planned_by)
    conflict = in_conflict(runs)
    # the best known outcome of a seed: another attempt may have replaced an error
    order = {word: rank for rank, word in enumerate(_WORDS.values())}
    best = runs["status"].map(order).fillna(len(order))
    once = runs.assign(best=best, conflict=conflict).sort_values("best", kind="stable")
    once = once.drop_duplicates(SEED)
    keys = zip(runs["sweep"].astype(str), runs["config_id"].astype(str), strict=True)
    own = [seeds.get(key[0], 0) + added.get(key, 0) for key in keys]
    planned = pd.Series(own, index=runs.index).groupby(runs["config_id"]).max()
    present = once.groupby("config_id").size()
    total = int(pd.concat([planned, present], axis=1).max(axis=1).sum())
    settled = once[~once["conflict"]]
    counts = [(word, int((settled["status"] == status).sum())) for word, status in _WORDS.items()]
    counts += [("in conflict", int(once["conflict"].sum())), ("missing", total - len(once))]
    trained_here = runs["reused_from"].isna().groupby([runs[name] for name in SEED]).any()
    never = sum(unstarted.get(sweep, 0) for sweep in runs["sweep"].astype(str).unique())
    return Ledger(total, tuple(counts), int((~trained_here).sum()), never)
