"""The runs that may speak on a claim: of fixed designs, in the paper's setting, and complete."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

import numpy as np
import pandas as pd

from analysis.measures.cells import Cell, Key
from analysis.measures.origins import ORIGIN, choice_between, origins
from analysis.measures.rows import rows_of_each
from analysis.measures.shapes import measure
from analysis.measures.timing import (
    TIMING,
    loaded,
    log_epoch_seconds,
    machines,
    one_each_process,
)
from analysis.measures.values import (
    CONFIGURATION,
    OUTCOMES,
    SETTING,
    UNFINISHED,
    At,
    independent,
    unchecked_values,
)
from analysis.paper.claims import Claim, paper
from analysis.paper.instalments import Plan, instalments, look_of_each, plan_of
from analysis.paper.ledger import (
    Ledger,
    Planned,
    ledger_of,
    never_started,
    planned_of,
    planned_seeds,
)
from analysis.statistics.intervals import pooled_deviation
from analysis.store.blocks import read_blocks
from analysis.store.results import Results

CONFIRMATORY = "confirmatory"
"""The purpose of sweeps that decide claims on errors; `TIMING` sweeps decide those on times."""
SPACE = "space."
"""Begins the column of a parameter of the space, whatever its name is."""
ON_TIME = ("slower",)
"""Rules on times."""
_OF_AN_ARM = ("value", "outcome", "run_id", "config_id", "look")
STABILITY = ("stable_start", "unstable_start", "more_stable")
"""Rules on the rate of diverged runs: there a run in conflict has diverged."""
_KEPT = (
    "sweep",
    "reused_from",
    "run_id",
    "trial",
    "config_id",
    "seed",
    "status",
    "device",
    *SETTING,
    *CONFIGURATION,
)


@dataclass(frozen=True)
class Arm(Cell):
    """A cell that a claim compares."""

    name: str = ""
    lacking: str = ""
    """The reason why the cell may not be judged; empty if it may."""
    looks: tuple[tuple[int, int], ...] = ()
    """Instalments of seeds: the number of each in the order of all, and the runs after it."""
    max_seeds: int = 0
    """The claim's, at which the last of the level is spent; 0: all runs are the plan."""
    level: float = 0.05
    """Of all looks together."""

    @property
    def runs(self) -> int:
        """Runs with a result: measured or diverged."""
        return len(self.sample) + self.diverged

    @property
    def failure_rate(self) -> float:
        """Diverged runs over all with a result."""
        return self.diverged / self.runs if self.runs else 0.0


def exploratory(results: Results) -> list[str]:
    """Return the sweeps with runs that decide nothing: searches."""
    purpose = results.sweeps.set_index("sweep")["purpose"].astype(str)
    present = results.runs["sweep"].astype(str).unique()
    return [name for name in present if purpose.get(name) not in (CONFIRMATORY, TIMING)]


