"""Which workers hang, told by letters and a clock alone."""

import pytest

from analysis.store.statuses import Status
from sweeps.search.open_trials import EpochEnded, TrialOutcome
from sweeps.spec.sections import LimitsSection
from sweeps.workers.messages import Alive, Joined, TrialEnded
from sweeps.workers.watch import Watch

EPOCHS = 3


class Watched:
    """A watch with a clock that a test turns, and one worker that gives signs of life."""

    def __init__(self, counts_steps: bool = True, **limits: float) -> None:
        self.now = 0.0
        self.watch = Watch(LimitsSection(**limits), EPOCHS, lambda: self.now, counts_steps)
        self.steps = 0

    def join(self) -> None:
        self.watch.hear("a", Joined())
        self.watch.give("a")

    def let_pass(self, seconds: float, steps_a_second: float = 0.0, alive: bool = True) -> list:
        found = []
        for _ in range(int(seconds / 5)):
            self.now += 5
            self.steps += int(5 * steps_a_second)
            if alive:
                self.watch.hear("a", Alive(self.steps))
            found += self.watch.overdue()
        return found


def test_a_worker_that_takes_steps_is_never_overdue() -> None:
    watched = Watched()
    watched.join()
    assert watched.let_pass(10_000, steps_a_second=1) == []


def test_silence_is_noticed_and_told_once() -> None:
    watched = Watched(silence_seconds=60)
    watched.join()
    assert watched.let_pass(60, alive=False) == []
    assert watched.let_pass(100, alive=False) == [
        ("a", "no sign of life for 65 s (limits.silence_seconds)")
    ]


def test_a_long_hold_of_the_interpreter_lock_is_allowed_where_the_limit_allows_it() -> None:
    watched = Watched(silence_seconds=120)
    watched.join()
    assert watched.let_pass(90, alive=False) == []
    assert watched.let_pass(60, steps_a_second=1) == []


def test_before_the_first_step_only_the_limit_of_starts_holds() -> None:
    watched = Watched(stall_seconds=10, start_seconds=600)
    watched.join()
    assert watched.let_pass(595) == []
    ((_, reason),) = watched.let_pass(10)
    assert "limits.start_seconds" in reason


@pytest.mark.parametrize(("steps_a_second", "limit"), [(10, 120), (0.2, 120), (0.1, 200)])
def test_a_stall_is_twenty_usual_steps_and_at_least_two_minutes(
    steps_a_second: float, limit: float
) -> None:
    watched = Watched()
    watched.join()
    for _ in range(20):
        every = max(5, int(1 / steps_a_second))
        watched.now += every
        watched.steps += max(1, int(every * steps_a_second))
        watched.watch.hear("a", Alive(watched.steps))
        assert list(watched.watch.overdue()) == []
    assert watched.let_pass(limit) == []
    ((_, reason),) = watched.let_pass(10)
    assert "limits.stall_seconds" in reason


def test_the_next_seed_of_a_trial_may_take_its_time_to_start() -> None:
    watched = Watched(stall_seconds=30, start_seconds=600)
    watched.join()
    assert watched.let_pass(100, steps_a_second=1) == []
    watched.watch.hear("a", EpochEnded(0, EPOCHS, 50.0))
    assert watched.let_pass(500) == []


def test_a_worker_that_waits_for_a_trial_does_not_stall() -> None:
    watched = Watched(stall_seconds=30, start_seconds=30)
    watched.join()
    watched.watch.hear("a", TrialEnded(TrialOutcome(Status.COMPLETED)))
    assert watched.let_pass(1000) == []


def test_a_driver_that_stood_still_itself_blames_nobody() -> None:
    watched = Watched()
    watched.join()
    watched.let_pass(60, steps_a_second=1)
    watched.now += 10_000
    assert list(watched.watch.overdue()) == []
    assert watched.let_pass(60, steps_a_second=1) == []


def test_a_worker_that_is_gone_is_not_overdue() -> None:
    watched = Watched()
    watched.join()
    watched.watch.forget("a")
    assert watched.let_pass(1000, alive=False) == []


def test_a_function_that_tells_of_its_reports_alone_may_take_any_time_between_them() -> None:
    watched = Watched(counts_steps=False)
    watched.join()
    assert watched.let_pass(10_000) == []
    watched.watch.hear("a", EpochEnded(0, 1, 50.0))
    assert watched.let_pass(10_000) == []
    assert watched.let_pass(100, alive=False) == [
        ("a", "no sign of life for 65 s (limits.silence_seconds)")
    ]


def test_a_function_that_reports_nothing_for_longer_than_it_may_is_overdue() -> None:
    watched = Watched(counts_steps=False, stall_seconds=200)
    watched.join()
    assert watched.let_pass(150) == []
    watched.watch.hear("a", EpochEnded(0, 1, 50.0))
    assert watched.let_pass(150) == []
    assert watched.let_pass(100) == [("a", "no report for 205 s (limits.stall_seconds)")]
