"""Optuna's record of a sweep: one study, named after it, in a file of the sweep's folder."""

from __future__ import annotations

import random
import warnings
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.samplers import BaseSampler, GPSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from sweeps.search_space import Params, grid
from sweeps.spec import SweepSpec
from sweeps.store import SweepPaths

STATES = {"completed": TrialState.COMPLETE, "pruned": TrialState.PRUNED}
"""What Optuna calls our statuses; any other is a failure."""


@dataclass
class OpenTrial:
    """A trial between its suggestion and its end, as the driver knows it."""

    number: int
    params: Params
    config_id: str
    asked_at: float
    """Seconds since 1970."""
    study_trial: optuna.Trial | None = field(repr=False)
    """None where the study knows the end already and only the store does not."""
    search_seconds: float = 0.0
    result: dict[str, Any] = field(default_factory=dict)
    """What its worker reported last."""


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


def create_study(spec: SweepSpec, paths: SweepPaths) -> optuna.Study:
    """Create the sweep's study; a grid search has all its trials queued in it."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=spec.name, storage=_storage(paths), sampler=sampler(spec), direction="minimize"
    )
    study.set_user_attr("spec_sha256", spec.sha256)
    study.set_user_attr("objective", f"mean over seeds of {spec.objective.metric}")
    _queue_grid(spec, study)
    return study


def reopen_study(spec: SweepSpec, paths: SweepPaths) -> optuna.Study:
    """Open the study of a sweep that stopped; call it while holding the driver's lock.

    A trial that nobody runs any more waits again, under its number and with its parameters.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = _storage(paths)
    try:
        study_id = storage.get_study_id_from_name(spec.name)
    except KeyError:
        # The driver died before it had made one.
        return create_study(spec, paths)
    for trial in storage.get_all_trials(study_id, states=(TrialState.RUNNING,)):
        storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
    drawn = len(storage.get_all_trials(study_id))
    study = optuna.load_study(study_name=spec.name, storage=storage, sampler=sampler(spec, drawn))
    _queue_grid(spec, study)
    return study


def ended_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """List the trials whose end the study knows."""
    return [trial for trial in study.trials if trial.state.is_finished()]


def queue_again(spec: SweepSpec, study: optuna.Study) -> int:
    """Queue a fresh attempt for each trial that an error ended; return how many.

    A finished trial of a study cannot be changed, so an attempt has a number of its own.
    """
    retried = {trial.user_attrs.get("retry_of") for trial in study.trials}
    failed = [
        trial
        for trial in ended_trials(study)
        if trial.user_attrs.get("status") == "error" and trial.number not in retried
    ]
    for trial in failed:
        study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
    return len(failed)


def _storage(paths: SweepPaths) -> optuna.storages.RDBStorage:
    return optuna.storages.RDBStorage(f"sqlite:///{paths.study}")


def _queue_grid(spec: SweepSpec, study: optuna.Study) -> None:
    """Queue what a grid search has not queued yet, in the grid's order."""
    if spec.search.algorithm != "grid":
        return
    queued = sum("retry_of" not in trial.user_attrs for trial in study.trials)
    for point in grid(spec)[queued:]:
        drawn = {key: v for key, v in point.items() if spec.space[key].kind != "fixed"}
        study.enqueue_trial(drawn)


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
            case "qmc":
                # The study remembers how far the sequence is.
                return QMCSampler(seed=spec.search.seed, scramble=True)
            case _:
                return RandomSampler(seed=seed)


def tell(study: optuna.Study, trial: optuna.Trial, status: str, objective: float | None) -> None:
    """Tell the study how a trial ended, in Optuna's words; an interrupted one waits again."""
    if status == "interrupted":
        trial.storage.set_trial_state_values(trial._trial_id, TrialState.WAITING)
        return
    state = STATES.get(status, TrialState.FAIL)
    if state is TrialState.COMPLETE and objective is None:
        state = TrialState.FAIL
    study.tell(trial, objective if state is TrialState.COMPLETE else None, state)


def _another_seed(seed: int, drawn: int) -> int:
    return random.Random(f"{seed}/{drawn}").getrandbits(32)
