"""Optuna's record of a sweep: one study, named after it, in SQLite or on a PostgreSQL server."""

from __future__ import annotations

import json
import os
import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    QMCSampler,
    RandomSampler,
    TPESampler,
)
from optuna.storages import InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from analysis.store.errors import StoreError
from sweeps.search.optuna_tables import Ledger
from sweeps.spec.search_space import Params, grid
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths

URL_VARIABLE = "SWEEPS_STUDY_URL"
"""Names a database for the studies, as postgresql://user:password@host/name."""

STATES = {"completed": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
"""What Optuna calls our statuses; any other is a failure."""


@dataclass(frozen=True)
class Work:
    """What a driver has to do."""

    to_ask: int
    """Trials to draw from the study; those that wait in it come first."""
    again: tuple[tuple[int, Params], ...] = ()
    """Trials whose end the study knows, and the store does not: number and parameters."""

    @property
    def trials(self) -> int:
        """How many trials that is."""
        return self.to_ask + len(self.again)


class SweepStudy:
    """A sweep's study: drawn from in memory, kept in Optuna's database.

    Nothing is on record before `save`, which comes before anybody acts on it.
    """

    def __init__(self, spec: SweepSpec, memory: optuna.Study, ledger: Ledger) -> None:
        self._memory = memory
        self._ledger = ledger
        self._changed: set[int] = set()
        self._drawn: set[int] = set()
        self._queue = iter(_not_queued(spec, memory))

    @property
    def trials(self) -> list[FrozenTrial]:
        """Every trial, in the order of their numbers."""
        return self._memory.get_trials(deepcopy=False)

    def waiting(self) -> bool:
        """Whether the next trial to be drawn is one that was drawn, or queued, before."""
        return bool(self._memory.get_trials(deepcopy=False, states=(TrialState.WAITING,)))

    def ask(self) -> optuna.Trial:
        """Draw a trial: one that waits, else the grid's next point, else the search's."""
        if not self.waiting():
            point = next(self._queue, None)
            if point is not None:
                self._memory.enqueue_trial(point)
        trial = self._memory.ask()
        self._changed.add(trial.number)
        self._drawn.add(trial.number)
        return trial

    def report(self, trial: optuna.Trial, value: float, step: int) -> None:
        """Note an intermediate value; one of two objectives has none in Optuna."""
        if len(self._memory.directions) == 1:
            trial.storage.set_trial_intermediate_value(trial._trial_id, step, value)
            self._changed.add(trial.number)

    def tell(self, trial: optuna.Trial, status: str, values: list[float] | None) -> None:
        """Say how a trial ended, in Optuna's words; an interrupted one waits again."""
        self._changed.add(trial.number)
        trial.set_user_attr("status", status)
        if status == "interrupted":
            trial.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
            return
        state = STATES.get(status, TrialState.FAIL)
        if state is TrialState.COMPLETE and values is None:
            state = TrialState.FAIL
        with warnings.catch_warnings():
            # A trial that ended before its first epoch has no intermediate value to be pruned with.
            warnings.simplefilter("ignore")
            self._memory.tell(trial, values if state is TrialState.COMPLETE else None, state)

    def queue_again(self) -> int:
        """Queue a fresh attempt for each trial that an error ended; return how many.

        A finished trial of a study cannot be changed, so an attempt has a number of its own.
        """
        retried = {trial.user_attrs.get("retry_of") for trial in self.trials}
        failed = [
            trial
            for trial in self.ended()
            if trial.user_attrs.get("status") == "error" and trial.number not in retried
        ]
        for trial in failed:
            self._changed.add(len(self.trials))
            self._memory.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
        self.save()
        return len(failed)

    def ended(self) -> list[FrozenTrial]:
        """List the trials whose end the study knows."""
        return [trial for trial in self.trials if trial.state.is_finished()]

    def unsaved(self, number: int) -> bool:
        """Whether a trial was drawn and is not on record."""
        return number in self._drawn

    def save(self) -> None:
        """Put what changed on record.

        Raises:
            StoreError: the database does not answer.
        """
        if not self._changed:
            return
        storage, study_id = self._memory._storage, self._memory._study_id
        trials = self.trials
        frozen = [storage.get_trial(trials[number]._trial_id) for number in self._changed]
        self._ledger.write(frozen, storage.get_study_system_attrs(study_id))
        self._changed.clear()
        self._drawn.clear()

    def close(self) -> None:
        """Let go of the database; call it when nothing will change any more."""
        self._ledger.close()


def check_free(spec: SweepSpec, paths: SweepPaths) -> None:
    """Check that a database of SWEEPS_STUDY_URL answers and has no study of the sweep's name.

    Raises:
        StoreError: it does not, or has.
    """
    if URL_VARIABLE not in os.environ:
        return
    with open_storage(storage_url(paths)) as storage:
        try:
            storage.get_study_id_from_name(spec.name)
        except KeyError:
            return
        raise _taken(spec)


def create_study(spec: SweepSpec, paths: SweepPaths) -> SweepStudy:
    """Create the sweep's study.

    Raises:
        StoreError: no database there, or the name is taken in it.
    """
    with open_storage(storage_url(paths)) as storage:
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
        return _in_memory(spec, storage, study._study_id)


def reopen_study(spec: SweepSpec, paths: SweepPaths, trials_known: int) -> SweepStudy:
    """Open the study of a sweep that stopped; call it while holding the driver's lock.

    A trial that nobody runs any more waits again, under its number and with its parameters.

    Args:
        spec: the sweep.
        paths: of the sweep.
        trials_known: how many trials the store knows, so that a study gone astray is noticed.

    Raises:
        StoreError: no database there, or not the one that the sweep began with.
    """
    url = storage_url(paths)
    astray = StoreError(
        f"the study of {spec.name!r} is not in {shown_url(url)}: set {URL_VARIABLE} as it was when"
        " the sweep began"
    )
    # Opening it would make the file, which would then be taken for the study's place.
    if trials_known > 0 and url.startswith("sqlite:") and not paths.study.exists():
        raise astray
    with open_storage(url) as storage:
        try:
            study_id = storage.get_study_id_from_name(spec.name)
        except KeyError:
            if trials_known > 0:
                raise astray from None
            return create_study(spec, paths)  # the driver died before it had made one
        for trial in storage.get_all_trials(study_id, states=(TrialState.RUNNING,)):
            storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
        return _in_memory(spec, storage, study_id)


def storage_url(paths: SweepPaths) -> str:
    """Name the database of a sweep's study; it may hold a password, so show it to nobody."""
    url = os.environ.get(URL_VARIABLE)
    return f"sqlite:///{paths.study}" if url is None or paths.study.exists() else url


@contextmanager
def without_study_url() -> Iterator[None]:
    """Keep the database's address from processes that are started meanwhile."""
    url = os.environ.pop(URL_VARIABLE, None)
    try:
        yield
    finally:
        if url is not None:
            os.environ[URL_VARIABLE] = url


@contextmanager
def open_storage(url: str) -> Iterator[RDBStorage]:
    """Open a database of studies.

    Raises:
        StoreError: it is none, or does not answer.
    """
    # SQLAlchemy's own default is the older driver, psycopg2.
    url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield RDBStorage(url, engine_kwargs={"pool_pre_ping": True})
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError(f"{URL_VARIABLE} names no database: {_first_line(error)}") from None
    except (DBAPIError, optuna.exceptions.StorageInternalError) as error:
        cause = getattr(error, "orig", None) or error.__cause__ or error
        raise StoreError(f"no study in {shown_url(url)}: {_first_line(cause)}") from None


def _taken(spec: SweepSpec) -> StoreError:
    return StoreError(
        f"the database of {URL_VARIABLE} holds a study {spec.name!r} already; run with"
        " --name ANOTHER"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def shown_url(url: str) -> str:
    """Write a database's address without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _in_memory(spec: SweepSpec, storage: RDBStorage, study_id: int) -> SweepStudy:
    trials = storage.get_all_trials(study_id)
    copy = InMemoryStorage()
    copy_id = copy.create_new_study(storage.get_study_directions(study_id), spec.name)
    for trial in trials:
        copy.create_new_trial(copy_id, template_trial=trial)
    for key, value in storage.get_study_system_attrs(study_id).items():
        copy.set_study_system_attr(copy_id, key, value)
    memory = optuna.load_study(
        study_name=spec.name, storage=copy, sampler=sampler(spec, len(trials))
    )
    return SweepStudy(spec, memory, Ledger(storage, study_id, trials))


def _directions(spec: SweepSpec) -> list[StudyDirection]:
    return [StudyDirection.MINIMIZE] * (2 if spec.search.algorithm == "nsga2" else 1)


def _metric_names(spec: SweepSpec) -> list[str]:
    """Say what the study's values are, as Optuna's dashboard and plots show them."""
    objective = spec.objective
    text = f"mean over seeds of {objective.metric}"
    if objective.plus_standard_errors > 0:
        text += f" + {objective.plus_standard_errors:g} standard errors"
    return [text, "seconds an epoch"] if spec.search.algorithm == "nsga2" else [text]


def _not_queued(spec: SweepSpec, study: optuna.Study) -> list[Params]:
    """List what a grid search has not drawn yet, in the grid's order."""
    if spec.search.algorithm != "grid":
        return []
    known = {_key(trial.params or _fixed(trial)) for trial in study.get_trials(deepcopy=False)}
    points = [
        {key: value for key, value in point.items() if spec.space[key].kind != "fixed"}
        for point in grid(spec)
    ]
    return [point for point in points if _key(point) not in known]


def _fixed(trial: FrozenTrial) -> Mapping[str, Any]:
    """Return what a trial that waits for its first worker is to be drawn with."""
    return trial.system_attrs.get("fixed_params", {})


def _key(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)


def sampler(spec: SweepSpec, drawn: int = 0) -> BaseSampler:
    """Make the sampler of a search; a grid needs none, since its trials are queued.

    Args:
        spec: the sweep.
        drawn: trials that were drawn before; a resumed search does not draw them again.
    """
    seed = spec.search.seed if drawn == 0 else _another_seed(spec.search.seed, drawn)
    with warnings.catch_warnings():
        # QMC and TPE's `group` (without which conditional parameters are drawn at random) are
        # marked experimental, which tells a user of the sweep nothing.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        match spec.search.algorithm:
            case "tpe":
                return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
            case "gp":
                return GPSampler(seed=seed)
            case "cmaes":
                return CmaEsSampler(seed=seed, warn_independent_sampling=False)
            case "nsga2":
                return NSGAIISampler(seed=seed)
            case "qmc":
                # The study remembers how far the sequence is.
                return QMCSampler(seed=spec.search.seed, scramble=True)
            case _:
                return RandomSampler(seed=seed)


def _another_seed(seed: int, drawn: int) -> int:
    return random.Random(f"{seed}/{drawn}").getrandbits(32)
