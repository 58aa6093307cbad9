"""What the documentation shows is run, and every column is explained."""

import doctest
import importlib
import shutil
from pathlib import Path

import pytest

import analysis
from analysis.store.schema import TABLES

HERE = Path(__file__).parent


@pytest.mark.parametrize("module", ["store.results", "store.columns", "measures.values"])
def test_examples_of_the_documentation_give_what_they_show(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("duckdb", reason="one example is a query")
    for store in ("stores", "real_store"):
        shutil.copytree(HERE / "store" / store, tmp_path / "results", dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(
        importlib.import_module(f"analysis.{module}"),
        globs={"analysis": analysis} | {n: getattr(analysis, n) for n in analysis.__all__},
        optionflags=doctest.NORMALIZE_WHITESPACE,
    )
    assert tried > 0
    assert failed == 0


def test_every_column_has_a_type_a_meaning_and_numbers_a_unit() -> None:
    frame = analysis.columns()
    assert set(frame["table"]) == set(TABLES)
    assert frame["meaning"].str.len().min() > 2
    measured = frame["type"].isin(["double", "float", "int32", "int64"])
    assert (frame.loc[measured, "unit"] != "").all()
    assert (frame.loc[frame["type"] == "string", "unit"] == "").all()
    units = frame.set_index(["table", "column"])["unit"]
    assert units["runs", "images_per_second"] == "images/s"
    assert units["epochs", "memory_megabytes"] == "MB"
    assert units["runs", "last_val_error_percent"] == "%"
    assert units["runs", "started_at"] == "UTC"
    assert units["epochs", "val_loss"] == "nat"
    with pytest.raises(analysis.StoreError, match="did you mean 'epochs'"):
        analysis.columns("epoch")
