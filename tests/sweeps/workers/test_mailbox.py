"""Letters reach the driver and answers their workers, as the values that were sent."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from analysis.store.statuses import Status
from sweeps.search.open_trials import EpochEnded, TrialOutcome
from sweeps.workers.mailbox import Letter, Mailbox, opened, sealed
from sweeps.workers.messages import EpochAnswer, Joined, Message, Order, TrialEnded

OUTCOME = TrialOutcome(
    Status.DIVERGED, error="epoch 1, step 7", started_at=datetime(2026, 1, 2, tzinfo=UTC)
)
ORDER = Order(3, {"s": 5, "activation": "apl"}, fresh=True, search_seconds=0.25)


@pytest.mark.parametrize("message", [Joined(), EpochEnded(1, 2, 3.5), TrialEnded(OUTCOME)])
def test_a_letter_holds_the_message_that_was_sent(message: Message) -> None:
    received = Letter(0, "a", sealed(message)).message
    assert received == message
    if isinstance(received, TrialEnded):
        assert received.outcome.status is Status.DIVERGED


@pytest.mark.parametrize("answer", [ORDER, EpochAnswer("not among the best", stopping=False), None])
def test_an_answer_is_opened_as_it_was_sent(answer: Order | EpochAnswer | None) -> None:
    assert opened(sealed(answer)) == answer


def test_each_worker_gets_the_answer_to_its_own_letter() -> None:
    async def play() -> None:
        mailbox = Mailbox()
        asking = [asyncio.create_task(mailbox.ask(name, sealed(Joined()))) for name in "ab"]
        await asyncio.sleep(0)
        first, second = await mailbox.letters(seconds=5.0)
        assert (first.worker, second.worker) == ("a", "b")
        await mailbox.answer({second.number: sealed(ORDER), first.number: sealed(None)})
        assert [opened(content) for content in await asyncio.gather(*asking)] == [None, ORDER]

    asyncio.run(play())


def test_a_letter_that_needs_no_answer_says_whether_the_sweep_stops() -> None:
    async def play() -> None:
        mailbox = Mailbox()
        epoch = sealed(EpochEnded(0, 1, 50.0))
        assert not await mailbox.tell("a", epoch)
        await mailbox.stop()
        assert await mailbox.tell("a", epoch)
        letters = await mailbox.letters(seconds=5.0)
        assert [letter.waits for letter in letters] == [False, False]
        assert await mailbox.letters(seconds=0.01) == []

    asyncio.run(play())


def test_an_order_that_is_laid_out_answers_the_first_worker_whose_trial_ends() -> None:
    async def play() -> None:
        mailbox, ended = Mailbox(), sealed(TrialEnded(OUTCOME))
        for worker in "abc":
            await mailbox.introduce(worker, b"never opened")
        await mailbox.lay_out({3: b"third", 4: b"fourth", 5: b"fifth"})
        assert await mailbox.ask("a", ended, takes=True) == b"third"
        waiting = [
            asyncio.create_task(mailbox.ask("b", sealed(Joined()))),
            asyncio.create_task(mailbox.ask("unknown", ended, takes=True)),
        ]
        await asyncio.sleep(0)
        assert await mailbox.ask("c", ended, takes=True) == b"fourth"
        assert await mailbox.take_back() == [5]
        assert await mailbox.take_back() == []
        letters = await mailbox.letters(seconds=5.0)
        assert [(one.worker, one.taken) for one in letters] == [
            ("a", 3),
            ("b", None),
            ("unknown", None),
            ("c", 4),
        ]
        assert [one.waits for one in letters] == [False, True, True, False]
        await mailbox.lay_out({6: b"sixth"})
        await mailbox.stop()
        waiting.append(asyncio.create_task(mailbox.ask("a", ended, takes=True)))
        await asyncio.sleep(0)
        assert [one.taken for one in await mailbox.letters(seconds=5.0)] == [None]
        for task in waiting:
            task.cancel()

    asyncio.run(play())


def test_the_mailbox_s_process_imports_nothing_heavy() -> None:
    """Each letter of a worker goes through it: a second's import there is a second for all."""
    look = "import sys, sweeps.workers.mailbox; print(sorted({'pandas', 'torch'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
