"""What a running sweep shows: counts, pace, time left, running trials, warnings."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from analysis.store.metric import Metric
from analysis.store.statuses import Status
from sweeps.search.open_trials import EpochEnded, OpenTrial, TrialOutcome
from sweeps.view.drawing import curve, render
from sweeps.view.live_view import LiveView
from sweeps.view.progress import RunningTrial, SweepView

PARAMS = {"activation": "polyneuron_r", "s": 3, "lambda_sum": 1.5e-4, "learning_rate": 3e-3}


def open_trial(number: int, last_epoch: EpochEnded | None = None) -> OpenTrial:
    return OpenTrial(number, PARAMS, "c", 0.0, None, last_epoch=last_epoch)


def ended_trial(number: int, status: Status, **outcome: Any) -> OpenTrial:
    return OpenTrial(number, PARAMS, "c", 0.0, None, outcome=TrialOutcome(status, **outcome))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the time that the views go by."""

    def set_to(seconds: float) -> None:
        monkeypatch.setattr("time.time", lambda: seconds)

    set_to(0.0)
    return set_to


def half_done(clock: Callable[[float], None]) -> SweepView:
    """Two workers, from 30 s on an epoch each every 10 s; one of four trials has diverged."""
    view = SweepView(
        "mine", 4, seeds=2, epochs=5, subject="polyneuron_r on lenet5/mnist", started_at=0.0
    )
    for number in (0, 1):
        view.update(open_trial(number))
    for epoch in (1, 2, 3):
        clock(30.0 + 10 * (epoch - 1))
        for number in (0, 1):
            view.update(open_trial(number, EpochEnded(0, epoch, 9.0 - epoch)))
    view.update(ended_trial(0, Status.COMPLETED, objective=5.5, objective_standard_error=0.25))
    view.update(open_trial(2))
    view.update(ended_trial(3, Status.DIVERGED, error="epoch 1, step 7: its loss is not finite"))
    return view


def drawn(view: SweepView, now: float, width: int, height: int | None = None) -> str:
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    console.print(render(view, now, width, height))
    return console.export_text()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_view_says_all_that_is_asked_of_it(width: int, clock) -> None:
    text = drawn(half_done(clock), 50.0, width)
    for part in (
        "2/4 trials done",
        "1 completed · 1 diverged · 2 running",
        "50 s spent",
        "best: trial 0, 5.50 ± 0.25 % (standard error)",
        "3/5",
        "6.00",
        "starting",
        "! trial 3 diverged: epoch 1, step 7",
    ):
        assert part in text
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize("width", [50, 60])
def test_a_narrow_view_has_names_in_place_of_bars(width: int, clock) -> None:
    lines = drawn(half_done(clock), 50.0, width).splitlines()
    assert max(map(len, lines)) <= width
    running = next(line for line in lines if "3/5" in line)
    assert "━" not in running
    assert " ".join(running.split()[4:]).startswith("polyneuron_r")


def test_parameters_have_columns_where_there_is_room(clock) -> None:
    view = half_done(clock)
    assert "λ_sum=1.5e-4" in drawn(view, 50.0, 80)
    wide = drawn(view, 50.0, 120)
    assert "λ_sum" in wide
    assert "λ_sum=1.5e-4 lr" not in wide.partition("best")[2].partition("\n")[2]
    assert "█▅▁" in wide


def test_the_pace_leaves_out_the_start_of_ray(clock) -> None:
    """From 30 s to 50 s four epochs ended: 12 a minute."""
    view = SweepView("mine", 2, seeds=1, epochs=10)
    for number in (0, 1):
        view.update(open_trial(number))
    assert view.seconds_left(29.0) is None
    for epoch, now in ((1, 30.0), (2, 40.0), (3, 50.0)):
        clock(now)
        for number in (0, 1):
            view.update(open_trial(number, EpochEnded(0, epoch, 1.0)))
        if epoch == 1:
            assert view.seconds_left(30.0) is None
    # 6 of 20 epochs are done; since the first report, 5 in 20 s: 14 more take 56 s.
    assert view.seconds_left(50.0) == pytest.approx(14 * 20 / 5)


def test_more_trials_than_lines_are_counted(clock) -> None:
    view = SweepView("mine", 100, seeds=1, epochs=10)
    view.running = {n: RunningTrial(n, PARAMS, epoch=1, value=1.0) for n in range(60)}
    text = drawn(view, 1.0, 80, height=20)
    assert len(text.splitlines()) <= 20
    assert "more running" in text


