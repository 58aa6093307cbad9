"""The pool of workers: a Ray cluster, and Ray Tune keeping a sweep's workers alive on it.

Ray Tune knows workers, not trials: each Ray trial is a worker for the whole sweep. Ray Tune places
it, gives it CPUs and GPUs, and starts it again, elsewhere if need be, when its process or machine
is lost. The sweep's trials go through a mailbox, from the searcher to the next worker that asks.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import _raylet, tune
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from analysis.program import program
from sweeps.search.databases import without_study_url
from sweeps.spec.sections import ResourcesSection, SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version
from sweeps.workers.environment import ClusterError, CutOffError, check_answers
from sweeps.workers.mailbox import PLACES, Letter, Mailbox, sealed
from sweeps.workers.messages import Answer
from sweeps.workers.token import check_token, local_token, private_folder
from sweeps.workers.trainable import WorkerSettings, trainable
from trainers.config import Execution

FAILED_STARTS = 5
"""Losses in a row without any letter between, after which no worker is expected to start."""
JOIN_SECONDS = 30.0
"""How long to wait for a cluster's machines: a head alone may have no CPU to offer."""
END_SECONDS = 10.0
"""How long workers may take to leave once there is no more work."""


@contextmanager
def cluster(address: str | None, resources: ResourcesSection) -> Iterator[int]:
    """Start Ray here, or join the cluster at an address.

    Yields:
        How many trials fit at a time.

    Raises:
        ClusterError: there is no cluster, or a trial does not fit into it.
    """
    if address is None:
        with local_token(), _ray(None):
            yield _slots(resources, 0)
        return
    check_answers(address)
    check_token()
    with _ray(address):
        yield _slots(resources, JOIN_SECONDS)


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    # Ray keeps the token of an earlier cluster of this process.
    _raylet.AuthenticationTokenLoader.instance().reset_cache()  # type: ignore[attr-defined]
    try:
        # Ray gives our environment to its daemons, and the study's address may hold a password.
        with without_study_url():
            ray.init(
                address=address or "local",
                # Ray's own is /tmp/ray, in which everybody may write. One inside ours: Ray opens
                # the folder that it is given to all.
                _temp_dir=None if address else str(private_folder() / "ray"),
                # One process less to wait for. A cluster that is joined has its own, or none.
                include_dashboard=False if address is None else None,
                # Lines of Ray's would break into the live view; see `_log_to`.
                configure_logging=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except Exception as error:  # Ray raises a plain one where a part of it starts too late
        place = f"at {address}" if address else "on this machine"
        reason = str(error).strip().splitlines()[0].rstrip(".")
        if address is not None and "connect" in reason.lower():
            # The address answered a moment ago: Ray calls a wrong token a failed connection.
            reason = "it answers and refuses us: is RAY_AUTH_TOKEN_PATH that of its own token?"
        raise ClusterError(f"no Ray cluster {place}: {reason}. Try `{program()} doctor`") from None
    try:
        yield
    finally:
        ray.shutdown()


class WorkerPool:
    """The workers of a sweep, as its driver sees them: letters, answers, losses."""

    # Any: Ray gives an actor's handle its methods at run time.
    def __init__(self, mailbox: Any) -> None:
        self._mailbox = mailbox
        self._losses: queue.Queue[tuple[str, str]] = queue.Queue()
        self._silent_losses = 0
        self.ended = threading.Event()
        self.failure: BaseException | None = None

    def answer(self, answers: Mapping[int, Answer]) -> None:
        """Answer letters, by their numbers."""
        if answers:
            contents = {number: sealed(answer) for number, answer in answers.items()}
            self._mailbox.answer.remote(contents)

    def letters(self, seconds: float) -> list[Letter]:
        """Wait for letters, at most so long.

        Raises:
            CutOffError: the cluster is gone, or Ray Tune failed.
        """
        letters: list[Letter]
        try:
            letters = ray.get(self._mailbox.letters.remote(seconds))
        except RayError as error:
            raise CutOffError(f"the Ray cluster is gone: {_first_line(error)}") from None
        if letters:
            self._silent_losses = 0
        elif self.failure is not None:
            raise CutOffError(f"Ray Tune failed: {_first_line(self.failure)}; see log.txt")
        return letters

    def lost(self) -> Iterator[tuple[str, str]]:
        """Yield the workers that were lost since the last call, each with the reason.

        Raises:
            CutOffError: worker after worker is lost, and none says anything.
        """
        while not self._losses.empty():
            worker, reason = self._losses.get()
            self._silent_losses += 1
            if self._silent_losses > FAILED_STARTS:
                raise CutOffError(f"no worker starts: {reason}; see log.txt")
            yield worker, reason

    def end(self, worker: str) -> None:
        """End the process of a worker that hangs; Ray Tune starts another."""
        self._mailbox.end.remote(worker)

    def stop(self) -> None:
        """Have the workers end their trials after the epoch at hand."""
        self._mailbox.stop.remote()

    def __getstate__(self) -> dict[str, object]:
        # Ray Tune pickles its callbacks into scratch files, for a restore that is never asked for.
        return {}

    def note_loss(self, worker: str, reason: str) -> None:
        """Take note of a loss; called from Ray Tune's thread."""
        self._losses.put((worker, reason))


@contextmanager
def worker_pool(
    spec: SweepSpec, paths: SweepPaths, data_root: Path, slots: int, trials: int
) -> Iterator[WorkerPool]:
    """Keep as many workers as fit and have work; on leaving, let them go.

    Args:
        spec: of the sweep.
        paths: of the sweep.
        data_root: the folder of all data, on each machine of the cluster.
        slots: how many trials the cluster can train at a time.
        trials: how many trials there are to train.

    Yields:
        The pool, whose workers are starting.
    """
    workers = min(slots, trials, spec.most_at_once or slots)
    # Unless told, Ray Tune prepares one worker at a time.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(workers)
    _log_to(paths.log)
    # Several sweeps may share a cluster, and an actor's name must be unique there.
    name = f"mailbox-{uuid.uuid4().hex}"
    # On the driver's machine: the loss of another one must not take the mailbox with it.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"num_cpus": 0, "name": name, "max_concurrency": PLACES}
    pool = WorkerPool(ray.remote(Mailbox).options(**options, scheduling_strategy=here).remote())
    execution = Execution(
        device="cuda" if spec.resources.gpus > 0 else "cpu",
        threads=max(1, int(spec.resources.cpus)),
        data_root=data_root,
        # A timed run that was cut off begins anew: half of it is no time of one process.
        checkpoint_folder=None if spec.purpose == "timing" else paths.checkpoints,
    )
    settings = WorkerSettings(spec, paths, execution, name, socket.gethostname(), code_version())
    # Ray Tune would take an earlier driver's scratch for an experiment to restore.
    shutil.rmtree(paths.ray, ignore_errors=True)
    # A process for each trial of a timing sweep, and for the second attempt at it.
    starts = 2 * trials if spec.purpose == "timing" else workers
    tuner = _tuner(paths, settings, workers, starts, pool)
    # `fit` returns when all work is done. A daemon: one that hangs must not hold the driver's end.
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
    paths: SweepPaths, settings: WorkerSettings, workers: int, starts: int, pool: WorkerPool
) -> tune.Tuner:
    resources = settings.spec.resources
    return tune.Tuner(
        tune.with_resources(
            tune.with_parameters(trainable, settings=settings),
            {"cpu": resources.cpus, "gpu": resources.gpus},
        ),
        tune_config=tune.TuneConfig(
            num_samples=starts,
            max_concurrent_trials=workers,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=paths.ray.name,
            storage_path=str(paths.folder),
            # -1: always start a worker again; the searcher counts how often a trial loses its own.
            failure_config=tune.FailureConfig(max_failures=-1),
            stop=_WorkIsDone(pool),
            callbacks=[_Losses(pool)],
            verbose=0,
        ),
    )


class _WorkIsDone(tune.Stopper):
    """Ends Ray Tune's run, even while a worker still waits for the resources to start."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._pool.ended.is_set()


class _Losses(tune.Callback):
    """Passes on the loss of a worker, which Ray Tune notices first."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def on_trial_recover(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
        self._pool.note_loss(trial.trial_id, _loss(trial))

    on_trial_error = on_trial_recover


def _loss(trial: Any) -> str:
    # The error is unpickled, which may fail in any way: its class may exist on the worker alone.
    with contextlib.suppress(Exception):
        error = trial.get_pickled_error()
        if error is not None:
            return _first_line(error)
    return "its process or its machine is gone"


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).strip().splitlines() if line]
    return f"{type(error).__name__}: {lines[-1] if lines else ''}".rstrip(": ")


def _slots(resources: ResourcesSection, patience: float) -> int:
    """Count the trials that fit at a time; wait `patience` seconds for machines to join."""
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
    """Send Ray's log to a file of the sweep's folder."""
    logger = logging.getLogger("ray")
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.handlers[:] = [handler]  # in place of Ray's own, which prints
    logger.propagate = False
    logger.setLevel(logging.INFO)
