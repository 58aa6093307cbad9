"""A cluster of simulated workers, with a clock of its own; it stands for `WorkerPool`."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from simulated_processes import Disk, Killed, Process
from simulated_training import Training

from sweeps.search.open_trials import EpochEnded, TrialOutcome
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.workers.mailbox import Letter, opened, sealed
from sweeps.workers.messages import Alive, Answer, Joined, Message, Order, TrialEnded
from sweeps.workers.storage import StorageError
from sweeps.workers.trial import train_trial
from trainers import EpochRecord, Execution
from trainers.records import RunStopped

BEAT_SECONDS = 5.0
RESTART_SECONDS = 3.0
"""The time from the loss of a worker to the start of the next."""


@dataclass
class Faults:
    """Probabilities, each at a step of a worker or a turn of the driver."""

    kill: float = 0.0
    hang: float = 0.0
    delay: float = 0.0
    kill_driver: float = 0.0
    kill_at_disk: float = 0.0
    disk_error: float = 0.0
    share: float = 0.0
    """That another sweep takes places, or gives them back."""


@dataclass
class Worker:
    """A place of the cluster, and the process that holds it."""

    name: str
    process: Process | None = None
    starts_at: float = 0.0
    hangs_until: float = 0.0
    waits_for: int = 0
    """The letter whose answer it waits for; 0 while it trains."""
    answer: bytes | None = None
    beat_at: float = 0.0
    steps: int = 0
    left: bool = False
    posted: list[tuple[float, Letter]] = field(default_factory=list)
    """Letters on their way, each with its arrival."""
    lost_at: float | None = None


class Cluster:
    """Workers that train, die, hang and come back, and letters that take their time."""

    def __init__(
        self,
        spec: SweepSpec,
        paths: SweepPaths,
        workers: int,
        seed: random.Random,
        disk: Disk,
        faults: Faults,
        training: Training,
    ) -> None:
        self.now = 0.0
        self._spec, self._paths = spec, paths
        self._random, self._disk, self._faults = seed, disk, faults
        self._training = training
        self._workers = {f"w{number}": Worker(f"w{number}") for number in range(workers)}
        self._count = 0
        self._stopping = False
        self._running: Process | None = None
        self._orders: dict[int, bytes] = {}
        self._places = workers

    def clock(self) -> float:
        return self.now

    def letters(self, seconds: float) -> list[Letter]:
        if self._random.random() < self._faults.kill_driver:
            self._disk.count("driver killed")
            self._disk.driver_killed = True
            raise Killed
        until = self.now + seconds
        while True:
            self._beat()
            if arrived := self._arrived():
                return arrived
            if self.now >= until:
                return []
            ready = [one for one in self._workers.values() if self._ready(one)]
            if ready:
                self._step(self._random.choice(ready))
                self.now += self._random.expovariate(5.0)
            else:
                self.now = min(until, self.now + 0.5)

    def answer(self, answers: Mapping[int, Answer]) -> None:
        for one in self._workers.values():
            if one.waits_for in answers:
                one.answer = sealed(answers[one.waits_for])

    def lay_out(self, orders: Mapping[int, Order]) -> None:
        self._orders |= {number: sealed(order) for number, order in orders.items()}

    def take_back(self) -> list[int]:
        numbers = list(self._orders)
        self._orders.clear()
        return numbers

    def places(self, wanted: int) -> int:
        """Change the share at times; a worker that left comes back when there is a place."""
        if self._random.random() < self._faults.share:
            self._disk.count("share changed")
            self._places = self._random.randint(0, len(self._workers))
        here = [one for one in self._workers.values() if not one.left]
        for one in self._workers.values():
            if one.left and len(here) < min(self._places, wanted):
                one.left, one.process, one.starts_at = False, None, self.now + RESTART_SECONDS
                here.append(one)
        return self._places

    def lost(self) -> list[tuple[str, str]]:
        found = []
        for one in self._workers.values():
            if one.lost_at is not None and self.now >= one.lost_at:
                one.lost_at = None
                found.append((one.name, "killed"))
        return found

    def end(self, worker: str) -> None:
        self._disk.count("hung worker replaced")
        self._kill(self._workers[worker])

    def stop(self) -> None:
        self._stopping = True

    def close(self, steps: int) -> None:
        """End all workers; they may take some steps more, as after the loss of a driver."""
        for _ in range(steps):
            if ready := [one for one in self._workers.values() if self._ready(one)]:
                self._step(self._random.choice(ready))
        for one in self._workers.values():
            if one.process is not None and not one.process.ended:
                one.process.kill()

    def step(self) -> None:
        """Let time pass in the worker that trains now; it may be its last moment."""
        assert self._running is not None
        self._running.wait()

    def _ready(self, one: Worker) -> bool:
        if one.left or self.now < one.starts_at or self.now < one.hangs_until:
            return False
        return not one.waits_for or one.answer is not None

    def _step(self, one: Worker) -> None:
        if one.process is None:
            one.process = Process(one.name, lambda process: self._work(one, process))
            self._disk.processes.append(one.process)
        elif self._random.random() < self._faults.kill:
            self._disk.count("worker killed")
            self._kill(one)
            return
        elif self._random.random() < self._faults.hang:
            self._disk.count("worker hung")
            one.hangs_until = self.now + self._random.choice([5.0, 15.0, 1e9])
            return
        self._running = one.process
        one.steps += 1
        one.process.go_on()
        if isinstance(one.process.failure, OSError):
            self._disk.count("worker ended by the disk")
        elif one.process.failure is not None:
            raise AssertionError(f"{one.name} failed") from one.process.failure
        if one.process.ended and not one.left:
            self._gone(one)

    def _kill(self, one: Worker) -> None:
        if one.process is not None and not one.process.ended:
            one.process.kill()
        self._gone(one)

    def _gone(self, one: Worker) -> None:
        one.process, one.waits_for, one.answer, one.hangs_until = None, 0, None, 0.0
        one.lost_at = self.now + self._random.uniform(0.0, 1.0)
        one.starts_at = self.now + RESTART_SECONDS

    def _beat(self) -> None:
        for one in self._workers.values():
            alive = one.process is not None and not one.left and self.now >= one.hangs_until
            if alive and self.now - one.beat_at >= BEAT_SECONDS:
                one.beat_at = self.now
                self._post(one, Alive(one.steps), waits=False)

    def _arrived(self) -> list[Letter]:
        """Take out the letters that have arrived: in order from one worker, not across them."""
        found = []
        for one in self._random.sample(list(self._workers.values()), len(self._workers)):
            while one.posted and one.posted[0][0] <= self.now:
                found.append(one.posted.pop(0)[1])
        return found

    def _post(self, one: Worker, message: Message, waits: bool, taken: int | None = None) -> None:
        self._count += 1
        late = self._random.random() < self._faults.delay
        if late:
            self._disk.count("letter delayed")
        arrives = self.now + (self._random.uniform(0.0, 10.0) if late else 0.0)
        earlier = one.posted[-1][0] if one.posted else 0.0
        letter = Letter(self._count, one.name, sealed(message), waits, taken)
        one.posted.append((max(arrives, earlier), letter))

    def _ask(self, one: Worker, process: Process, message: Message) -> Answer:
        if isinstance(message, TrialEnded) and self._orders and not self._stopping:
            number = next(iter(self._orders))
            self._disk.count("order taken")
            self._post(one, message, waits=False, taken=number)
            order = self._orders.pop(number)
            process.wait()
            return opened(order)
        self._post(one, message, waits=True)
        one.waits_for, one.answer = self._count, None
        process.wait()
        assert one.answer is not None
        answer, one.answer, one.waits_for = opened(one.answer), None, 0
        return answer

    def _work(self, one: Worker, process: Process) -> None:
        def on_epoch(seed_index: int, record: EpochRecord, warning: str) -> None:
            message = EpochEnded(seed_index, record.epoch, record.val_error_percent, warning)
            self._post(one, message, waits=False)
            if self._stopping and record.epoch < self._spec.recipe.epochs:
                raise RunStopped("interrupted")

        execution = Execution(checkpoint_folder=self._paths.checkpoints)
        order = self._ask(one, process, Joined())
        while isinstance(order, Order):
            try:
                outcome: TrialOutcome = train_trial(
                    self._spec,
                    self._paths,
                    order.number,
                    order.params,
                    execution,
                    on_epoch,
                    fresh=order.fresh,
                )
            except StorageError as error:
                order = self._ask(one, process, Joined(str(error)))
                continue
            order = self._ask(one, process, TrialEnded(outcome))
        one.left = True
