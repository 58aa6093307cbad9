"""Training functions of a user's own: what they report, and how their runs end."""

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainers import RunStopped
from trainers.function import Earlier, FunctionCall, FunctionEnd, FunctionRun, Step, train_function

MODULE = "written_function"


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Write a training function, run it, and return its end and its steps."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def called(
        body: str, head: str = "def train(config, seed, report):", **more: Any
    ) -> tuple[FunctionEnd, list[Step]]:
        lines = "\n".join(f"    {line}" for line in body.splitlines())
        (tmp_path / f"{MODULE}.py").write_text(f"import random, sys\n{head}\n{lines}\n")
        sys.modules.pop(MODULE, None)
        steps: list[Step] = []
        earlier, on_step = more.pop("earlier", None), more.pop("on_step", steps.append)
        given = {"a": 1.5}
        run = FunctionRun(
            FunctionCall(f"{MODULE}:train", "0", given), more.pop("seed", 0), "rmse", **more
        )
        return train_function(run, on_step, earlier), steps

    yield called
    sys.modules.pop(MODULE, None)


def test_the_last_value_counts_and_every_number_is_kept(call: Callable[..., Any]) -> None:
    end, steps = call("for n in (3, 1, 2): report(rmse=n * config['a'], other=n)")
    assert (end.status, end.value, end.epochs_done) == ("completed", 3.0, 3)
    assert [step.metrics for step in steps] == [
        {"rmse": n * 1.5, "other": n} for n in (3.0, 1.0, 2.0)
    ]
    assert [step.epoch for step in steps] == [1, 2, 3]


@pytest.mark.parametrize(("largest", "value"), [(False, 1.0), (True, 3.0)])
def test_the_best_value_counts_where_asked_for(
    call: Callable[..., Any], largest: bool, value: float
) -> None:
    body = "for n in (2, 3, 1, 2): report(rmse=n)"
    assert call(body, best=True, largest=largest)[0].value == value


def test_a_step_may_be_without_the_metric(call: Callable[..., Any]) -> None:
    end, steps = call("report(epoch=2, loss=1)\nreport(epoch=4, rmse=7)")
    assert [step.value for step in steps] == [None, 7.0]
    assert (end.value, end.epochs_done) == (7.0, 2)


@pytest.mark.filterwarnings("error")
def test_numbers_of_numpy_and_torch_are_numbers(call: Callable[..., Any]) -> None:
    body = (
        "import numpy, torch\n"
        "loss = torch.ones((), requires_grad=True)\n"
        "report(numpy.int64(1), rmse=numpy.float32(2), x=torch.ones(()), loss=loss)"
    )
    assert call(body)[1][0].metrics == {"rmse": 2.0, "x": 1.0, "loss": 1.0}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("report(epoch=0, rmse=1)", r"report\(epoch=0\): steps count from 1"),
        ("report(3, rmse=1); report(3, rmse=1)", r"report\(epoch=3\): step 3 was reported"),
        ("report(6, rmse=1)", r"report\(epoch=6\): a full run has 5 steps; raise trainer.steps"),
        ("report(1.5, rmse=1)", "expected a whole number from 1; got 1.5"),
        ("report(True, rmse=1)", "expected a whole number from 1; got True"),
        ("report(rmse='low')", r"report\(rmse=...\): expected a number; got str 'low'"),
        ("report(rmse=None)", r"report\(rmse=...\): expected a number; got NoneType"),
        (
            "report(loss=1)",
            r"written_function:train \(.*:2\) returned without reporting 'rmse'; it",
        ),
        ("pass", "it reported nothing: call report"),
        ("sys.exit(3)", r"written_function.py:2\) called sys.exit\(3\)"),
    ],
)
def test_a_wrong_report_says_what_is_expected(
    call: Callable[..., Any], body: str, message: str
) -> None:
    with pytest.raises((ValueError, TypeError, RuntimeError), match=message):
        call(body, steps=5)


def test_other_arguments_are_named_with_the_line(call: Callable[..., Any]) -> None:
    message = r"written_function.py:2\): missing a required argument: 'x'; it is called with \(conf"
    with pytest.raises(ValueError, match=message):
        call("pass", "def train(x, config, seed, report):")


def test_the_exception_of_a_function_comes_through(call: Callable[..., Any]) -> None:
    with pytest.raises(ZeroDivisionError):
        call("report(rmse=1)\n1 / 0")


@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_a_metric_that_is_not_finite_ends_the_run_as_diverged(
    call: Callable[..., Any], number: str
) -> None:
    end, steps = call(f"report(rmse=1)\nreport(rmse=float('{number}'))\nreport(rmse=1)")
    assert (end.status, end.stop_reason, end.value) == (
        "diverged",
        f"rmse is {number} at step 2",
        None,
    )
    assert [step.value for step in steps] == [1.0, None]


