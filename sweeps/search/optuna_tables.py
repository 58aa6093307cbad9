"""All that touches Optuna's private parts: its tables, and ids that a study keeps to itself.

Optuna's own storage commits each parameter, attribute, value and state by itself, some ten
transactions a trial. Here the trials live in memory, where Optuna's samplers read them, and what
changed since the last time is written in one transaction. The database then holds the rows that
Optuna itself would have written, so `optuna.load_study` and the dashboard read it.

A trial costs the driver 2 ms this way, and 36 to 49 with Optuna's RDBStorage. JournalStorage takes
5 ms, but it keeps a file of its own: neither SQLite nor a server (`tests/benchmarks/study_storage`,
1,000 trials, two quiet cores).
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import optuna
import sqlalchemy as sa
from optuna.distributions import distribution_to_json
from optuna.storages import RDBStorage
from optuna.storages._rdb import models
from optuna.trial import FrozenTrial, TrialState
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
# Statements are built once: building one takes longer than executing it. In SQLAlchemy, WHERE and
# SET share one namespace of parameters, hence `this_`.
INSERT = {table: sa.insert(table) for table in KEYS}
UPDATE = {
    table: sa.update(table).where(*(table.c[name] == sa.bindparam(f"this_{name}") for name in key))
    for table, key in KEYS.items()
}

LOCAL_DISKS = ("btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs")
PATIENCE_SECONDS = 300.0
"""For so long the driver waits for a database that went away; its workers train on meanwhile."""
HOPELESS = ("disk is full", "disk I/O", "readonly", "unable to open", "no such table", "malformed")
"""Words of SQLite's about a file that no patience brings back."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0

Row = dict[str, object]
Attributes = Mapping[str, object]


def set_intermediate_value(trial: optuna.Trial, value: float, step: int) -> None:
    """Set a trial's value at a step; unlike `trial.report`, also where the step has one."""
    trial.storage.set_trial_intermediate_value(trial._trial_id, step, value)


def put_back(trial: optuna.Trial) -> None:
    """Let a running trial of a study in memory wait to be drawn again."""
    trial.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)


def put_back_running(storage: RDBStorage, trials: Iterable[FrozenTrial]) -> None:
    """Let those trials of a database that a dead driver left running wait to be drawn again."""
    for trial in trials:
        if trial.state is TrialState.RUNNING:
            storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)


