"""A study's rows in Optuna's own tables: all that changed in one transaction.

Optuna's storage commits each parameter, attribute and state by itself, some ten transactions a
trial. Here the trials live in memory, where Optuna's samplers read them, and what changed since
is written at once, so that a driver spends a few milliseconds a trial on it. What is on disk is
what Optuna itself would have written: `optuna.load_study` reads it, and `test_ledger.py` compares
the two.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy.exc import DBAPIError

from analysis.errors import StoreError

TRIALS = models.TrialModel.__table__
PARAMS = models.TrialParamModel.__table__
VALUES = models.TrialValueModel.__table__
STEPS = models.TrialIntermediateValueModel.__table__
USER = models.TrialUserAttributeModel.__table__
SYSTEM = models.TrialSystemAttributeModel.__table__
STUDY_SYSTEM = models.StudySystemAttributeModel.__table__

PATIENCE_SECONDS = 300.0
"""How long a database that went away is waited for; the workers train on meanwhile."""
FIRST_PAUSE_SECONDS = 0.5


class Ledger:
    """Writes the trials of one study to its database."""

    def __init__(self, storage: RDBStorage, study_id: int, trials: Sequence[FrozenTrial]) -> None:
        self._engine = storage.engine
        self._study_id = study_id
        self._ids = {trial.number: trial._trial_id for trial in trials}
        self._written = {trial.number: trial for trial in trials if not trial.state.is_finished()}
        self._study_attributes: dict[str, Any] = dict(storage.get_study_system_attrs(study_id))

    def write(self, trials: Iterable[FrozenTrial], study_attributes: Mapping[str, Any]) -> None:
        """Write what is new of these trials, durably and all of it or nothing.

        Raises:
            StoreError: the database was away for longer than anybody waits.
        """
        changed = {trial.number: trial for trial in trials}
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, FIRST_PAUSE_SECONDS
        while True:
            try:
                ids = self._transact(changed, study_attributes)
                break
            except DBAPIError as error:
                if time.monotonic() > deadline:
                    reason = str(error.orig).strip().splitlines()[0]
                    raise StoreError(
                        f"the study's database does not answer: {reason}. The results are safe;"
                        " go on with `sweeps resume` when it is back"
                    ) from None
                time.sleep(pause)
                pause = min(2 * pause, 10.0)
        self._ids.update(ids)
        for number, trial in changed.items():
            if trial.state.is_finished():
                self._written.pop(number, None)
            else:
                self._written[number] = trial
        self._study_attributes = dict(study_attributes)

    def _transact(
        self, trials: Mapping[int, FrozenTrial], study_attributes: Mapping[str, Any]
    ) -> dict[int, int]:
        new_ids = {}
        with self._engine.begin() as connection:
            for number, trial in sorted(trials.items()):
                trial_id = self._ids.get(number)
                if trial_id is None:
                    trial_id = new_ids[number] = self._insert(connection, trial)
                else:
                    update = sa.update(TRIALS).where(TRIALS.c.trial_id == trial_id)
                    connection.execute(update.values(_columns(trial)))
                self._write_parts(connection, trial_id, trial)
            for key, value in study_attributes.items():
                if self._study_attributes.get(key) != value:
                    owner = {"study_id": self._study_id}
                    _replace(connection, STUDY_SYSTEM, {**owner, "key": key}, _as_json(value))
        return new_ids

    def _insert(self, connection: sa.Connection, trial: FrozenTrial) -> int:
        row = {"number": trial.number, "study_id": self._study_id, **_columns(trial)}
        key = connection.execute(sa.insert(TRIALS).values(row)).inserted_primary_key
        assert key is not None
        return int(key[0])

    def _write_parts(self, connection: sa.Connection, trial_id: int, trial: FrozenTrial) -> None:
        before = self._written.get(trial.number)
        owner = {"trial_id": trial_id}
        known = before.params if before is not None else {}
        params = [
            {
                **owner,
                "param_name": name,
                "param_value": distribution.to_internal_repr(trial.params[name]),
                "distribution_json": distribution_to_json(distribution),
            }
            for name, distribution in trial.distributions.items()
            if name not in known
        ]
        if params:
            connection.execute(sa.insert(PARAMS), params)
        values = [
            {**owner, "objective": index, **_stored(models.TrialValueModel, value)}
            for index, value in enumerate(trial.values or ())
        ]
        if values:
            connection.execute(sa.insert(VALUES), values)
        steps = before.intermediate_values if before is not None else {}
        for step, value in trial.intermediate_values.items():
            if step not in steps or not _same(steps[step], value):
                stored = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
                row = {"intermediate_value": stored[0], "intermediate_value_type": stored[1]}
                _replace(connection, STEPS, {**owner, "step": step}, row)
        for table, name in ((USER, "user_attrs"), (SYSTEM, "system_attrs")):
            old = getattr(before, name) if before is not None else {}
            for key, value in getattr(trial, name).items():
                if key not in old or old[key] != value:
                    _replace(connection, table, {**owner, "key": key}, _as_json(value))


def _columns(trial: FrozenTrial) -> dict[str, Any]:
    model = models.TrialModel(
        datetime_start=trial.datetime_start, datetime_complete=trial.datetime_complete
    )
    return {
        "state": trial.state,
        "datetime_start": model._datetime_start_utc,
        "datetime_complete": model._datetime_complete_utc,
    }


def _stored(model: Any, value: float) -> dict[str, Any]:
    number, kind = model.value_to_stored_repr(value)
    return {"value": number, "value_type": kind}


def _replace(
    connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], row: Mapping[str, Any]
) -> None:
    same = [table.c[name] == value for name, value in key.items()]
    connection.execute(sa.delete(table).where(*same))
    connection.execute(sa.insert(table).values({**key, **row}))


def _as_json(value: Any) -> dict[str, str]:
    return {"value_json": json.dumps(value)}


def _same(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)
