"""Time is counted once, in the innermost part."""

import contextlib
import time

import pytest

from trainers.seconds import Seconds


class Clock:
    """A clock that goes on when it is told to."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def test_a_block_inside_another_takes_its_time_from_it(clock):
    seconds = Seconds(snapshot=10.0)
    with seconds.on("evaluation"):
        clock.now += 1
        with seconds.on("snapshot"):
            clock.now += 4
        clock.now += 2
    assert (seconds.evaluation, seconds.snapshot) == (3.0, 14.0)


def test_an_earlier_attempts_seconds_are_none_of_the_block_in_which_they_are_added(clock):
    seconds = Seconds()
    with seconds.on("setup"):
        clock.now += 3
        seconds.add(Seconds(train=100.0, setup=2.0))
    assert seconds == Seconds(train=100.0, setup=5.0)


def test_a_block_that_raises_has_taken_its_time(clock):
    seconds = Seconds()
    with contextlib.suppress(KeyError), seconds.on("train"):
        clock.now += 5
        raise KeyError
    whole = Seconds(train=1.0, data=2.0)
    whole.add(seconds)
    assert whole == Seconds(train=6.0, data=2.0)
