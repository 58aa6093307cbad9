"""Exports of a sweep: its values and names as the store has them, in every format."""

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "analysis"))

from synthetic_store import SyntheticSweep, configuration

import analysis
from sweeps.store.export import export_runs, write_manifest

SLOW = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PERCENT = st.floats(0, 100)
RATE = st.floats(1e-12, 1e3)
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)
LEGAL = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\")
FOREIGN = st.text(LEGAL, min_size=1, max_size=30).filter(
    lambda name: name[0] != "." and len(name.encode()) < 200
)


def store(root: Path, name: str, errors: list[float], rate: float, spec: dict) -> pd.DataFrame:
    sweep = SyntheticSweep(name, seeds=len(errors))
    sweep.rows["sweeps"][0]["spec_json"] = json.dumps(spec)
    config = configuration(learning_rate=rate)
    for seed, error in enumerate(errors):
        sweep.add_run(config, seed, np.array([error]), history=False)
    sweep.add_trials([])
    sweep.write(root)
    return analysis.load(root, [name]).runs


@SLOW
@given(NAMES, st.lists(PERCENT, min_size=1, max_size=4), RATE, st.floats(allow_nan=False))
def test_every_format_has_the_digits_of_the_store(
    tmp_path_factory, name: str, errors: list[float], rate: float, weight: float
) -> None:
    root = tmp_path_factory.mktemp("exported")
    weight = weight if np.isfinite(weight) else 0.1
    runs = store(root, name, errors, rate, {"recipe": {"learning_rate": rate, "w": weight}})
    assert list(runs["last_val_error_percent"]) == errors
    files = {form: root / f"runs.{form}" for form in ("csv", "json", "parquet")}
    for form, file in files.items():
        export_runs(root, name, form, file, io.StringIO())
    read = list(csv.DictReader(io.StringIO(files["csv"].read_text(), newline="")))
    assert [float(row["last_val_error_percent"]) for row in read] == errors
    assert {float(row["learning_rate"]) for row in read} == {rate}
    lines = [json.loads(line) for line in files["json"].read_text().splitlines()]
    assert [line["last_val_error_percent"] for line in lines] == errors
    assert [line["sweep"] for line in lines] == [name] * len(errors)
    back = pd.read_parquet(files["parquet"])
    for column in back:
        assert list(back[column].dropna()) == list(runs[column].dropna()), column
    write_manifest(root, name, files["parquet"], root / "codecheck.yml")
    described = yaml.safe_load((root / "codecheck.yml").read_text())
    assert described["sweep"]["spec"]["recipe"] == {"learning_rate": rate, "w": weight}
    assert described["sweep"]["name"] == name


@SLOW
@given(FOREIGN)
def test_a_store_from_elsewhere_is_read_whatever_legal_name_it_has(
    tmp_path_factory, name: str
) -> None:
    root = tmp_path_factory.mktemp("named")
    assert len(store(root, name, [1.0, 2.0], 1e-3, {})) == 2
    results = analysis.load(root)
    quoted = name.replace("'", "''")
    assert len(results.query(f"select * from runs where sweep = '{quoted}'")) == 2
    export_runs(root, name, "csv", root / "runs.csv", io.StringIO())
    assert len((root / "runs.csv").read_text(encoding="utf-8")) > 0
    away = analysis.load(root.as_uri(), [name])
    assert list(away.runs["sweep"].astype(str)) == [name, name]
