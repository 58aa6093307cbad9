"""Signals that ask a driver to stop in good order."""

import os
import signal

import pytest

from sweeps.driver.signals import gentle_termination

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_is_a_wish_and_the_second_an_order(number: signal.Signals) -> None:
    before = [signal.getsignal(one) for one in SIGNALS]
    with gentle_termination() as interrupt:
        assert interrupt.reason == ""
        os.kill(os.getpid(), number)
        assert interrupt.reason == number.name
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert [signal.getsignal(one) for one in SIGNALS] == before