def test_a_trial_that_fell_silent_is_named(clock) -> None:
    view = half_done(clock)
    assert "has reported nothing" not in drawn(view, 60.0, 80)
    assert "! trial 1 has reported nothing for 5 min 10 s" in drawn(view, 360.0, 80)


def test_a_trial_that_is_about_to_diverge_is_named_once(clock) -> None:
    view = half_done(clock)
    warning = "inputs of act1 reached 51"
    view.update(open_trial(1, EpochEnded(0, 4, 5.0, warning)))
    view.update(open_trial(1, EpochEnded(0, 5, 5.0)))
    assert f"! trial 1 unstable in epoch 4: {warning}\n" in drawn(view, 70.0, 110)
    assert sum(warning in trouble for trouble in view.troubles) == 1


def test_a_view_survives_its_way_to_another_process(clock) -> None:
    view = half_done(clock)
    view.stopping = "SIGINT"
    again = SweepView.from_json(view.to_json())
    assert again == view
    assert drawn(again, 50.0, 80) == drawn(view, 50.0, 80)
    assert "stopping" in drawn(again, 50.0, 80)


def test_a_stopping_sweep_keeps_its_share_and_starts_no_workers(clock) -> None:
    view = SweepView("mine", 1, seeds=2, epochs=4)
    trial = open_trial(0)
    view.update(trial)
    trial.last_epoch = EpochEnded(1, 2, 5.0)
    view.update(trial)
    assert view.fraction() == 6 / 8
    view.stopping = "SIGINT"
    view.update(ended_trial(0, Status.INTERRUPTED))
    assert (view.fraction(), view.complete) == (6 / 8, False)
    assert "workers are starting" not in drawn(view, 50.0, 80)
    assert SweepView.from_json(view.to_json()).fraction() == 6 / 8


def test_an_interrupted_trial_is_not_done(clock) -> None:
    view = SweepView("mine", 1, seeds=1, epochs=1)
    view.update(open_trial(0))
    view.update(ended_trial(0, Status.INTERRUPTED))
    assert (view.done, view.complete, view.fraction()) == (0, False, 0.0)


def test_a_log_has_a_line_a_trial_and_no_control_characters() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    published: list[str] = []
    view = SweepView("mine", 2, seeds=1, epochs=2)
    with LiveView(view, console, published.append) as show:
        show(open_trial(0))
        show(ended_trial(0, Status.COMPLETED, objective=2.0))
        show(open_trial(1))
        show(ended_trial(1, Status.ERROR, error="ValueError: no [such] thing"))
    lines = stream.getvalue().splitlines()
    assert [line.partition("  (")[0] for line in lines] == [
        "[1/2] trial 0 completed 2.00 %",
        "[2/2] trial 1 error: ValueError: no [such] thing",
    ]
    assert "\x1b" not in stream.getvalue()
    assert SweepView.from_json(published[-1]) == view


def test_a_curve_is_lowest_at_the_smallest_error() -> None:
    assert curve([4.0, 3.0, 2.0, 1.0, 4.0]) == "█▆▃▁█"
    assert curve([1.0]) == "▁"
    assert curve([]) == ""


def test_a_view_counts_the_trials_on_the_front_of_several_objectives() -> None:
    """Live, and as another process reads it."""
    also = (Metric("size"), Metric("speed", largest=True))
    view = SweepView("weighed", 4, seeds=1, epochs=5, metric=Metric("score"), also=also)
    ends = [(1.0, 9.0, 1.0), (4.0, 5.0, 1.0), (5.0, 6.0, 1.0), (9.0, 9.0, 2.0)]
    for number, (score, size, speed) in enumerate(ends):
        further = {"size": size, "speed": speed}
        outcome = TrialOutcome(Status.COMPLETED, objective=score, also=further)
        view.update(OpenTrial(number, PARAMS, f"c{number}", 0.0, None, outcome=outcome))
    assert sorted(view.front) == ["c0", "c1", "c3"]
    for one in (view, SweepView.from_json(view.to_json())):
        text = drawn(one, 0.0, 120)
        assert "front: 3 trials are beaten by no other in score, size and speed together" in text
    better = TrialOutcome(Status.COMPLETED, objective=0.5, also={"size": 1.0, "speed": 3.0})
    view.update(OpenTrial(1, PARAMS, "c1", 0.0, None, outcome=better))  # on more seeds
    assert view.front == {"c1": [0.5, 1.0, -3.0]}


def test_a_view_of_one_objective_has_no_front() -> None:
    view = SweepView("mine", 1, seeds=1, epochs=5)
    view.update(ended_trial(0, Status.COMPLETED, objective=1.0, epoch_seconds=1.0))
    assert "front" not in drawn(view, 0.0, 120)
