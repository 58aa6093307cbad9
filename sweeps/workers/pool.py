"""All that needs Ray: a cluster, and Ray Tune keeping a sweep's workers alive on it.

Ray Tune knows workers, not trials: each of its trials is a worker for the whole sweep, which it
places, gives CPUs and GPUs, and starts again, elsewhere if need be, when its process or machine is
lost. The trials go through a mailbox, from the searcher to whichever worker asks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweeps.search.databases import without_study_url
from sweeps.spec.sections import ResourcesSection, SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.workers.environment import ClusterError, check_answers
from sweeps.workers.mailbox import PLACES, Letter, Mailbox
from sweeps.workers.trainable import WorkerSettings, trainable

FAILED_STARTS = 5
"""Losses in a row, without a word from any worker, after which none can be expected to start."""
JOIN_SECONDS = 30.0
"""How long to wait for a cluster's machines: a head alone may have no CPU to offer."""
END_SECONDS = 10.0
"""How long workers that have no more work may take to leave."""


@contextmanager
def cluster(address: str | None, resources: ResourcesSection) -> Iterator[int]:
    """Start Ray here, or join the cluster at an address; yield how many trials fit at a time.

    Raises:
        ClusterError: with what to do.
    """
    if address is not None:
        check_answers(address)
    try:
        with without_study_url():
            ray.init(
                address=address or "local",
                include_dashboard=False if address is None else None,
                configure_logging=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except Exception as error:  # where a part of it does not start in time, Ray raises no other
        place = f"at {address}" if address else "on this machine"
        reason = str(error).strip().splitlines()[0]
        if address is not None and "connect" in reason.lower():
            # It answered a moment ago, and Ray words a wrong token as a failed connection.
            reason = "it answers and refuses us: is RAY_AUTH_TOKEN_PATH that of its own token?"
        raise ClusterError(f"no Ray cluster {place}: {reason}. Try `sweeps doctor`") from None
    try:
        yield _slots(resources, 0 if address is None else JOIN_SECONDS)
    finally:
        ray.shutdown()


class WorkerPool:
    """The workers of a sweep, as its driver sees them: letters, answers, losses."""

    def __init__(self, mailbox: Any) -> None:
        self._mailbox = mailbox
        self._losses: queue.Queue[tuple[str, str]] = queue.Queue()
        self._silent_losses = 0
        self.ended = threading.Event()
        self.failure: BaseException | None = None

    def answer(self, answers: Mapping[int, Any]) -> None:
        """Answer letters, by their numbers."""
        if answers:
            self._mailbox.answer.remote(answers)

    def letters(self, seconds: float) -> list[Letter]:
        """Wait for letters, at most so long.

        Raises:
            ClusterError: workers do not start, or Ray Tune failed.
        """
        letters: list[Letter]
        try:
            letters = ray.get(self._mailbox.letters.remote(seconds))
        except RayError as error:
            raise ClusterError(
                f"the Ray cluster is gone: {_first_line(error)}. The results are safe; go on with"
                " `sweeps resume`"
            ) from None
        if letters:
            self._silent_losses = 0
        elif self.failure is not None:
            raise ClusterError(f"Ray Tune failed: {_first_line(self.failure)}; see log.txt")
        return letters

    def lost(self) -> Iterator[tuple[str, str]]:
        """Name the workers that were lost since, and why.

        Raises:
            ClusterError: nothing but losses.
        """
        while not self._losses.empty():
            worker, reason = self._losses.get()
            self._silent_losses += 1
            if self._silent_losses > FAILED_STARTS:
                raise ClusterError(f"no worker starts: {reason}; see log.txt")
            yield worker, reason

    def stop(self) -> None:
        """Have the workers end their trials after the epoch at hand."""
        self._mailbox.stop.remote()

    def __getstate__(self) -> dict[str, Any]:
        # Ray Tune pickles what it calls back into its scratch files, for a restore of its own.
        return {}

    def note_loss(self, worker: str, reason: str) -> None:
        """Take note of a loss; called from Ray Tune's thread."""
        self._losses.put((worker, reason))


@contextmanager
def worker_pool(
    spec: SweepSpec, paths: SweepPaths, data_root: Path, slots: int, trials: int
) -> Iterator[WorkerPool]:
    """Keep as many workers as fit and have work; on leaving, let them go."""
    at_a_time = slots if spec.concurrency == "auto" else min(slots, spec.concurrency)
    workers = min(at_a_time, trials)
    # Unless told, Ray Tune prepares one worker at a time.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(workers)
    _log_to(paths.log)
    name = f"mailbox-{uuid.uuid4().hex}"
    # Beside the driver: the loss of another machine must not take the mailbox with it.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"num_cpus": 0, "name": name, "max_concurrency": PLACES}
    pool = WorkerPool(ray.remote(Mailbox).options(**options, scheduling_strategy=here).remote())
    settings = WorkerSettings(
        spec=spec.model_dump(mode="json"),
        root=str(paths.root),
        data_root=str(data_root),
        device="cuda" if spec.resources.gpus > 0 else "cpu",
        threads=max(1, int(spec.resources.cpus)),
        mailbox=name,
    )
    # An earlier driver's scratch would only be mistaken for an experiment to restore.
    shutil.rmtree(paths.ray, ignore_errors=True)
    tuner = _tuner(spec, paths, settings, workers, pool)
    thread = threading.Thread(target=_keep_alive, args=(tuner, pool), name="ray-tune", daemon=True)
    thread.start()
    try:
        yield pool
    finally:
        pool.ended.set()
        thread.join(END_SECONDS)


def _keep_alive(tuner: tune.Tuner, pool: WorkerPool) -> None:
    try:
        tuner.fit()
    except Exception as error:  # handed to the driver's own thread
        if not pool.ended.is_set():
            pool.failure = error


def _tuner(
    spec: SweepSpec, paths: SweepPaths, settings: WorkerSettings, workers: int, pool: WorkerPool
) -> tune.Tuner:
    return tune.Tuner(
        tune.with_resources(
            tune.with_parameters(trainable, settings=settings),
            {"cpu": spec.resources.cpus, "gpu": spec.resources.gpus},
        ),
        tune_config=tune.TuneConfig(
            num_samples=workers,
            max_concurrent_trials=workers,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=paths.ray.name,
            storage_path=str(paths.folder),
            # How often a trial may lose its worker is the searcher's to say.
            failure_config=tune.FailureConfig(max_failures=-1),
            stop=_WorkIsDone(pool),
            callbacks=[_Losses(pool)],
            verbose=0,
        ),
    )


class _WorkIsDone(tune.Stopper):
    """Ends Ray Tune's run, also where a worker never got the resources to start."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._pool.ended.is_set()


class _Losses(tune.Callback):
    """Passes on what Ray Tune notices first: that a worker is gone."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._pool.note_loss(trial.trial_id, _loss(trial))

    on_trial_error = on_trial_recover


def _loss(trial: Any) -> str:
    with contextlib.suppress(Exception):
        return _first_line(trial.get_pickled_error())
    return "no reason is known"


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).strip().splitlines() if line]
    return f"{type(error).__name__}: {lines[-1] if lines else ''}".rstrip(": ")


def _slots(resources: ResourcesSection, patience: float) -> int:
    """Count how many trials fit; machines of a young cluster join it within `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        offered = ray.cluster_resources()
        slots = int(offered.get("CPU", 0) / resources.cpus)
        if resources.gpus > 0:
            slots = min(slots, int(offered.get("GPU", 0) / resources.gpus))
        if slots >= 1 or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    if slots < 1:
        raise ClusterError(
            f"a trial asks for {resources.cpus:g} CPUs and {resources.gpus:g} GPUs, and the cluster"
            f" has {offered.get('CPU', 0):g} and {offered.get('GPU', 0):g}; ask for less in"
            " `resources`"
        )
    return slots


def _log_to(path: Path) -> None:
    """Send what Ray has to say to a file of the sweep's folder."""
    logger = logging.getLogger("ray")
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
