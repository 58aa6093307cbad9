"""Where workers put what they have to say, and one driver fetches it: an actor of Ray.

A worker of Ray cannot call its driver. Ray Tune's own way, a trial each, costs 0.1 to 1.5 s a
trial; a letter and its answer cost a few milliseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

PLACES = 10_000
"""Calls that may wait in the mailbox at a time: one for each worker, and the driver's."""


@dataclass(frozen=True)
class Letter:
    """What a worker says: that it is there, what an epoch came to, how its trial ended."""

    number: int
    worker: str
    kind: Literal["join", "epoch", "end"]
    content: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = True
    """Whether its worker waits for an answer."""


class Mailbox:
    """Letters that wait for the driver, and workers that wait for its answers."""

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._news = asyncio.Event()
        self._count = 0
        self._stopping = False

    async def ask(self, worker: str, kind: str, content: Mapping[str, Any]) -> Any:
        """Leave a letter and wait for its answer."""
        answer = asyncio.get_running_loop().create_future()
        self._answers[self._put(worker, kind, content, waits=True)] = answer
        return await answer

    async def tell(self, worker: str, kind: str, content: Mapping[str, Any]) -> bool:
        """Leave a letter that needs no answer; return whether the sweep is to stop."""
        self._put(worker, kind, content, waits=False)
        return self._stopping

    async def answer(self, answers: Mapping[int, Any]) -> None:
        """Give the driver's answers out, by the number of the letter each belongs to."""
        for number, content in answers.items():
            answer = self._answers.pop(number, None)
            if answer is not None and not answer.done():
                answer.set_result(content)

    async def letters(self, seconds: float) -> list[Letter]:
        """Return the letters, once there are any, or none after so long."""
        if not self._letters:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), seconds)
        letters, self._letters = self._letters, []
        return letters

    async def stop(self) -> None:
        """Have workers told to stop when they next report an epoch."""
        self._stopping = True

    def _put(self, worker: str, kind: Any, content: Mapping[str, Any], waits: bool) -> int:
        self._count += 1
        self._letters.append(Letter(self._count, worker, kind, content, waits))
        self._news.set()
        return self._count
