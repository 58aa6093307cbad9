"""Tests that every store of results passes, for a store of one's own as for ours.

    from analysis.store.testing import StoreContract

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)

        def reopened(self, store):
            return MyStore(store.path)

pytest collects the tests of the subclass.
"""

# ruff: noqa: D102 - the name of a test says what holds

from __future__ import annotations

import math
import random
import re
import threading
from typing import Any

import pytest

from analysis.store.contract import RowWriter, SweepStore
from analysis.store.errors import StoreError, StoreWarning
from analysis.store.schema import EPOCHS, EVENTS, RUNS
from analysis.store.statuses import Status

Errors = dict[tuple[str, int], float]
"""Validation errors by run and epoch."""


class StoreContract:
    """Subclass it with a pytest fixture `store` that returns an empty `SweepStore`."""

    def reopened(self, store: SweepStore) -> SweepStore:
        """Return the store as another process opens it."""
        raise NotImplementedError

    def damage(self, store: SweepStore, writer: str) -> str | None:
        """Damage the one file that a writer wrote; return its path, or None if none can be."""
        return None

    def test_rows_are_found_once_the_write_has_returned(self, store: SweepStore) -> None:
        store.writer("r1", new=True).write(EPOCHS, [_epoch("r1", 1, 5.0)])
        assert _errors(self.reopened(store)) == {("r1", 1): 5.0}

    def test_of_rows_with_one_key_the_last_is_read(self, store: SweepStore) -> None:
        store.writer("r1").write(EPOCHS, [_epoch("r1", 1, 5.0), _epoch("r1", 2, 4.0)])
        store.writer("r1").write(EPOCHS, [_epoch("r1", 2, 3.5), _epoch("r1", 2, 3.0)])
        assert _errors(store) == {("r1", 1): 5.0, ("r1", 2): 3.0}
        store.compact()
        store.writer("a name that sorts before r1").write(EPOCHS, [_epoch("r1", 1, 2.0)])
        assert _errors(store) == {("r1", 1): 2.0, ("r1", 2): 3.0}

    def test_rows_come_in_the_order_of_their_key(self, store: SweepStore) -> None:
        for run, number in (("r2", 1), ("r1", 2), ("r1", 1)):
            store.writer(run).write(EPOCHS, [_epoch(run, number, 1.0)])
        frame, _ = store.read(EPOCHS, ["val_loss"])
        assert list(frame.columns) == [*EPOCHS.key, "val_loss"]
        keys = zip(frame["run_id"].astype(str), frame["epoch"], strict=True)
        assert list(keys) == [("r1", 1), ("r1", 2), ("r2", 1)]

    def test_tables_of_one_write_are_all_read(self, store: SweepStore) -> None:
        epochs = [_epoch("r1", number, 5.0) for number in range(1, 301)]
        ended = _run("r1", Status.COMPLETED, seed=7)
        store.writer("r1").write_all([(EPOCHS, epochs), (EVENTS, []), (RUNS, [ended])])
        assert len(_errors(store)) == 300
        assert store.row_of_run("r1") == dict.fromkeys(RUNS.schema.names) | ended
        assert store.rows_of_run(EVENTS, "r1") == []

    def test_a_column_that_the_table_lacks_is_refused(self, store: SweepStore) -> None:
        row = {**_epoch("r1", 1, 5.0), "val_eror_percent": 1.0}
        with pytest.raises(StoreError, match="no column of epochs 'val_eror_percent'"):
            store.writer("r1").write(EPOCHS, [row])
        assert _errors(store) == {}

    def test_null_and_nan_stay_what_they_are(self, store: SweepStore) -> None:
        losses = [math.nan, None, math.inf, 0.1]
        rows = [{**_epoch("r1", n, 1.0), "val_loss": loss} for n, loss in enumerate(losses)]
        store.writer("r1").write(EPOCHS, rows)
        for change in (lambda: None, store.writer("r1").merge, store.compact):
            change()
            found = [row["val_loss"] for row in store.rows_of_run(EPOCHS, "r1")]
            assert math.isnan(found[0])
            assert found[1:] == losses[1:]

    def test_any_order_of_writing_merging_and_compacting_reads_as_a_dictionary(
        self, store: SweepStore
    ) -> None:
        draw = random.Random(0)
        expected: Errors = {}
        for _ in range(15):
            run = draw.choice(["r1", "r2", "r3"])
            written = {draw.randint(1, 6): draw.uniform(0, 100) for _ in range(draw.randint(1, 4))}
            writer = store.writer(run)
            writer.write(EPOCHS, [_epoch(run, number, error) for number, error in written.items()])
            expected |= {(run, number): error for number, error in written.items()}
            draw.choice([lambda: None, lambda: None, writer.merge, store.compact])()
            assert _errors(store) == expected

    def test_a_run_is_found_wherever_its_rows_lie(self, store: SweepStore) -> None:
        assert store.row_of_run("r1") is None
        assert not store.has_run("r1")
        for status in (Status.RUNNING, Status.INTERRUPTED, Status.COMPLETED):
            store.writer("r1").write(RUNS, [_run("r1", status)])
            for _ in range(2):
                row = self.reopened(store).row_of_run("r1")
                assert row is not None
                assert row["status"] == status
                assert store.has_run("r1")
                store.compact()
        assert store.row_of_run("r") is None

    def test_an_end_outlasts_interrupts_that_others_noted(self, store: SweepStore) -> None:
        driver, run = store.writer("driver"), store.writer("r1")
        run.write(RUNS, [_run("r1", Status.RUNNING)])
        driver.write(RUNS, [_run("r1", Status.INTERRUPTED)])
        run.write(RUNS, [_run("r1", Status.COMPLETED)])
        run.merge()
        driver.write(RUNS, [_run("r2", Status.INTERRUPTED)])
        for _ in range(2):
            assert _statuses(store) == {"r1": Status.COMPLETED, "r2": Status.INTERRUPTED}
            store.compact()

    @pytest.mark.parametrize("ended", [Status.COMPLETED, Status.DIVERGED, Status.ERROR])
    def test_no_clock_decides_which_row_is_read(
        self, store: SweepStore, ended: Status, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = [1_800_000_000.0]
        monkeypatch.setattr("time.time", lambda: now[0])
        monkeypatch.setattr("time.time_ns", lambda: int(1e9 * now[0]))
        begun, finished = store.writer("r1"), store.writer("r2")
        begun.write(RUNS, [_run("r1", Status.RUNNING)])
        finished.write(RUNS, [_run("r2", Status.RUNNING)])
        for number in range(1, 12):  # two digits: numbers are in order as numbers
            finished.write(EPOCHS, [_epoch("r2", 1, number)])
        now[0] -= 3600  # and stays: the clock of the machine was wrong before
        store.writer("driver").write(RUNS, [_run("r1", Status.INTERRUPTED)])
        finished.write_all([(EPOCHS, [_epoch("r2", 1, 2.5)]), (RUNS, [_run("r2", ended)])])
        store.writer("another").write(RUNS, [_run("r2", Status.RUNNING)])
        for change in (lambda: None, finished.merge, store.compact, lambda: None):
            change()
            assert _statuses(store) == {"r1": Status.INTERRUPTED, "r2": ended}
            assert _errors(store) == {("r2", 1): 2.5}
        now[0] -= 3600
        begun = self.reopened(store).writer("r1")
        begun.write(RUNS, [_run("r1", Status.RUNNING)])
        assert _statuses(store)["r1"] == Status.RUNNING  # another attempt, after a compaction

    def test_a_reader_finds_every_durable_row_while_others_write(self, store: SweepStore) -> None:
        durable, failures = [0], []

        def write() -> None:
            writer = store.writer("r1")
            try:
                for number in range(1, 22):
                    writer.write(EPOCHS, [_epoch("r1", number, number / 7)])
                    durable[0] = number
                    _settle(store, writer, number)
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        readings = 0
        while thread.is_alive() or readings < 2:
            at_least = durable[0]
            found = _errors(self.reopened(store))
            assert len(found) >= at_least
            assert found == {("r1", n): n / 7 for n in range(1, len(found) + 1)}
            readings += 1
        thread.join()
        assert failures == []
        assert len(_errors(store)) == 21

    def test_damage_is_named_and_loses_nothing_else(self, store: SweepStore) -> None:
        for run in ("r1", "r2"):
            store.writer(run).write(EPOCHS, [_epoch(run, 1, 5.0)])
        path = self.damage(store, "r1")
        if path is None:
            pytest.skip("this store has no files to damage")
        store.writer("r3").write(EPOCHS, [_epoch("r3", 1, 4.0)])
        for _ in range(2):
            _, damaged = store.read(EPOCHS)
            assert [file.path for file in damaged] == [path]
            assert _errors(store) == {("r2", 1): 5.0, ("r3", 1): 4.0}
            with pytest.warns(StoreWarning, match=re.escape(path)):
                assert [file.path for file in store.compact()] == [path]


def _settle(store: SweepStore, writer: RowWriter, number: int) -> None:
    """Compact after each fifth write, and merge after each seventh."""
    if number % 5 == 0:
        store.compact()
    elif number % 7 == 0:
        writer.merge()


def _epoch(run_id: str, number: int, error: float) -> dict[str, Any]:
    return {"sweep": "a", "run_id": run_id, "epoch": number, "val_error_percent": error}


def _run(run_id: str, status: Status, seed: int = 0) -> dict[str, Any]:
    return {"sweep": "a", "run_id": run_id, "trial": 0, "seed": seed, "status": status}


def _statuses(store: SweepStore) -> dict[str, str]:
    frame, _ = store.read(RUNS)
    return dict(zip(frame["run_id"].astype(str), frame["status"].astype(str), strict=True))


def _errors(store: SweepStore) -> Errors:
    frame, _ = store.read(EPOCHS)
    keys = zip(frame["run_id"].astype(str), frame["epoch"], strict=True)
    return dict(zip(keys, frame["val_error_percent"], strict=True))
