"""Optuna's record of a sweep: one study, named after it, in SQLite or on a PostgreSQL server."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import optuna
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from analysis.store.blocks import AddedSeeds
from analysis.store.errors import StoreError
from analysis.store.statuses import Status
from sweeps.search.databases import URL_VARIABLE, database_url, open_database, shown_url
from sweeps.search.optuna_tables import (
    StudyWriter,
    put_back,
    put_back_running,
    set_intermediate_value,
)
from sweeps.search.sampling import make_sampler, undrawable
from sweeps.spec.repetitions import parameters
from sweeps.spec.search_space import Params, grid
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths

METRIC_NAMES = "study:metric_names"
"""Optuna's attribute for what `set_metric_names` was told."""
STATES = {Status.COMPLETED: TrialState.COMPLETE, Status.PRUNED: TrialState.PRUNED}
"""Optuna's states of trials that ended; every other status is a failure to Optuna."""


@dataclass(frozen=True)
class Work:
    """The work that a driver has before it."""

    to_ask: int
    """Trials to draw from the study, those included that wait in it."""
    again: tuple[tuple[int, Params], ...] = ()
    """Number and parameters of the trials that have ended in the study but not in the store."""
    known: frozenset[str] = frozenset()
    """Identities of configurations of which the store has runs."""
    added: AddedSeeds = field(default_factory=dict)
    """Seeds that trials have beyond those of the specification."""

    @property
    def trials(self) -> int:
        """Count the trials of both kinds."""
        return self.to_ask + len(self.again)