@pytest.mark.parametrize(
    "body",
    [
        "for n in range(9): report(rmse=n)",
        # A function may catch what ends it, or wrap it: its run has ended all the same.
        "for n in range(9):\n    try: report(rmse=n)\n    except Exception: pass",
        "try: [report(rmse=n) for n in range(9)]\nexcept Exception as e: raise KeyError from e",
    ],
)
def test_a_stopped_run_ends_as_it_was_stopped(call: Callable[..., Any], body: str) -> None:
    seen = []

    def stop(step: Step) -> None:
        seen.append(step.epoch)
        if step.epoch == 2:
            raise RunStopped("pruned", "too slow")

    end, _ = call(body, on_step=stop)
    assert (end.status, end.stop_reason, end.epochs_done) == ("pruned", "too slow", 2)
    assert seen == [1, 2]


@pytest.mark.parametrize(
    ("body", "value", "steps"),
    [
        ("report(3, rmse=9)", 9.0, 3),  # goes on
        ("report(rmse=8); report(rmse=9)", 9.0, 2),  # began anew, and reports again
        ("pass", 4.0, 2),  # had reported all before it was cut off
    ],
)
def test_what_earlier_attempts_reported_counts_up_to_where_it_goes_on(
    call: Callable[..., Any], body: str, value: float, steps: int
) -> None:
    end, _ = call(body, earlier=Earlier(frozenset({1, 2}), {1: 5.0, 2: 4.0}))
    assert (end.value, end.epochs_done) == (value, steps)


ALSO = ("size", "speed")


def test_of_each_further_number_the_last_one_counts(call: Callable[..., Any]) -> None:
    body = "report(size=5, speed=1)\nreport(rmse=2, speed=3)\nreport(rmse=4)"
    end, steps = call(body, also=ALSO)
    assert (end.value, end.also) == (4.0, {"size": 5.0, "speed": 3.0})
    assert [step.value for step in steps] == [None, 2.0, 4.0]


def test_a_further_number_that_is_never_reported_is_named(call: Callable[..., Any]) -> None:
    message = "returned without reporting 'speed'; it reported rmse, size: call report"
    with pytest.raises(ValueError, match=message):
        call("report(rmse=1, size=5)", also=ALSO)


def test_a_further_number_that_is_not_finite_ends_the_run_as_diverged(
    call: Callable[..., Any],
) -> None:
    end, _ = call("report(rmse=1, size=float('inf'), speed=1)", also=ALSO)
    assert (end.status, end.stop_reason, end.also) == ("diverged", "size is inf at step 1", {})


def test_further_numbers_of_earlier_attempts_count_up_to_where_it_goes_on(
    call: Callable[..., Any],
) -> None:
    before = {"size": {1: 5.0}, "speed": {1: 7.0, 2: 8.0, 3: 9.0}}
    earlier = Earlier(frozenset({1, 2, 3}), {1: 5.0}, before)
    end, _ = call("report(3, rmse=6)", also=ALSO, earlier=earlier)
    assert (end.value, end.also) == (6.0, {"size": 5.0, "speed": 8.0})


def test_a_checkpoint_folder_is_there_for_a_function_that_asks(
    call: Callable[..., Any], tmp_path: Path
) -> None:
    head = "def train(config, seed, report, checkpoint=None):"
    body = "report(rmse=len(list(checkpoint.iterdir())))\n(checkpoint / 'x').touch()"
    assert [call(body, head, checkpoint=tmp_path / "c" / "r")[0].value for _ in range(2)] == [0, 1]


def test_a_seed_gives_the_same_numbers_whatever_was_drawn_before(call: Callable[..., Any]) -> None:
    body = (
        "import numpy, torch\nreport(rmse=random.random(), n=numpy.random.rand(), t=torch.rand(()))"
    )
    found = []
    for seed in (3, 3, 4):
        found.append(call(body, seed=seed)[1][0].metrics)
        random.random(), np.random.rand()
    assert found[0] == found[1] != found[2]


def test_an_identity_changes_with_function_code_and_each_parameter() -> None:
    calls = [
        FunctionCall("a:f", "1", {"x": 3}),
        FunctionCall("a:g", "1", {"x": 3}),
        FunctionCall("a:f", "2", {"x": 3}),
        FunctionCall("a:f", "1", {"x": 3.0}),
        FunctionCall("a:f", "1", {"x": 3, "y": 1}),
        FunctionCall("a:f", "1", {"x": True}),
    ]
    assert len({call.config_id for call in calls}) == len(calls)
    mixed = {"y": 1, "x": 2}, {"x": 2, "y": 1}
    assert len({FunctionCall("a:f", "1", one).config_id for one in mixed}) == 1
