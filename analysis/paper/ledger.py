"""What became of the runs behind a verdict: the number planned, and how each of them ended."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

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

    @property
    def text(self) -> str:
        """The counts that are not 0, in words."""
        parts = [f"planned {self.planned}", *(f"{word} {n}" for word, n in self.counts if n)]
        return ", ".join([*parts, *([f"taken over {self.taken_over}"] * bool(self.taken_over))])


NO_RUNS = Ledger(0, ())


def planned_seeds(sweeps: pd.DataFrame) -> dict[str, int]:
    """Return the number of seeds that each sweep has planned, from rows of `sweeps`."""
    return dict(zip(sweeps["sweep"].astype(str), sweeps["seeds"].fillna(0), strict=True))


def ledger_of(runs: pd.DataFrame, seeds: dict[str, int]) -> Ledger:
    """Return the ledger of some rows of `runs`, given the seeds that each sweep has planned."""
    if runs.empty:
        return NO_RUNS
    conflict = in_conflict(runs)
    # the best known outcome of a seed: another attempt may have replaced an error
    order = {word: rank for rank, word in enumerate(_WORDS.values())}
    best = runs["status"].map(order).fillna(len(order))
    once = runs.assign(best=best, conflict=conflict).sort_values("best", kind="stable")
    once = once.drop_duplicates(SEED)
    planned = runs["sweep"].astype(str).map(seeds).fillna(0).groupby(runs["config_id"]).max()
    present = once.groupby("config_id").size()
    total = int(pd.concat([planned, present], axis=1).max(axis=1).sum())
    settled = once[~once["conflict"]]
    counts = [(word, int((settled["status"] == status).sum())) for word, status in _WORDS.items()]
    counts += [("in conflict", int(once["conflict"].sum())), ("missing", total - len(once))]
    trained_here = runs["reused_from"].isna().groupby([runs[name] for name in SEED]).any()
    return Ledger(total, tuple(counts), int((~trained_here).sum()))