class SweepStudy:
    """A sweep's study: drawn from in memory, kept in Optuna's database.

    The database has nothing before `save`, which the driver calls before anybody acts on a trial.
    """

    def __init__(self, spec: SweepSpec, memory: optuna.Study, writer: StudyWriter) -> None:
        self._memory = memory
        self._writer = writer
        self._changed: set[int] = set()
        self._drawn: set[int] = set()
        self._queue = iter(_points_left(spec, memory))

    @property
    def trials(self) -> list[FrozenTrial]:
        """Every trial, in the order of their numbers."""
        return self._memory.get_trials(deepcopy=False)

    def waiting(self) -> bool:
        """Return True if the next trial to be drawn was drawn, or queued, before."""
        return bool(self._memory.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def ask(self) -> optuna.Trial:
        """Draw a trial: one that waits, else the grid's next point, else the sampler's choice."""
        if not self.waiting():
            point = next(self._queue, None)
            if point is not None:
                self._memory.enqueue_trial(point)
        trial = self._memory.ask()
        self._changed.add(trial.number)
        self._drawn.add(trial.number)
        return trial

    def report(self, trial: optuna.Trial, value: float, step: int) -> None:
        """Note an intermediate value; Optuna has none for a study of several objectives."""
        if len(self._memory.directions) == 1:
            set_intermediate_value(trial, value, step)
            self._changed.add(trial.number)

    def tell(self, trial: optuna.Trial, status: str, values: list[float] | None) -> None:
        """End a trial in Optuna's terms; an interrupted one waits to be drawn again."""
        self._changed.add(trial.number)
        trial.set_user_attr("status", status)
        if status == Status.INTERRUPTED:
            put_back(trial)
            return
        state = STATES.get(Status(status), TrialState.FAIL)
        if state is TrialState.COMPLETE and values is None:
            state = TrialState.FAIL
        with warnings.catch_warnings():
            # A trial that ended before its first epoch has no intermediate value to be pruned with.
            warnings.simplefilter("ignore")
            self._memory.tell(trial, values if state is TrialState.COMPLETE else None, state)

    def queue_again(self) -> int:
        """Queue a new attempt at each trial that ended in an error; return how many.

        Optuna refuses to change a finished trial, so an attempt has a number of its own.
        """
        retried = self._retried
        failed = [
            trial
            for trial in self.ended()
            if trial.user_attrs.get("status") == Status.ERROR and trial.number not in retried
        ]
        for trial in failed:
            self._changed.add(len(self.trials))
            self._memory.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
        self.save()
        return len(failed)

    @property
    def retries(self) -> int:
        """How many trials have a new attempt, whatever became of it."""
        return len(self._retried)

    @property
    def _retried(self) -> set[int]:
        attempts = (trial.user_attrs.get("retry_of") for trial in self.trials)
        return {number for number in attempts if number is not None}

    def ended(self) -> list[FrozenTrial]:
        """List the trials that have ended in the study."""
        return [trial for trial in self.trials if trial.state.is_finished()]

    def unsaved(self, number: int) -> bool:
        """Return True if a trial was drawn and the database does not have it yet."""
        return number in self._drawn

    def save(self) -> None:
        """Write what changed to the database, durably.

        Raises:
            StoreError: the database does not answer.
        """
        if not self._changed:
            return
        self._writer.write(self._memory, self._changed)
        self._changed.clear()
        self._drawn.clear()

    def close(self) -> None:
        """Let go of the database; call it when nothing will change any more."""
        self._writer.close()


def check_free(spec: SweepSpec, paths: SweepPaths) -> None:
    """Check that the server of SWEEPS_STUDY_URL, if set, has no study of the sweep's name.

    Raises:
        StoreError: it has one, or does not answer.
    """
    if URL_VARIABLE not in os.environ:
        return
    with open_database(database_url(paths)) as storage:
        try:
            storage.get_study_id_from_name(spec.name)
        except KeyError:
            return
        raise _taken(spec)


def create_study(spec: SweepSpec, paths: SweepPaths) -> SweepStudy:
    """Create the sweep's study.

    Raises:
        StoreError: no database answers, or the name is taken in it.
    """
    with open_database(database_url(paths)) as storage:
        try:
            study = optuna.create_study(
                study_name=spec.name, storage=storage, directions=_directions(spec)
            )
        except optuna.exceptions.DuplicatedStudyError:
            raise _taken(spec) from None
        study.set_user_attr("spec_sha256", spec.sha256)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(_metric_names(spec))
        return _copied_to_memory(spec, storage)


def check_there(spec: SweepSpec, paths: SweepPaths, trials_known: int) -> None:
    """Check that the study of a sweep that stopped is where it was, and can go on in its space.

    Args:
        spec: the sweep.
        paths: of the sweep.
        trials_known: how many trials the store has; above 0, there must be a study.

    Raises:
        StoreError: no database answers, it is not the one that the sweep began with, or a trial
            waits in it that the space cannot draw any more.
    """
    if trials_known == 0:
        return
    with _database_of(spec, paths, trials_known) as storage:
        try:
            study_id = storage.get_study_id_from_name(spec.name)
        except KeyError:
            raise _astray(spec, paths) from None
        _check_objectives(spec, storage, study_id)
        _check_drawable(spec, storage.get_all_trials(study_id, deepcopy=False))


@contextmanager
def _database_of(spec: SweepSpec, paths: SweepPaths, trials_known: int) -> Iterator[RDBStorage]:
    """Open the database of a sweep that stopped.

    Yields:
        Optuna's storage of it.

    Raises:
        StoreError: no database answers, or a file is not there that has to be.
    """
    # Opening a missing file would create it, and the next resume would take it for the study.
    local = database_url(paths).startswith("sqlite:")
    if trials_known > 0 and local and not paths.study.exists():
        raise _astray(spec, paths)
    with open_database(database_url(paths)) as storage:
        yield storage


def _check_objectives(spec: SweepSpec, storage: RDBStorage, study_id: int) -> None:
    known = storage.get_study_system_attrs(study_id).get(METRIC_NAMES, [])
    further = [one.title for one in spec.also]
    if storage.get_study_directions(study_id) != _directions(spec) or known[1:] != further:
        raise StoreError(
            "objective: the search of this sweep has learned from other objectives or another"
            " direction: resume with objective as it was, or start another sweep"
        )


def _check_drawable(spec: SweepSpec, trials: Iterable[FrozenTrial]) -> None:
    for trial in trials:
        for key in () if trial.state.is_finished() else undrawable(spec, trial):
            raise StoreError(
                f"space.{key}: trial {trial.number} was interrupted with {key} ="
                f" {trial.params[key]!r}, and cannot go on in the changed space: resume with"
                f" space.{key} as it was until no trial waits, or start another sweep"
            )


def _astray(spec: SweepSpec, paths: SweepPaths) -> StoreError:
    return StoreError(
        f"the study of {spec.name!r} is not in {shown_url(database_url(paths))}: set"
        f" {URL_VARIABLE} as it was when the sweep began"
    )


def reopen_study(spec: SweepSpec, paths: SweepPaths, trials_known: int) -> SweepStudy:
    """Open the study of a sweep that stopped; call it while holding the driver's lock.

    A trial that was running waits again, under its number and with its parameters.

    Args:
        spec: the sweep.
        paths: of the sweep.
        trials_known: how many trials the store has; above 0, there must be a study.

    Raises:
        StoreError: no database answers, or it is not the one that the sweep began with.
    """
    with _database_of(spec, paths, trials_known) as storage:
        try:
            study_id = storage.get_study_id_from_name(spec.name)
        except KeyError:
            if trials_known > 0:
                raise _astray(spec, paths) from None
            return create_study(spec, paths)  # the driver died before it had made one
        trials = storage.get_all_trials(study_id, deepcopy=False)
        if trials_known > 0:
            _check_objectives(spec, storage, study_id)
            _check_drawable(spec, trials)
        put_back_running(storage, trials)
        return _copied_to_memory(spec, storage)


def _taken(spec: SweepSpec) -> StoreError:
    return StoreError(
        f"the database of {URL_VARIABLE} holds a study {spec.name!r} already; run with"
        " --name ANOTHER"
    )


def _copied_to_memory(spec: SweepSpec, storage: RDBStorage) -> SweepStudy:
    copy = InMemoryStorage()
    optuna.copy_study(from_study_name=spec.name, from_storage=storage, to_storage=copy)
    memory = optuna.load_study(study_name=spec.name, storage=copy)
    memory.sampler = make_sampler(spec, drawn=len(memory.get_trials(deepcopy=False)))
    return SweepStudy(spec, memory, StudyWriter(storage, spec.name))


def _directions(spec: SweepSpec) -> list[StudyDirection]:
    objectives = (spec.objective.of_sweep, *spec.also)
    return [
        StudyDirection.MAXIMIZE if one.largest else StudyDirection.MINIMIZE for one in objectives
    ]


def _metric_names(spec: SweepSpec) -> list[str]:
    """Name the study's values, as Optuna's dashboard and plots show them."""
    objective = spec.objective
    text = f"mean over seeds of {objective.metric}"
    if objective.plus_standard_errors > 0:
        sign = "-" if objective.of_sweep.largest else "+"
        text += f" {sign} {objective.plus_standard_errors:g} standard errors"
    return [text, *(one.title for one in spec.also)]


def _points_left(spec: SweepSpec, study: optuna.Study) -> list[Params]:
    """List the points that are queued and that the study has not drawn yet, in their order.

    Those are the whole grid of a grid search, and the points with which another one starts.
    """
    if not spec.search.method.walks_grid:
        return _starts_left(spec, study)
    trials = study.get_trials(deepcopy=False)
    # A trial that no worker was given yet has its point among what it was queued with.
    drawn = {_key(one.params or one.system_attrs.get("fixed_params", {})) for one in trials}
    domains = parameters(spec)
    points = [
        {key: value for key, value in point.items() if domains[key].kind != "fixed"}
        for point in grid(spec)
    ]
    return [point for point in points if _key(point) not in drawn]


def _starts_left(spec: SweepSpec, study: optuna.Study) -> list[Params]:
    left = [dict(point) for point in spec.search.enqueue]
    for trial in study.get_trials(deepcopy=False):
        queued = trial.system_attrs.get("fixed_params")
        if queued in left:
            left.remove(queued)
    return left


def _key(params: Mapping[str, object]) -> str:
    return json.dumps(params, sort_keys=True)
