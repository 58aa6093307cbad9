"""The mailbox: an actor of Ray in which workers leave letters that the driver takes out.

A worker of Ray cannot call its driver. Ray Tune's own way, a Ray trial for each of ours, costs 0.1
to 1.5 s a trial; a letter and its answer cost a few milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweeps.workers.messages import Answer, Message

PLACES = 10_000
"""Calls that may wait in the mailbox at a time: one for each worker, and the driver's."""


def sealed(content: Message | Answer) -> bytes:
    """Turn a message or an answer into bytes.

    The mailbox passes them on unopened: to open them its process would have to import pandas,
    which takes longer than a trial may.
    """
    return pickle.dumps(content)


def opened(content: bytes) -> Answer:
    """Return the answer that was sealed."""
    answer: Answer = pickle.loads(content)
    return answer


@dataclass(frozen=True)
class Letter:
    """A worker's message on its way to the driver, sealed."""

    number: int
    worker: str
    content: bytes
    waits: bool = True
    """True where the worker waits for an answer."""
    taken: int | None = None
    """The trial of the order that the worker was handed at once; None: none."""

    @property
    def message(self) -> Message:
        """The message that was sealed."""
        message: Message = pickle.loads(self.content)
        return message


class Mailbox:
    """Letters that wait for the driver, and workers that wait for its answers.

    A worker whose trial has ended need not wait for the driver's turn where orders are laid out.
    """

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._news = asyncio.Event()
        self._count = 0
        self._stopping = False
        self._actors: dict[str, bytes] = {}
        self._orders: dict[int, bytes] = {}

    async def introduce(self, worker: str, actor: bytes) -> None:
        """Keep the pickled handle of a worker's actor, by which its process can be ended.

        Unpickled, it imports what the actor's class needs: Ray Tune, pandas and our worker.
        """
        self._actors[worker] = actor

    async def end(self, worker: str) -> None:
        """End the process of a worker that hangs; Ray Tune starts another."""
        import ray

        actor = self._actors.pop(worker, None)
        if actor is not None:
            ray.kill(pickle.loads(actor), no_restart=True)

    async def ask(self, worker: str, content: bytes, takes: bool = False) -> bytes:
        """Leave a letter and wait for its answer.

        Args:
            worker: that asks.
            content: of the letter.
            takes: True where any order is an answer: the first that is laid out is taken.
        """
        # A worker that was ended may take a last breath.
        if takes and self._orders and not self._stopping and worker in self._actors:
            number = next(iter(self._orders))
            self._put(worker, content, waits=False, taken=number)
            return self._orders.pop(number)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[self._put(worker, content, waits=True)] = answer
        return await answer

    async def tell(self, worker: str, content: bytes) -> bool:
        """Leave a letter that needs no answer; return True if the sweep stops."""
        self._put(worker, content, waits=False)
        return self._stopping

    async def answer(self, answers: Mapping[int, bytes]) -> None:
        """Give the driver's answers out, by the number of the letter each belongs to."""
        for number, content in answers.items():
            answer = self._answers.pop(number, None)
            # The worker of a letter may have died since, and its call with it.
            if answer is not None and not answer.done():
                answer.set_result(content)

    async def lay_out(self, orders: Mapping[int, bytes]) -> None:
        """Lay out orders, by the numbers of their trials, behind those that are there."""
        self._orders |= orders

    async def take_back(self) -> list[int]:
        """Take all orders back that no worker has taken; return their trials' numbers."""
        numbers = list(self._orders)
        self._orders.clear()
        return numbers

    async def letters(self, seconds: float) -> list[Letter]:
        """Return the letters that wait, or, where none does, those of the next `seconds`."""
        if not self._letters:
            # The wait ends with the first letter: its worker trains nothing until it is answered.
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)
        letters, self._letters = self._letters, []
        return letters

    async def stop(self) -> None:
        """Tell workers to stop when they next report an epoch, and hand out nothing more."""
        self._stopping = True

    def _put(self, worker: str, content: bytes, waits: bool, taken: int | None = None) -> int:
        self._count += 1
        self._letters.append(Letter(self._count, worker, content, waits, taken))
        self._news.set()
        return self._count
