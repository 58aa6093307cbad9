"""Stopped, failed, damaged, ended: what a run does when it is called again."""

import dataclasses

import pytest
import torch
from recorded_run import final_network, of, recorded, timeless

from trainers import (
    ActivationConfig,
    DataConfig,
    EpochRecord,
    Event,
    Execution,
    Recipe,
    RunConfig,
    RunRecord,
    RunStopped,
    train,
)


def config(epochs=3, execution=None):
    return RunConfig(
        activation=ActivationConfig("polyneuron_r"),
        data=DataConfig("digits", train_images=300),
        recipe=Recipe(epochs=epochs),
        execution=execution or Execution(threads=1),
    )


@pytest.fixture
def stored(tmp_path):
    return Execution(threads=1, checkpoint_folder=tmp_path / "checkpoints")


class Stop:
    """Takes records, and ends the run when it is given epoch `at`."""

    def __init__(self, at, status="pruned"):
        self.at, self.status, self.records = at, status, []

    def __call__(self, record):
        self.records.append(timeless(record))
        if isinstance(record, EpochRecord) and record.epoch == self.at:
            raise RunStopped(self.status, "the median was better")


@pytest.mark.parametrize("status", ["pruned", "interrupted"])
@pytest.mark.parametrize("every", [1, 2, 100])
def test_a_stopped_run_keeps_its_checkpoint_and_goes_on_from_it(tmp_path, status, every):
    execution = Execution(threads=1, checkpoint_folder=tmp_path / "a", checkpoint_every=every)
    stop = Stop(at=3, status=status)
    run = train(config(epochs=5, execution=execution), stop)
    assert stop.records[-1] == timeless(run)
    assert (run.status, run.stop_reason) == (status, "the median was better")
    assert (run.epochs_done, run.epochs_planned) == (3, 5)
    resumed, records = recorded(config(epochs=5, execution=execution))
    assert of(Event, records)[0] == Event("restore", 3)
    assert of(EpochRecord, records)[-1].epoch == 5
    whole = dataclasses.replace(execution, checkpoint_folder=tmp_path / "b")
    uncut, all_records = recorded(config(epochs=5, execution=whole))
    assert resumed == uncut
    ours, theirs = final_network(tmp_path / "a"), final_network(tmp_path / "b")
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    seen = [r for r in [*stop.records[:-1], *records] if r != Event("restore", 3)]
    assert set(map(repr, seen)) == set(map(repr, all_records))


def test_the_seconds_of_all_attempts_are_added(stored):
    seconds = {}

    def note(record):
        if isinstance(record, EpochRecord):
            seconds[record.epoch] = record.train_seconds

    def stop(record):
        note(record)
        if len(seconds) == 2:
            raise RunStopped("interrupted")

    first = train(config(execution=stored), stop)
    second = train(config(execution=stored), note)
    assert sorted(seconds) == [1, 2, 3]
    assert second.train_seconds == pytest.approx(sum(seconds.values()))
    assert second.setup_seconds > first.setup_seconds


def test_a_stop_after_the_last_epoch_comes_too_late():
    stop = Stop(at=3)
    assert train(config(epochs=3), stop).status == "completed"
    assert isinstance(stop.records[-1], RunRecord)


def test_a_run_may_be_stopped_before_it_starts():
    def refuse(record):
        if isinstance(record, Event):
            raise RunStopped("interrupted")

    run = train(config(), refuse)
    assert (run.status, run.epochs_done, run.last_val_error_percent) == ("interrupted", 0, None)


def test_a_stop_without_a_checkpoint_folder():
    assert train(config(), Stop(at=1)).epochs_done == 1


def test_an_ended_run_is_not_trained_again(stored):
    first, records = recorded(config(execution=stored))
    started = []
    again = train(config(execution=stored), started.append)
    assert timeless(again) == first
    assert timeless(started[-1]) == first
    # What the last flush may not have reached comes again, and nothing else.
    assert [timeless(record) for record in started] == records[-len(started) :]


def test_resume_false_forgets_what_there_is(stored):
    train(config(epochs=4, execution=stored), Stop(at=2))
    _, records = recorded(config(epochs=4, execution=stored), resume=False)
    assert [record.epoch for record in of(EpochRecord, records)] == [1, 2, 3, 4]
    _, records = recorded(config(epochs=4, execution=stored), resume=False)
    assert of(Event, records)[0] == Event("start", 0)


def test_a_failing_report_loses_nothing(stored):
    def fail(record):
        if isinstance(record, EpochRecord) and record.epoch == 2:
            raise ConnectionError("the store is away")

    with pytest.raises(ConnectionError):
        train(config(execution=stored), fail)
    run, records = recorded(config(execution=stored))
    assert of(EpochRecord, records)[0].epoch == 2
    assert run == recorded(config(execution=dataclasses.replace(stored, checkpoint_folder=None)))[0]


def test_what_was_given_before_the_first_epoch_comes_again_until_one_was_taken(stored):
    """A caller may put the start down together with the first epoch."""

    def fail_at(epoch):
        def fail(record):
            if isinstance(record, EpochRecord) and record.epoch == epoch:
                raise ConnectionError("the store is away")

        return fail

    uncut = recorded(config(execution=dataclasses.replace(stored, checkpoint_folder=None)))[1]
    before = uncut[: uncut.index(Event("start", 0)) + 1]
    with pytest.raises(ConnectionError):
        train(config(execution=stored), fail_at(1))
    again = []
    with pytest.raises(ConnectionError):
        train(config(execution=stored), lambda one: (again.append(one), fail_at(2)(one)))
    assert again[: 1 + len(before)] == [Event("restore", 1), *before]
    _, records = recorded(config(execution=stored))
    assert records[0] == Event("restore", 2)
    assert not set(map(repr, before)) & set(map(repr, records))


@pytest.mark.parametrize("place", [0, 40, 2000, -1])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(stored, place):
    train(config(epochs=5, execution=stored), Stop(at=3))
    (folder,) = stored.checkpoint_folder.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        "epoch-00002.ckpt",
        "epoch-00003.ckpt",
    ]
    newest = folder / "epoch-00003.ckpt"
    content = bytearray(newest.read_bytes())
    content[place] ^= 1
    newest.write_bytes(content)
    run, records = recorded(config(epochs=5, execution=stored))
    events = of(Event, records)
    assert [event.kind for event in events] == ["checkpoint_damaged", "restore", "done"]
    assert "epoch-00003.ckpt" in events[0].detail
    assert events[1].epoch == 2
    assert (folder / "epoch-00003.ckpt.damaged").exists()
    alone = dataclasses.replace(stored, checkpoint_folder=None)
    assert run == recorded(config(epochs=5, execution=alone))[0]


def test_with_every_checkpoint_damaged_it_starts_anew(stored):
    train(config(epochs=5, execution=stored), Stop(at=3))
    (folder,) = stored.checkpoint_folder.iterdir()
    for path in folder.iterdir():
        path.write_bytes(b"")
    _, records = recorded(config(epochs=5, execution=stored))
    assert [event.kind for event in of(Event, records)] == [
        "checkpoint_damaged",
        "checkpoint_damaged",
        "start",
        "done",
    ]
    assert [record.epoch for record in of(EpochRecord, records)] == [1, 2, 3, 4, 5]
