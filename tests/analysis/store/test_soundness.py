"""Stores from elsewhere: a part that does not fit the schema is named and left out."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic_store import SyntheticSweep, configuration, write_part

import analysis
from analysis.store.folder_store import open_store


def sweep_at(root: Path) -> SyntheticSweep:
    sweep = SyntheticSweep("demo")
    for seed in range(2):
        sweep.add_run(configuration(activation="relu", options={}), seed, np.linspace(9, 2, 30))
    sweep.write(root)
    return sweep


def odd_part(root: Path, table: str, row: dict[str, Any], **wrong: Any) -> Path:
    """Write a part of one row, in which some columns are wrong, whatever their type is."""
    path = write_part(root, "demo", table, [row], 7)
    rows = pq.read_table(path)
    for name, value in wrong.items():
        column = pa.nulls(1, rows[name].type) if value is None else pa.array([value])
        field = pa.field(name, column.type)
        rows = rows.set_column(rows.schema.get_field_index(name), field, column)
    pq.write_table(rows, path)
    return path


WRONG = {
    "an error below 0": ("epochs", {"val_error_percent": -5.0}, "-5.0 %, outside 0 to 100"),
    "an error above 100": ("runs", {"last_val_error_percent": 250.0}, "outside 0 to 100"),
    "a difference of errors below -100": (
        "epochs",
        {"statistics_gap_percent": -100.5},
        "outside -100 to 100",
    ),
    "an infinite error": ("epochs", {"val_error_percent": float("inf")}, "outside 0 to 100"),
    "text for a number": ("epochs", {"val_loss": "much"}, "much"),
    "a null epoch": ("epochs", {"epoch": None}, "epoch is null in 1 rows"),
    "a path for a sweep": ("runs", {"sweep": "../../x/ESCAPED"}, "sweep '../../x/ESCAPED' is no"),
    "a path for a run": ("runs", {"run_id": "/etc/passwd"}, "run_id '/etc/passwd' is no name"),
    "a sweep without a name": ("sweeps", {"sweep": ""}, "sweep '' is no name"),
    "an unknown status": ("runs", {"status": "exploded"}, "no status 'exploded'"),
    "broken JSON": ("runs", {"config_json": "{"}, "Expecting property name"),
    "versions that are a list": ("sweeps", {"versions_json": "[]"}, "no names and values"),
    "blocks of seeds that are no list": (
        "sweeps",
        {"blocks_json": "{}"},
        "blocks_json holds no list",
    ),
    "a specification in depth": ("sweeps", {"spec_json": "[" * 100_000}, "recursion"),
}


@pytest.mark.parametrize("gap", [-100.0, -18.75, 0.0, 100.0])
def test_a_difference_of_errors_may_be_below_0(gap: float, tmp_path: Path) -> None:
    """Batch norm's running statistics may serve better than those of the batch."""
    run = sweep_at(tmp_path).rows["runs"][0]["run_id"]
    row = {"sweep": "demo", "run_id": run, "epoch": 31, "statistics_gap_percent": gap}
    write_part(tmp_path, "demo", "epochs", [row], 7)
    epochs = analysis.load(tmp_path).epochs.set_index("epoch")
    assert epochs.loc[31, "statistics_gap_percent"] == gap


@pytest.mark.parametrize("case", WRONG)
def test_a_part_that_does_not_fit_is_named_and_left_out(case: str, tmp_path: Path) -> None:
    table, wrong, reason = WRONG[case]
    sweep = sweep_at(tmp_path)
    before = getattr(analysis.load(tmp_path), table)
    path = odd_part(tmp_path, table, sweep.rows[table][0], **wrong)
    results = analysis.load(tmp_path)
    with pytest.warns(analysis.StoreWarning, match=r"skipped damaged .*worker-000007"):
        after = getattr(results, table)
    assert after.equals(before)
    (damaged,) = results.damaged
    assert damaged.path == str(path)
    assert reason in damaged.reason


def test_a_version_that_is_no_number_is_damage(tmp_path: Path) -> None:
    sweep = sweep_at(tmp_path)
    path = write_part(tmp_path, "demo", "runs", sweep.rows["runs"], 7)
    rows = pq.read_table(path)
    metadata = {**rows.schema.metadata, b"schema_version": b"x"}
    pq.write_table(rows.replace_schema_metadata(metadata), path)
    with pytest.warns(analysis.StoreWarning, match="skipped damaged .*'x'"):
        assert len(analysis.load(tmp_path).runs) == 2


def test_a_report_is_made_of_what_fits(tmp_path: Path) -> None:
    sweep = sweep_at(tmp_path / "store")
    odd_part(tmp_path / "store", "runs", sweep.rows["runs"][0], sweep="../../../ESCAPED")
    odd_part(tmp_path / "store", "sweeps", sweep.rows["sweeps"][0], spec_json="{")
    with pytest.warns(analysis.StoreWarning):
        analysis.report(analysis.load(tmp_path / "store"), tmp_path / "out", formats=("md",))
    assert not list(tmp_path.rglob("*ESCAPED*"))
    assert not list(tmp_path.parent.glob("*ESCAPED*"))


def test_compacting_leaves_a_part_that_does_not_fit(tmp_path: Path) -> None:
    sweep = sweep_at(tmp_path)
    path = odd_part(tmp_path, "epochs", sweep.rows["epochs"][0], epoch=None)
    with pytest.warns(analysis.StoreWarning, match="worker-000007"):
        open_store(tmp_path / "demo").compact()
    assert path.exists()
    with pytest.warns(analysis.StoreWarning, match="worker-000007"):
        assert len(analysis.load(tmp_path).epochs) == 60


def test_the_row_of_a_new_sweep_is_read(tmp_path: Path) -> None:
    sweep = sweep_at(tmp_path)
    row = {**sweep.rows["sweeps"][0], "blocks_json": "[]"}
    write_part(tmp_path, "demo", "sweeps", [row], 7)
    assert list(analysis.load(tmp_path).sweeps["blocks_json"]) == ["[]"]