class Evidence:
    """The runs of confirmatory sweeps without early stopping, with their departures from the paper.

    A search, or a rule that stops poor trials, keeps what looked good early: means over its
    completed runs are too small, by about half a deviation or more.
    """

    def __init__(self, results: Results, scope: str = "layer", purpose: str = CONFIRMATORY) -> None:
        """Take the results.

        Args:
            results: from `load`.
            scope: of the learned activations; the paper names none.
            purpose: of the sweeps whose runs may speak.
        """
        self.results = results
        self._scope = scope
        self._purpose = purpose
        self._choices: dict[tuple[str, str], pd.DataFrame] = {}
        self._frames: dict[tuple[str, At], pd.DataFrame] = {}
        self._whole = self
        self._last_look: int | None = None

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Rows of `runs` that may speak, with the keys in which they depart from the paper."""
        sweeps, runs = self.results.sweeps, self.results.runs
        fixed = sweeps[(sweeps["purpose"] == self._purpose) & (sweeps["early_stopping"] == "none")]
        runs = runs[runs["sweep"].isin(fixed["sweep"])]
        # a run that is taken over keeps the purpose of the sweep that trained it
        others = set(sweeps["sweep"].astype(str)) - set(fixed["sweep"].astype(str))
        elsewhere = runs["purpose"].astype(object).fillna(self._purpose) != self._purpose
        runs = runs[~(elsewhere | runs["reused_from"].astype(object).isin(others))]
        # ReLU has no parameters to share: its runs are those of every scope
        runs = runs[(runs["activation"] == "relu") | (runs["scope"] == self._scope)]
        one_each = runs.drop_duplicates("config_id")
        pairs = zip(one_each["benchmark"].astype(str), one_each["config_json"], strict=True)
        found = [(_departures(*pair), _departures(*pair, literal=True)) for pair in pairs]
        ids = one_each["config_id"].astype(str)
        departures = {key: own for key, (own, _) in zip(ids, found, strict=True)}
        literal = {key: own for key, (_, own) in zip(ids, found, strict=True)}
        kept = runs[[*_KEPT, "config_json"]]
        own = runs[["status", *ORIGIN]].groupby(runs["benchmark"].astype(str))
        found_origins = [origins(group) for _, group in own]
        return kept.assign(
            origin=pd.concat(found_origins) if found_origins else pd.Series(dtype=object),
            config_id=kept["config_id"].astype(str),
            departures=kept["config_id"].astype(str).map(departures),
            literal_departures=kept["config_id"].astype(str).map(literal),
            status=kept["status"].astype(str),
        )

    @property
    def in_setting(self) -> pd.DataFrame:
        """The rows of `runs` without any departure from the paper's setting."""
        return self.runs[self.runs["departures"].map(len).eq(0).astype(bool)]

    def kept_apart(self, benchmark: str) -> dict[str, int]:
        """Return departures from the paper that no claim is about, in words, with their runs."""
        asked = frozenset(key for claim in paper().claims for key in claim.free)
        runs = self.runs[self.runs["benchmark"] == benchmark]
        columns = ["departures"]
        if any(claim.literal and claim.benchmark == benchmark for claim in paper().claims):
            columns.append("literal_departures")
        for column in columns:
            runs = runs[np.array([not found <= asked for found in runs[column]], dtype=bool)]
        texts = [
            "; ".join(paper().departures(benchmark, config).values())
            for config in runs["config_json"]
        ]
        return dict(Counter(texts))

    def arms(
        self,
        claim: Claim,
        benchmark: str,
        columns: Sequence[str],
        metric: str = "val_error_percent",
        at: At | None = None,
    ) -> dict[Key, Arm]:
        """Return the claim's cells on a benchmark.

        Args:
            claim: says which runs count.
            benchmark: as in `runs`.
            columns: of `runs`, in which the runs of one cell agree.
            metric: one of `values`, `log_epoch_seconds`, or a measure of shape.
            at: as in `values`; None: the claim's own.

        Returns:
            Arms by the columns' values; empty if the benchmark has no run for the claim.
        """
        chosen = self._chosen(claim, benchmark)
        if chosen.empty:
            return {}
        frame = self._frame(metric, claim.at if at is None else at)
        # a run that two sweeps share is one seed
        once = independent(frame.loc[chosen.index])
        if metric == "log_epoch_seconds":
            once = one_each_process(once)
        if claim.rule in STABILITY:
            outcome = once["outcome"].astype(object)
            once = once.assign(outcome=outcome.mask(outcome == "conflict", "diverged"))
        # the instalment that a run came with is that of the first sweep to plan it
        return self._grouped(claim, once.assign(look=self.looks.loc[once.index]), columns)

    def extent(
        self, claim: Claim, benchmark: str, metric: str, at: At | None = None
    ) -> tuple[float, float]:
        """Return bounds of what a run without a value may have had.

        The lowest and the highest measured value of the benchmark over all configurations,
        widened by one deviation, pooled over configurations.
        """
        frame = self._frame(metric, claim.at if at is None else at)
        own = independent(frame.loc[self.runs.index[self.runs["benchmark"] == benchmark]])
        own = own[own["outcome"] == "measured"]
        value = own["value"].to_numpy("float64")
        samples = [value[rows] for rows in rows_of_each(own, ["config_id"])]
        deviation = float(np.nan_to_num(pooled_deviation(samples)[0]))
        return float(value.min()) - deviation, float(value.max()) + deviation

    def _grouped(self, claim: Claim, frame: pd.DataFrame, columns: Sequence[str]) -> dict[Key, Arm]:
        # arrays, since a frame for each of many cells takes most of the time of a verdict
        arrays = {name: np.asarray(frame[name]) for name in (*_OF_AN_ARM, *columns)}
        arms: dict[Key, Arm] = {}
        for rows in rows_of_each(frame, columns):
            own = {name: values[rows] for name, values in arrays.items()}
            place = tuple(None if pd.isna(own[c][0]) else _plain(own[c][0]) for c in columns)
            named = [_named(c, v) for c, v in zip(columns, place, strict=True) if v is not None]
            arms[place] = replace(
                Arm.of(own["value"], own["outcome"], own["run_id"]),
                name=", ".join(named),
                lacking=self._lacking(own["config_id"]),
                # a pruned run tells nothing, so it spends nothing of the level
                looks=instalments(own["look"][own["outcome"] != "censored"]),
                max_seeds=claim.max_seeds,
                level=paper().level["planned"],
            )
        return arms

    def ledger(self, claim: Claim) -> Ledger:
        """Return what became of the claim's runs, and the looks at them."""
        found = self.ledger_of(self._chosen(claim, claim.benchmark))
        return replace(found, looks=len(self.looks_of(claim)))

    def ledger_of(self, runs: pd.DataFrame) -> Ledger:
        """Return what became of some rows of `runs`."""
        return ledger_of(runs, self._planned, self._unstarted, self._plan.added_until())

    @cached_property
    def _planned(self) -> Mapping[str, Planned]:
        return planned_of(self.results.sweeps, self.results.events)

    @cached_property
    def _unstarted(self) -> Mapping[str, int]:
        return never_started(self._planned, self.results.runs)

    def choice(self, claim: Claim, benchmark: str) -> str:
        """Return the origins between which the claim's runs ask for a choice; empty if none."""
        return choice_between(self._chosen(claim, benchmark)["origin"])

    def machines(self, claim: Claim, benchmark: str) -> set[str]:
        """Name the devices of the claim's runs, each with its host: times compare within one."""
        return machines(self.results, self._chosen(claim, benchmark))

    def loaded(self, claim: Claim, benchmark: str) -> int:
        """Count the claim's timed trials beside which other processes were too busy."""
        return loaded(self.results, self._chosen(claim, benchmark))

    def _chosen(self, claim: Claim, benchmark: str) -> pd.DataFrame:
        key = (claim.id, benchmark)
        if key not in self._choices:
            self._choices[key] = self._choose(claim, benchmark)
        return self._choices[key]

    def _choose(self, claim: Claim, benchmark: str) -> pd.DataFrame:
        runs, free = self.runs, frozenset(claim.free)
        keep = (runs["benchmark"] == benchmark) & runs["activation"].isin(claim.activations)
        departures = runs["literal_departures" if claim.literal else "departures"]
        keep &= np.array([found <= free for found in departures], dtype=bool)
        for column, allowed in claim.only.items():
            keep &= runs[column].isin(list(allowed))
        return runs[keep]

    def _frame(self, metric: str, at: At) -> pd.DataFrame:
        key = (metric, at)
        if key not in self._frames:
            self._frames[key] = self._whole._measured(metric, at)
        return self._frames[key]

    def _measured(self, metric: str, at: At) -> pd.DataFrame:
        if metric == "log_epoch_seconds":
            return log_epoch_seconds(self.results)
        shapes = measure(self.results, self.runs, metric)
        if shapes is None:
            return unchecked_values(self.results, metric, at)
        frame = self.runs.assign(value=shapes)
        outcome = frame["status"].map(OUTCOMES)
        frame["outcome"] = outcome.mask(frame["value"].notna(), "measured").mask(
            frame["value"].isna() & (outcome == "measured"), "missing"
        )
        return frame

    @cached_property
    def looks(self) -> pd.Series:
        """The instalment of seeds that each of `runs` came with, numbered over all sweeps."""
        return look_of_each(self._plan, self.runs)

    def looks_of(self, claim: Claim) -> list[int]:
        """Return the numbers of the instalments with runs that may speak on a claim, rising."""
        chosen = self._chosen(claim, claim.benchmark)
        return sorted({int(look) for look in self.looks.loc[chosen.index]})

    def meant_for(self, claim: Claim) -> Evidence:
        """Return the evidence of a claim: of one on time the runs of timing sweeps.

        Runs that `settle` added for other claims alone are no part of it. Of two arms that a claim
        compares one may have got seeds for another claim: with them the claim would have a look
        that nobody planned.
        """
        if claim.rule in ON_TIME:
            return self.timed
        if not any(map(read_blocks, self.results.sweeps["blocks_json"])):
            return self
        plan = plan_of(self.results.sweeps, self.results.events, self.runs, claim.id)
        return self._with_runs(look_of_each(plan, self.runs).dropna().astype("int64"), plan)

    @cached_property
    def timed(self) -> Evidence:
        """The evidence of timing sweeps."""
        if self._purpose == TIMING:
            return self
        return Evidence(self.results, self._scope, TIMING)

    def until(self, look: int) -> Evidence:
        """Return the evidence as it was after an instalment of seeds."""
        earlier = self._with_runs(self.looks[self.looks <= look], self._plan)
        earlier._last_look = look
        return earlier

    def _with_runs(self, looks: pd.Series, plan: Plan) -> Evidence:
        """Return the evidence of the runs alone that have these looks."""
        fewer = copy.copy(self)
        fewer._choices = {}
        fewer.__dict__.pop("_unready", None)
        # Three cached properties are of fewer runs; shapes and values stay those of all.
        fewer.__dict__["runs"] = self.runs.loc[looks.index]
        fewer.__dict__["looks"] = looks
        fewer.__dict__["_plan"] = plan
        return fewer

    @cached_property
    def _plan(self) -> Plan:
        return plan_of(self.results.sweeps, self.results.events, self.runs)

    def _lacking(self, config_ids: np.ndarray) -> str:
        if not self._unready:
            return ""
        reasons = (self._unready.get(name) for name in dict.fromkeys(map(str, config_ids)))
        return next((reason for reason in reasons if reason), "")

    @cached_property
    def _unready(self) -> Mapping[str, str]:
        """List what unfinished configurations lack: judging part of a design is choosing runs."""
        seeds = planned_seeds(self._planned)
        if self._last_look is not None:
            seeds = self._plan.seeds_until(self._last_look)
        added = self._plan.added_until(self._last_look)
        found: dict[str, str] = {}
        ended = ~self.runs["status"].isin(UNFINISHED)
        grouped = ended.groupby([self.runs["sweep"].astype(str), self.runs["config_id"]])
        for key, rows in grouped:
            sweep, config_id = map(str, key)
            if not rows.all():
                found[config_id] = f"{(~rows).sum()} of {len(rows)} runs are not finished"
                continue
            planned = seeds.get(sweep, 0) + added[sweep, config_id]
            if len(rows) < planned:  # a missing run may be missing for its result
                found[config_id] = f"{len(rows)} of {planned} runs are in the store"
        return found


def _plain(value: object) -> Any:
    """Return NumPy's scalar as Python's own."""
    return value.item() if isinstance(value, np.generic) else value


@cache  # every run of a configuration has the same text, and many claims ask
def _departures(benchmark: str, config_json: str, literal: bool = False) -> frozenset[str]:
    return frozenset(paper().departures(benchmark, config_json, literal))


def _named(column: str, value: object) -> str:
    if column == "activation":
        return str(value)
    number = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{column.removeprefix(SPACE)} = {number}"
