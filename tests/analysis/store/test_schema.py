"""The schema under the name by which other people import it."""

import json

import pyarrow as pa

import analysis.schema
from analysis.schema import PARTS_FOLDER, RUNS, SCHEMA_VERSION, TABLES, TABLES_FOLDER, unit_of
from analysis.store import layout, schema
from analysis.store.statuses import Status


def test_every_public_name_is_the_stores_own() -> None:
    for name in analysis.schema.__all__:
        home = layout if name.endswith("_FOLDER") else schema
        assert getattr(analysis.schema, name) is getattr(home, name)
    tables = {name for name in analysis.schema.__all__ if name.lower() in TABLES}
    assert {getattr(analysis.schema, name).name for name in tables} == set(TABLES)
    assert (TABLES_FOLDER, PARTS_FOLDER, SCHEMA_VERSION) == ("tables", "parts", 2)
    assert unit_of("train_seconds", pa.float64()) == "s"


def test_a_status_is_described_and_written_as_its_word() -> None:
    description = RUNS.schema.field("status").metadata[b"description"].decode()
    assert description.split(", ") == [status.value for status in Status]
    assert json.dumps([Status.PRUNED]) == '["pruned"]'
    assert pa.array([Status.PRUNED], pa.string()).to_pylist() == ["pruned"]


def test_what_follows_from_a_status() -> None:
    assert [status for status in Status if not status.ended] == [Status.RUNNING]
    assert [status for status in Status if status.final] == ["completed", "pruned", "diverged"]
    assert [status for status in Status if status.reproducible] == ["completed", "diverged"]
    assert [status for status in Status if status.trouble] == ["diverged", "error"]
