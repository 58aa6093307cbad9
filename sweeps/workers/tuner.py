"""Ray Tune, as far as it serves us: it starts workers, starts lost ones again, and places them."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Protocol

from ray import tune
from ray.tune.progress_reporter import TrialProgressCallback
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher

from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.workers.trainable import WorkerSettings, trainable


class Workers(Protocol):
    """A pool of workers as Ray Tune's thread sees it; see `sweeps.workers.pool.WorkerPool`."""

    ended: threading.Event

    @property
    def too_many(self) -> int:
        """Count the workers that it has beyond its share."""

    def start(self, worker: str) -> bool:
        """Return True if a worker may start."""

    def note_end(self, worker: str) -> None:
        """Take note that a worker has left."""

    def note_loss(self, worker: str, reason: str) -> None:
        """Take note of a loss."""


def tuner_of(
    spec: SweepSpec, paths: SweepPaths, settings: WorkerSettings, pool: Workers
) -> tune.Tuner:
    """Make a tuner whose trials are a sweep's workers."""
    return tune.Tuner(
        tune.with_resources(
            tune.with_parameters(trainable, settings=settings),
            {"cpu": spec.resources.cpus, "gpu": spec.resources.gpus},
        ),
        tune_config=tune.TuneConfig(
            search_alg=_Workers(pool),
            scheduler=_Withdrawal(pool),
            num_samples=-1,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=paths.ray.name,
            storage_path=str(paths.folder),
            # -1: always start a worker again; the searcher counts how often a trial loses its own.
            failure_config=tune.FailureConfig(max_failures=-1),
            stop=_WorkIsDone(pool),
            callbacks=[_Losses(pool), _NoLines()],
            progress_reporter=_Silence(),
            verbose=0,
        ),
    )


class _Workers(Searcher):
    """Lets Ray Tune start a worker whenever there is a place; the drawing of trials is not its."""

    def __init__(self, pool: Workers) -> None:
        super().__init__()
        self._pool = pool

    def suggest(self, trial_id: str) -> Any:  # Ray leaves its own FINISHED, a text, out of the type
        # With no worker alive, Ray Tune asks again and again for ten minutes, unless it hears this.
        if self._pool.ended.is_set():
            return Searcher.FINISHED
        return {} if self._pool.start(trial_id) else None

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        self._pool.note_end(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: no experiment is ever restored."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""


class _Withdrawal(FIFOScheduler):
    """Withdraws workers that still wait for a place when it is another sweep's turn.

    A place that is given back would else go to one of our own, which has waited for longer.
    """

    def __init__(self, pool: Workers) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._pool = pool

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        if self._pool.too_many:
            waiting = [one for one in tune_controller.get_trials() if one.status == "PENDING"]
            for one in waiting[: self._pool.too_many]:
                tune_controller.stop_trial(one)
        return super().choose_trial_to_run(tune_controller)


class _WorkIsDone(tune.Stopper):
    """Ends Ray Tune's run, even while a worker still waits for the resources to start."""

    def __init__(self, pool: Workers) -> None:
        self._pool = pool

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._pool.ended.is_set()


class _Silence(tune.ProgressReporter):
    """Reports nothing: Ray Tune's own view of a notebook clears the cell that shows ours."""

    def should_report(self, trials: list[Any], done: bool = False) -> bool:
        return False


class _NoLines(TrialProgressCallback):
    """Prints nothing: Ray Tune's own calls a worker that leaves a trial that has completed."""

    def _print(self, msg: str) -> None:
        pass


class _Losses(tune.Callback):
    """Passes on the loss of a worker, which Ray Tune notices first."""

    def __init__(self, pool: Workers) -> None:
        self._pool = pool

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._pool.note_loss(trial.trial_id, _loss(trial))

    on_trial_error = on_trial_recover


def _loss(trial: Any) -> str:
    # The error is unpickled, which may fail in any way: its class may exist on the worker alone.
    with contextlib.suppress(Exception):
        error = trial.get_pickled_error()
        if error is not None:
            return first_line(error)
    return "its process or its machine is gone"


def first_line(error: BaseException) -> str:
    """Name an error by its class and the last line of its text."""
    lines = [line for line in str(error).strip().splitlines() if line]
    return f"{type(error).__name__}: {lines[-1] if lines else ''}".rstrip(": ")