class StudyWriter:
    """Writes the trials of one study to its database."""

    def __init__(self, storage: RDBStorage, study_name: str) -> None:
        self._engine = storage.engine
        self._study_id = storage.get_study_id_from_name(study_name)
        trials = storage.get_all_trials(self._study_id, deepcopy=False)
        self._ids = {trial.number: trial._trial_id for trial in trials}
        self._written = {trial.number: trial for trial in trials if not trial.state.is_finished()}
        self._study_attributes = dict(storage.get_study_system_attrs(self._study_id))
        file = self._engine.url.database or ""
        self._has_write_ahead_log = self._engine.name == "sqlite" and _on_local_disk(Path(file))
        if self._has_write_ahead_log:
            # A commit then waits for the disk once, not four times. The log needs memory that all
            # who open the file share, which two machines at a network drive do not have.
            self._execute_pragma("journal_mode=WAL")

    def close(self) -> None:
        """Leave an SQLite file that is whole by itself, without a log beside it."""
        if self._has_write_ahead_log:
            self._execute_pragma("wal_checkpoint(TRUNCATE)")
            self._execute_pragma("journal_mode=DELETE")

    def write(self, study: optuna.Study, numbers: Iterable[int]) -> None:
        """Write what is new of some trials of a study in memory: durably, and all or nothing.

        Raises:
            StoreError: the database did not answer for PATIENCE_SECONDS.
        """
        trials = study.get_trials(deepcopy=False)
        changed = {number: trials[number] for number in numbers}
        attributes = study._storage.get_study_system_attrs(study._study_id)
        self._ids |= self._transact_patiently(changed, attributes)
        for number, trial in changed.items():
            if trial.state.is_finished():
                self._written.pop(number, None)
            else:
                self._written[number] = _copied(trial)
        self._study_attributes = dict(attributes)

    def _transact_patiently(
        self, trials: Mapping[int, FrozenTrial], attributes: Attributes
    ) -> dict[int, int]:
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, FIRST_PAUSE_SECONDS
        while True:
            try:
                return self._transact(trials, attributes)
            except DBAPIError as error:
                reason = str(error.orig).strip().splitlines()[0]
                if time.monotonic() > deadline or any(word in reason for word in HOPELESS):
                    raise StoreError(f"the study's database does not answer: {reason}") from None
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _transact(
        self, trials: Mapping[int, FrozenTrial], attributes: Attributes
    ) -> dict[int, int]:
        """Return the ids that the database gave to new trials, by their numbers."""
        new_ids = {}
        changes = _Changes()
        with self._engine.begin() as connection:
            for number, trial in sorted(trials.items()):
                trial_id = self._ids.get(number)
                if trial_id is None:
                    trial_id = new_ids[number] = self._insert_trial(connection, trial)
                else:
                    changes.update(TRIALS, {"trial_id": trial_id}, _state(trial))
                self._add_parts(changes, trial_id, trial)
            owner: Row = {"study_id": self._study_id}
            _add_attributes(changes, STUDY_SYSTEM, owner, self._study_attributes, attributes)
            changes.execute(connection)
        return new_ids

    def _insert_trial(self, connection: sa.Connection, trial: FrozenTrial) -> int:
        row = {"number": trial.number, "study_id": self._study_id, **_state(trial)}
        key = connection.execute(INSERT[TRIALS], row).inserted_primary_key
        assert key is not None
        return int(key[0])

    def _add_parts(self, changes: _Changes, trial_id: int, trial: FrozenTrial) -> None:
        before = self._written.get(trial.number)
        owner: Row = {"trial_id": trial_id}
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
            number, kind = models.TrialValueModel.value_to_stored_repr(value)
            row = {"value": number, "value_type": kind}
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
            _add_attributes(changes, table, owner, old, getattr(trial, name))

    def _execute_pragma(self, pragma: str) -> None:
        with suppress(OperationalError), self._engine.connect() as connection:
            connection.exec_driver_sql(f"PRAGMA {pragma}")  # refused while others have it open


def _copied(trial: FrozenTrial) -> FrozenTrial:
    """Copy what a trial says now: Optuna's own objects share dicts that later changes go into."""
    copied = copy.copy(trial)
    copied.params = dict(trial.params)
    copied.user_attrs = dict(trial.user_attrs)
    copied.intermediate_values = dict(trial.intermediate_values)
    copied.system_attrs = dict(trial.system_attrs)
    return copied


class _Changes:
    """Rows to insert and to update, one statement a table for all of them."""

    def __init__(self) -> None:
        self._inserts: dict[sa.Table, list[Row]] = {}
        self._updates: dict[sa.Table, list[Row]] = {}

    def insert(self, table: sa.Table, key: Row, row: Row) -> None:
        self._inserts.setdefault(table, []).append({**key, **row})

    def update(self, table: sa.Table, key: Row, row: Row) -> None:
        where = {f"this_{name}": value for name, value in key.items()}
        self._updates.setdefault(table, []).append({**where, **row})

    def execute(self, connection: sa.Connection) -> None:
        for table, rows in self._updates.items():
            connection.execute(UPDATE[table], rows)
        for table, rows in self._inserts.items():
            connection.execute(INSERT[table], rows)


def _add_attributes(
    changes: _Changes, table: sa.Table, owner: Row, old: Attributes, new: Attributes
) -> None:
    for key, value in new.items():
        if key not in old or old[key] != value:
            change = changes.update if key in old else changes.insert
            change(table, {**owner, "key": key}, {"value_json": json.dumps(value)})


def _state(trial: FrozenTrial) -> Row:
    # Optuna stores times in UTC, and its model converts them.
    model = models.TrialModel(
        datetime_start=trial.datetime_start, datetime_complete=trial.datetime_complete
    )
    return {
        "state": trial.state,
        "datetime_start": model._datetime_start_utc,
        "datetime_complete": model._datetime_complete_utc,
    }


def _same(one: float, other: float) -> bool:
    return one == other or (one != one and other != other)  # NaN is not itself


def _on_local_disk(file: Path) -> bool:
    try:
        mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    except OSError:
        return False
    kinds = {place: kind for _, place, kind, *_ in mounts}
    parents = (str(folder) for folder in file.resolve().parents)
    return next((kinds[folder] for folder in parents if folder in kinds), "") in LOCAL_DISKS
