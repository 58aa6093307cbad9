"""Signals that ask a driver to stop in good order."""

import os
import signal
import time

import pytest

from sweeps.driver.signals import gentle_termination

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which stands still until a test sets it."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_a_wish_and_the_second_an_order(number: int, clock: list[float]) -> None:
    before = [signal.getsignal(one) for one in SIGNALS]
    with gentle_termination() as interrupt:
        assert interrupt.reason == ""
        os.kill(os.getpid(), number)
        assert interrupt.reason == signal.Signals(number).name
        clock[0] += 2
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert [signal.getsignal(one) for one in SIGNALS] == before


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_to_process_and_group_is_one_wish(number: int, clock: list[float]) -> None:
    with gentle_termination() as interrupt:
        os.kill(os.getpid(), number)
        clock[0] += 0.1
        os.kill(os.getpid(), number)
        assert interrupt.reason == signal.Signals(number).name


def test_a_terminal_that_ends_twice_is_no_order(clock: list[float]) -> None:
    """A shell tells its jobs, and the kernel tells them again when the shell itself is gone."""
    with gentle_termination() as interrupt:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGHUP)
            clock[0] += 5
        assert interrupt.reason == "SIGHUP"
