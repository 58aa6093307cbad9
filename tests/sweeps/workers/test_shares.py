"""Sweeps that share machines: none starves, and nobody has more than there is."""

import random

import pytest

from sweeps.workers.shares import FORGET_SECONDS, TURN_SECONDS, Board, Claim, Share


class Sweep:
    """A sweep whose workers each train a trial of some seconds and then ask for more."""

    def __init__(self, name: str, wanted: int, cpus: float = 1, priority: float = 1) -> None:
        self.name, self.wanted, self.cpus, self.priority = name, wanted, cpus, priority
        self.until: list[float] = []
        """When each of its workers will have ended its trial."""
        self.seconds = 0.0

    def turn(self, board: Board, now: float, cpus: float, trial: float) -> Share:
        claim = Claim(self.name, self.wanted, len(self.until), self.cpus, 0, self.priority)
        share = board.renew(self.name, claim, cpus, 0)
        self.until.sort()
        while len(self.until) > share.places and self.until[0] <= now:
            self.until.pop(0)
        self.until = [now + trial if end <= now else end for end in self.until]
        self.until += [now + trial] * (share.free - len(self.until))
        self.seconds += len(self.until)
        return share


class Time:
    def __init__(self) -> None:
        self.now = 0.0
        self.board = Board(lambda: self.now)

    def passes(self, sweeps: list[Sweep], seconds: int, cpus: float, trial: float) -> None:
        for _ in range(seconds):
            self.now += 1
            for one in sweeps:
                one.turn(self.board, self.now, cpus, trial)
            used = sum(one.cpus * len(one.until) for one in sweeps)
            assert used <= cpus, "more workers than cores"


def test_a_sweep_alone_has_all_that_it_can_use() -> None:
    time, one = Time(), Sweep("one", 3)
    time.passes([one], 1, cpus=8, trial=5)
    assert len(one.until) == 3
    one.wanted = 20
    time.passes([one], 1, cpus=8, trial=5)
    assert len(one.until) == 8


def test_two_equal_sweeps_on_two_places_hold_one_each_within_a_trial() -> None:
    time, first, second = Time(), Sweep("first", 9), Sweep("second", 9)
    time.passes([first], 5, cpus=2, trial=10)
    time.passes([first, second], 12, cpus=2, trial=10)
    assert (len(first.until), len(second.until)) == (1, 1)
    time.passes([first, second], 3 * int(TURN_SECONDS), cpus=2, trial=10)
    assert (len(first.until), len(second.until)) == (1, 1)


def test_two_equal_sweeps_take_turns_at_one_place() -> None:
    time, first, second = Time(), Sweep("first", 9), Sweep("second", 9)
    time.passes([first], 3, cpus=1, trial=8)
    time.passes([first, second], 9, cpus=1, trial=8)
    assert second.seconds > 0, "not within one trial's length"
    time.passes([first, second], 1200, cpus=1, trial=8)
    assert 0.8 < first.seconds / second.seconds < 1.25


def test_an_odd_place_stays_where_it_is() -> None:
    time, first, second = Time(), Sweep("first", 9), Sweep("second", 9)
    time.passes([first, second], 20, cpus=3, trial=4)
    before = len(first.until)
    for _ in range(100):
        time.passes([first, second], 1, cpus=3, trial=4)
        assert len(first.until) == before


def test_a_priority_of_three_has_three_times_as_much() -> None:
    time, low, high = Time(), Sweep("low", 99), Sweep("high", 99, priority=3)
    time.passes([low], 3, cpus=8, trial=5)
    time.passes([low, high], 20, cpus=8, trial=5)
    assert (len(low.until), len(high.until)) == (2, 6)


def test_what_one_does_not_want_another_has() -> None:
    time, small, large = Time(), Sweep("small", 1), Sweep("large", 99)
    time.passes([large, small], 20, cpus=8, trial=3)
    assert (len(small.until), len(large.until)) == (1, 7)


def test_a_driver_that_is_gone_is_forgotten() -> None:
    time, first, second = Time(), Sweep("first", 9), Sweep("second", 9)
    time.passes([first, second], 20, cpus=2, trial=2)
    time.passes([second], int(FORGET_SECONDS) + 2, cpus=2, trial=2)
    assert len(second.until) == 2


def test_a_sweep_that_waits_is_told_for_whom() -> None:
    time, first, second = Time(), Sweep("first", 9), Sweep("second", 9)
    time.passes([first], 1, cpus=1, trial=50)
    share = second.turn(time.board, time.now, 1, 50)
    assert (share.free, share.others) == (0, (("first", 1),))
    assert first.turn(time.board, time.now, 1, 50).contended


@pytest.mark.parametrize("seed", range(20))
def test_in_any_company_nobody_starves_and_no_core_is_used_twice(seed: int) -> None:
    chance, time = random.Random(seed), Time()
    cpus = chance.randint(2, 9)
    sweeps = [
        Sweep(f"{n}", chance.randint(1, 12), chance.choice([1, 1, 2]), chance.choice([1, 1, 2]))
        for n in range(chance.randint(1, 6))
    ]
    trial = chance.choice([1, 5, 30])
    here: list[Sweep] = []
    for one in sweeps:
        here.append(one)
        time.passes(here, chance.randint(1, 60), cpus, trial)
    before = {one.name: one.seconds for one in sweeps}
    time.passes(here, 800, cpus, trial)
    assert all(one.seconds > before[one.name] for one in sweeps)
    kept = Board.from_plain(time.board.to_plain())
    assert kept.to_plain() == time.board.to_plain()
