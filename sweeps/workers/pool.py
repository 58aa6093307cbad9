"""The pool of workers: Ray Tune keeps a sweep's workers alive on a Ray cluster.

Ray Tune knows workers, not trials: each Ray trial is a worker. Ray Tune places it, gives it CPUs
and GPUs, and starts it again, elsewhere if need be, when its process or machine is lost. There are
as many as the sweep's share of the machines has places. The sweep's trials go through a mailbox,
from the searcher to the next worker that asks.
"""

from __future__ import annotations

import logging
import os
import queue
import shutil
import socket
import sys
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version
from sweeps.workers.boards import ClusterBoard, MachineBoard
from sweeps.workers.cluster import ended_daemons, offered
from sweeps.workers.environment import CutOffError
from sweeps.workers.mailbox import PLACES, Letter, Mailbox, sealed
from sweeps.workers.messages import Answer, Order
from sweeps.workers.places import Places
from sweeps.workers.shares import Claim
from sweeps.workers.trainable import WorkerSettings
from sweeps.workers.tuner import first_line, tuner_of
from trainers.config import Execution

FAILED_STARTS = 5
"""Losses in a row without any letter between, after which no worker is expected to start."""
MOST_PENDING = 1000
END_SECONDS = 10.0
"""How long workers may take to leave once there is no more work."""


class WorkerPool:
    """The workers of a sweep, as its driver sees them: letters, answers, losses."""

    # Any: Ray gives an actor's handle its methods at run time.
    def __init__(self, mailbox: Any, places: Places, most: int | None) -> None:
        self._mailbox = mailbox
        self._places = places
        self._most = most
        self._alive: set[str] = set()
        self._losses: queue.Queue[tuple[str, str]] = queue.Queue()
        self._silent_losses = 0
        self.ended = threading.Event()
        self.failure: BaseException | None = None

    def answer(self, answers: Mapping[int, Answer]) -> None:
        """Answer letters, by their numbers."""
        if answers:
            contents = {number: sealed(answer) for number, answer in answers.items()}
            self._mailbox.answer.remote(contents)

    def lay_out(self, orders: Mapping[int, Order]) -> None:
        """Lay out orders, by their trials' numbers, for workers whose trials end."""
        self._mailbox.lay_out.remote({number: sealed(one) for number, one in orders.items()})

    def take_back(self) -> list[int]:
        """Take back the orders that no worker has taken; return their trials' numbers.

        Raises:
            CutOffError: the cluster is gone.
        """
        try:
            numbers: list[int] = ray.get(self._mailbox.take_back.remote())
        except RayError as error:
            raise CutOffError(f"the Ray cluster is gone: {first_line(error)}") from None
        return numbers

    def letters(self, seconds: float) -> list[Letter]:
        """Wait for letters, at most so long.

        Raises:
            CutOffError: the cluster is gone, or Ray Tune failed.
        """
        if ended := ended_daemons():
            raise CutOffError(f"Ray has ended: its {' and '.join(ended)} died")
        letters: list[Letter]
        try:
            letters = ray.get(self._mailbox.letters.remote(seconds))
        except RayError as error:
            raise CutOffError(f"the Ray cluster is gone: {first_line(error)}") from None
        if letters:
            self._silent_losses = 0
        elif self.failure is not None:
            raise CutOffError(f"Ray Tune failed: {first_line(self.failure)}; see log.txt")
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

    def places(self, wanted: int) -> int:
        """Return how many workers the sweep may keep; `wanted`: how many trials are left."""
        self._places.note(wanted=wanted if self._most is None else min(wanted, self._most))
        return self._places.kept

    def company(self) -> str:
        """Say who shares the machines, and whether the sweep waits for them; empty if nobody."""
        return self._places.company

    def end(self, worker: str) -> None:
        """End the process of a worker that hangs; Ray Tune starts another."""
        self._mailbox.end.remote(worker)

    def stop(self) -> None:
        """Have the workers end their trials after the epoch at hand."""
        self._mailbox.stop.remote()

    def __getstate__(self) -> dict[str, object]:
        # Ray Tune pickles its callbacks into scratch files, for a restore that is never asked for.
        return {}

    # The methods below are called from Ray Tune's thread.

    def note_loss(self, worker: str, reason: str) -> None:
        """Take note of a loss."""
        self._losses.put((worker, reason))

    def start(self, worker: str) -> bool:
        """Return True if a worker may start."""
        if len(self._alive) >= self._places.startable:
            return False
        self._alive.add(worker)
        self._places.note(held=len(self._alive))
        return True

    def note_end(self, worker: str) -> None:
        """Take note that a worker has left."""
        self._alive.discard(worker)
        self._places.note(held=len(self._alive))

    @property
    def too_many(self) -> int:
        """Count the workers that it has beyond its share."""
        return max(0, len(self._alive) - self._places.startable)


@contextmanager
def worker_pool(
    spec: SweepSpec, paths: SweepPaths, data_root: Path, joined: bool, trials: int
) -> Iterator[WorkerPool]:
    """Keep as many workers as the sweep's share has places for; on leaving, let them go.

    Args:
        spec: of the sweep.
        paths: of the sweep.
        data_root: the folder of all data, on each machine of the cluster.
        joined: True where other sweeps and machines may join the cluster, too.
        trials: how many trials there are to train.

    Yields:
        The pool, whose workers are starting.
    """
    # How many workers may wait for their machine is decided in `WorkerPool.start`.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(MOST_PENDING)
    _log_to(paths.log)
    # Several sweeps may share a cluster, and an actor's name must be unique there.
    name = f"mailbox-{uuid.uuid4().hex}"
    # On the driver's machine: the loss of another one must not take the mailbox with it.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options = {"num_cpus": 0, "name": name, "max_concurrency": PLACES}
    mailbox = ray.remote(Mailbox).options(**options, scheduling_strategy=here).remote()
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
    most = spec.most_at_once
    with _places(spec, joined, min(trials, most or trials)) as places:
        pool = WorkerPool(mailbox, places, most)
        tuner = tuner_of(spec, paths, settings, pool)
        # `fit` returns when all work is done. A daemon: one that hangs must not hold the driver.
        thread = threading.Thread(
            target=_keep_alive, args=(tuner, pool), name="ray-tune", daemon=True
        )
        thread.start()
        try:
            yield pool
        finally:
            pool.ended.set()
            thread.join(END_SECONDS)


def _places(spec: SweepSpec, joined: bool, wanted: int) -> Places:
    asked = spec.resources
    claim = Claim(spec.name, wanted, 0, asked.cpus, asked.gpus, spec.priority)
    return Places(ClusterBoard() if joined else MachineBoard(), claim, offered, growing=joined)


def _keep_alive(tuner: tune.Tuner, pool: WorkerPool) -> None:
    try:
        tuner.fit()
    except Exception as error:  # handed to the driver's own thread
        if not pool.ended.is_set():
            pool.failure = error


class _Log(logging.FileHandler):
    """A log whose lines are lost where the disk takes none."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (its base's name)
        # Else it would print a traceback for each line of Ray's between those of the sweep.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)


def _log_to(path: Path) -> None:
    """Send Ray's log to a file of the sweep's folder."""
    logger = logging.getLogger("ray")
    handler = _Log(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.handlers[:] = [handler]  # in place of Ray's own, which prints
    logger.propagate = False
    logger.setLevel(logging.INFO)
