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
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial
from sqlalchemy.exc import DBAPIError, OperationalError

from analysis.store.errors import StoreError

TRIALS = models.TrialModel.__table__
PARAMS = models.TrialParamModel.__table__
VALUES = models.TrialValueModel.__table__
STEPS = models.TrialIntermediateValueModel.__table__
USER = models.TrialUserAttributeModel.__table__
SYSTEM = models.TrialSystemAttributeModel.__table__
STUDY_SYSTEM = models.StudySystemAttributeModel.__table__

KEYS = {
    TRIALS: ("trial_id",),
    PARAMS: ("trial_id", "param_name"),
    VALUES: ("trial_id", "objective"),
    STEPS: ("trial_id", "step"),
    USER: ("trial_id", "key"),
    SYSTEM: ("trial_id", "key"),
    STUDY_SYSTEM: ("study_id", "key"),
}
INSERT = {table: sa.insert(table) for table in KEYS}
UPDATE = {
    table: sa.update(table).where(*(table.c[name] == sa.bindparam(f"this_{name}") for name in key))
    for table, key in KEYS.items()
}
"""Statements that are built once: to build one takes longer than to carry it out."""

LOCAL_DISKS = ("btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs")
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
        file = self._engine.url.database or ""
        self._logged = self._engine.name == "sqlite" and _on_local_disk(Path(file))
        if self._logged:
            # One wait for the disk a transaction instead of four. It takes memory that all who
            # open the file share, which two machines at a network drive do not have.
            self._pragma("journal_mode=WAL")

    def close(self) -> None:
        """Leave an SQLite file that is whole by itself."""
        if self._logged:
            self._pragma("wal_checkpoint(TRUNCATE)")
            self._pragma("journal_mode=DELETE")

    def _pragma(self, pragma: str) -> None:
        with suppress(OperationalError), self._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA {pragma}")  # refused while others have it open

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
        changes = _Changes()
        with self._engine.begin() as connection:
            for number, trial in sorted(trials.items()):
                trial_id = self._ids.get(number)
                if trial_id is None:
                    trial_id = new_ids[number] = self._insert(connection, trial)
                else:
                    changes.update(TRIALS, {"trial_id": trial_id}, _columns(trial))
                self._note_parts(changes, trial_id, trial)
            owner = {"study_id": self._study_id}
            _note_attributes(changes, STUDY_SYSTEM, owner, self._study_attributes, study_attributes)
            changes.make(connection)
        return new_ids

    def _insert(self, connection: sa.Connection, trial: FrozenTrial) -> int:
        row = {"number": trial.number, "study_id": self._study_id, **_columns(trial)}
        key = connection.execute(INSERT[TRIALS], row).inserted_primary_key
        assert key is not None
        return int(key[0])

    def _note_parts(self, changes: _Changes, trial_id: int, trial: FrozenTrial) -> None:
        before = self._written.get(trial.number)
        owner = {"trial_id": trial_id}
        known = before.params if before is not None else {}
        for name, distribution in trial.distributions.items():
            if name not in known:
                value = distribution.to_internal_repr(trial.params[name])
                row = {
                    "param_value": value,
                    "distribution_json": distribution_to_json(distribution),
                }
                changes.insert(PARAMS, {**owner, "param_name": name}, row)
        for index, value in enumerate(trial.values or ()):
            row = _stored(models.TrialValueModel, value)
            changes.insert(VALUES, {**owner, "objective": index}, row)
        steps = before.intermediate_values if before is not None else {}
        for step, value in trial.intermediate_values.items():
            if step not in steps or not _same(steps[step], value):
                stored = models.TrialIntermediateValueModel.intermediate_value_to_stored_repr(value)
                row = {"intermediate_value": stored[0], "intermediate_value_type": stored[1]}
                change = changes.update if step in steps else changes.insert
                change(STEPS, {**owner, "step": step}, row)
        for table, name in ((USER, "user_attrs"), (SYSTEM, "system_attrs")):
            old = getattr(before, name) if before is not None else {}
            _note_attributes(changes, table, owner, old, getattr(trial, name))


class _Changes:
    """Rows to insert and to update, a statement a table for all of them."""

    def __init__(self) -> None:
        self._inserts: dict[sa.Table, list[dict[str, Any]]] = {}
        self._updates: dict[sa.Table, list[dict[str, Any]]] = {}

    def insert(self, table: sa.Table, key: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        self._inserts.setdefault(table, []).append({**key, **row})

    def update(self, table: sa.Table, key: Mapping[str, Any], row: Mapping[str, Any]) -> None:
        # A parameter's name may not be that of a column which is set.
        where = {f"this_{name}": value for name, value in key.items()}
        self._updates.setdefault(table, []).append({**where, **row})

    def make(self, connection: sa.Connection) -> None:
        for table, rows in self._updates.items():
            connection.execute(UPDATE[table], rows)
        for table, rows in self._inserts.items():
            connection.execute(INSERT[table], rows)


def _note_attributes(
    changes: _Changes,
    table: sa.Table,
    owner: Mapping[str, Any],
    old: Mapping[str, Any],
    new: Mapping[str, Any],
) -> None:
    for key, value in new.items():
        if key not in old or old[key] != value:
            change = changes.update if key in old else changes.insert
            change(table, {**owner, "key": key}, {"value_json": json.dumps(value)})


def _on_local_disk(file: Path) -> bool:
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return False
    kinds = {place: kind for _, place, kind, *_ in mounts}
    parents = (str(folder) for folder in file.resolve().parents)
    return next((kinds[folder] for folder in parents if folder in kinds), "") in LOCAL_DISKS


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


def _same(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)
