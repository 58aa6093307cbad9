"""The rows that the driver itself writes: of the sweep, its trials, and runs that were cut off."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

import analysis
from analysis.measures.rows import records
from analysis.store.blocks import blocks_json
from analysis.store.contract import Row, RowWriter, SweepStore
from analysis.store.declarations import DECLARED, declaration
from analysis.store.schema import RUNS, TRIALS
from analysis.store.statuses import Status
from sweeps.search.open_trials import OpenTrial, TrialOutcome
from sweeps.search.sampling import restored_parameters
from sweeps.search.study import SweepStudy
from sweeps.spec.search_space import configure
from sweeps.spec.sections import SweepSpec
from sweeps.store.columns import check_fields
from sweeps.store.provenance import code_version, versions
from trainers import IDENTITY_VERSION

OPEN = (Status.RUNNING, Status.INTERRUPTED)
ROWS_SECONDS = 0.5
"""The time between two writes of rows of trials: each write waits for the disk."""

check_fields(TrialOutcome, TRIALS, besides=("also",))


class TrialRows:
    """Rows of the table `trials`, gathered so that a write has many of them.

    A crash may lose those of the last moments: the study and the runs have the trials too, and a
    resumed sweep writes their rows again.
    """

    def __init__(
        self, sweep: str, writer: RowWriter, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Gather rows of a sweep for a writer; `now` is the clock, in seconds."""
        self._sweep = sweep
        self._writer = writer
        self._now = now
        self._begun: set[int] = set()
        self._waiting: dict[int, dict[str, object]] = {}
        self._written_at = -math.inf

    def note(self, trial: OpenTrial) -> None:
        """Make a row of a trial that starts or ends; its epochs change nothing in it."""
        if trial.status.ended:
            self._begun.discard(trial.number)
        elif trial.number in self._begun:
            return
        else:
            self._begun.add(trial.number)
        self._waiting[trial.number] = trial_row(self._sweep, trial)

    def write(self, now: bool = False) -> None:
        """Write the rows that wait, at intervals or now."""
        if self._waiting and (now or self._now() - self._written_at > ROWS_SECONDS):
            self._writer.write(TRIALS, list(self._waiting.values()))
            self._waiting.clear()
            self._written_at = self._now()


def sweep_row(spec: SweepSpec, trials: int) -> dict[str, object]:
    """Describe a sweep of so many trials for the table `sweeps`."""
    return {
        "sweep": spec.name,
        "benchmark": spec.benchmark,
        "purpose": spec.purpose,
        "search": spec.search.algorithm,
        "early_stopping": spec.early_stopping.rule,
        "metric": spec.objective.metric,
        "direction": spec.objective.direction,
        "also_json": _also(spec),
        "trainer": spec.trainer.name if spec.trainer else None,
        "validation": None if spec.trainer else spec.data.validation,
        "epochs_planned": spec.steps or None,
        "trials_planned": trials,
        "seeds": spec.seeds_each,
        "blocks_json": blocks_json(()),
        "claims": list(spec.claims),
        "spec_json": spec.to_json(),
        "spec_sha256": spec.sha256,
        "code_version": code_version(),
        "versions_json": json.dumps(versions(), sort_keys=True),
        "created_at": datetime.now(UTC),
    }


def _also(spec: SweepSpec) -> str | None:
    """Write the objectives beside the first one for the table `sweeps`."""
    ways = {one.name: "max" if one.largest else "min" for one in spec.also}
    return json.dumps(ways) if ways else None


def event(sweep: str, kind: str, detail: str) -> dict[str, object]:
    """Describe an event of the sweep itself for the table `events`."""
    return {"sweep": sweep, "run_id": "", "at": datetime.now(UTC), "kind": kind, "detail": detail}


def declared(spec: SweepSpec, runs: int) -> dict[str, object]:
    """Describe the declaration of a sweep's hypotheses, when it had so many runs."""
    entries = [one.model_dump(mode="json") for one in spec.hypotheses]
    return event(spec.name, DECLARED, declaration(entries, runs))


def trial_row(sweep: str, trial: OpenTrial) -> dict[str, object]:
    """Describe a trial for the table `trials`: its outcome, if it has one, and its identity."""
    outcome = {} if trial.outcome is None else dict(vars(trial.outcome))
    also = outcome.pop("also", None)
    return {
        **outcome,
        "also_json": json.dumps(dict(also)) if also else None,
        "sweep": sweep,
        "trial": trial.number,
        "config_id": trial.config_id,
        "identity_version": IDENTITY_VERSION,
        "status": trial.status,
        "params_json": json.dumps(trial.params),
        "search_seconds": trial.search_seconds,
        # A worker counts its own start into its first trial; without its word: when it was given.
        "started_at": outcome.get("started_at") or datetime.fromtimestamp(trial.given_at, UTC),
        "ended_at": datetime.now(UTC) if trial.status.ended else None,
    }


def lost_errors(spec: SweepSpec, results: analysis.Results, study: SweepStudy) -> list[Row]:
    """Return the rows of trials that ended in an error and whose driver died before it wrote so.

    Such a trial is not trained again under its number: to the study it has failed.
    """
    statuses = dict(zip(results.trials["trial"], results.trials["status"], strict=True))
    found: list[Row] = []
    for one in study.ended():
        status = Status(statuses.get(one.number, Status.RUNNING))
        if one.user_attrs.get("status") == Status.ERROR and status in OPEN:
            reason = one.user_attrs.get("error", "")
            params = restored_parameters(spec, one.params)
            config_id = configure(spec, params).config_id
            outcome = TrialOutcome(Status.ERROR, error=reason)
            trial = OpenTrial(one.number, params, config_id, time.time(), None, outcome=outcome)
            found.append(trial_row(spec.name, trial))
    return found


def close_runs(results: analysis.Results, store: SweepStore) -> None:
    """Record the runs that no worker has any more as interrupted."""
    # Most often there is none, and a column reads several times as fast as the table.
    if Status.RUNNING not in set(results.table("runs", ["status"])["status"]):
        return
    left = results.runs[results.runs["status"] == Status.RUNNING]
    epochs = results.table("epochs", ())["run_id"].value_counts()
    ended = {"status": Status.INTERRUPTED, "ended_at": datetime.now(UTC)}
    # None is Arrow's null; pandas has several other signs for it.
    known = records(left.astype(object).where(left.notna(), None))
    for row in known:
        # In the run's own name: its next worker then writes after this row, whatever the clocks.
        done = int(epochs.get(row["run_id"], 0))
        store.writer(row["run_id"]).write(RUNS, [{**row, **ended, "epochs_done": done}])
