import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from synthetic_store import SyntheticSweep, configuration, learning_curve, write_part

import analysis
from analysis.store.folder_store import open_store
from analysis.store.schema import SCHEMA_VERSION, TABLES


def small_sweep(name: str = "demo", seeds: int = 2) -> SyntheticSweep:
    sweep = SyntheticSweep(name)
    rng = np.random.default_rng(0)
    for activation in ("relu", "polyneuron_r"):
        for seed in range(seeds):
            errors = learning_curve(2 + 0.1 * seed, 30, rng)
            run = sweep.add_run(configuration(activation=activation), seed, errors)
    sweep.add_functions(run, [0, 1, 30], ["act1", "act2"])
    sweep.add_trials(["s", "k"])
    return sweep


def test_importing_analysis_loads_neither_torch_nor_plotting():
    heavy = ["torch", "ray", "optuna", "sweeps", "trainers", "matplotlib", "jinja2", "scipy.stats"]
    code = f"import sys, analysis; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_parts_of_a_root_and_of_one_sweep_read_alike(tmp_path):
    folder = small_sweep().write(tmp_path, parts=3)
    by_root, by_folder = analysis.load(tmp_path), analysis.load(folder)
    assert by_root.names == by_folder.names == ("demo",)
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(by_root, name), getattr(by_folder, name))


def test_split_and_shuffled_parts_hold_the_same_tables(tmp_path):
    small_sweep().write(tmp_path / "whole")
    small_sweep().write(tmp_path / "split", parts=5, shuffle_seed=1)
    whole, split = analysis.load(tmp_path / "whole"), analysis.load(tmp_path / "split")
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(whole, name), getattr(split, name))


def test_columns_have_real_types(tmp_path):
    small_sweep().write(tmp_path)
    results = analysis.load(tmp_path)
    runs = results.runs
    assert isinstance(runs["status"].dtype, pd.CategoricalDtype)
    assert runs["s"].dtype == "Int32"
    assert runs["s"].isna().sum() == 2, "relu has no control points"
    assert str(runs["started_at"].dtype) == "datetime64[us, UTC]"
    assert runs["tf32"].dtype == "boolean"
    assert results.epochs["epoch"].dtype == "int32"
    assert results.epochs["run_id"].dtype == runs["run_id"].dtype, "joins need no conversion"
    assert list(runs.columns) == TABLES["runs"].schema.names
    assert list(results.epochs.columns) == TABLES["epochs"].schema.names


def test_frames_can_be_changed_in_place(tmp_path):
    small_sweep().write(tmp_path)
    epochs = analysis.load(tmp_path).epochs
    epochs.loc[0, "val_error_percent"] = 50.0
    assert epochs["val_error_percent"].iloc[0] == 50.0


def test_histories_are_complete_and_in_order(tmp_path):
    small_sweep().write(tmp_path, parts=4, shuffle_seed=7)
    epochs = analysis.load(tmp_path).epochs
    for _, history in epochs.groupby("run_id"):
        assert history["epoch"].tolist() == list(range(1, 31))


def test_the_last_row_of_a_key_wins(tmp_path):
    sweep = small_sweep()
    sweep.write(tmp_path)
    row = sweep.rows["runs"][0] | {"status": "diverged"}
    write_part(tmp_path, "demo", "runs", [row], number=1)
    runs = analysis.load(tmp_path).runs
    assert len(runs) == 4
    assert runs.set_index("run_id").loc[row["run_id"], "status"] == "diverged"


@pytest.mark.parametrize("columns", [None, ["seed"], ["seed", "status"]], ids=str)
@pytest.mark.parametrize("number", [0, 1_000_000])
def test_of_two_writers_the_end_wins_whatever_their_names_and_numbers(tmp_path, number, columns):
    row = small_sweep().rows["runs"][0]
    for writer, status, seed in (("z", "running", 1), ("a", "completed", 2), ("b", "running", 3)):
        changed = [row | {"status": status, "seed": seed}]
        write_part(tmp_path, "demo", "runs", changed, number, writer=writer)
    runs = analysis.load(tmp_path).table("runs", columns)
    assert runs["seed"].tolist() == [2]
    assert "status" not in runs or runs["status"].tolist() == ["completed"]
    assert columns is None or list(runs) == ["sweep", "run_id", *sorted(columns)]


def test_a_part_wins_over_parts_of_smaller_numbers_and_of_the_earlier_layout(tmp_path):
    row = {"sweep": "demo", "run_id": "r", "epoch": 1}
    write_part(tmp_path, "demo", "epochs", [row | {"val_loss": 1.0}], 5, writer="r")
    store = open_store(tmp_path / "demo")
    store.writer("r").write(TABLES["epochs"], [row | {"val_loss": 2.0}])
    assert analysis.load(tmp_path).table("epochs", ["val_loss"])["val_loss"].tolist() == [2.0]
    (part,) = (tmp_path / "demo" / "tables" / "parts").iterdir()
    part.rename(part.with_name("r-1000000.epochs.arrows"))
    store.writer("r").write(TABLES["epochs"], [row | {"val_loss": 3.0}])
    assert (part.parent / "r-1000001.epochs.arrows").exists()
    (part.parent / "r-1000001.epochs.arrows").rename(part.with_name("r-999999.epochs.arrows"))
    assert analysis.load(tmp_path).table("epochs", ["val_loss"])["val_loss"].tolist() == [2.0]


def test_parts_win_over_the_compacted_table(tmp_path):
    sweep = small_sweep()
    row = sweep.rows["runs"][0]
    old = write_part(tmp_path, "demo", "runs", [row | {"status": "completed"}], 9)
    old.rename(tmp_path / "demo" / "tables" / "runs.parquet")
    write_part(tmp_path, "demo", "runs", [row | {"status": "running"}], number=1)
    write_part(tmp_path, "demo", "runs", [row | {"status": "interrupted"}], writer="other")
    assert analysis.load(tmp_path).runs["status"].tolist() == ["interrupted"]


def test_unfinished_and_foreign_files_are_ignored(tmp_path):
    folder = small_sweep().write(tmp_path) / "tables" / "runs"
    (folder / ".worker-000009.parquet").write_bytes(b"half a fi")
    (folder / "notes.txt").write_text("mine")
    assert len(analysis.load(tmp_path).runs) == 4


@pytest.mark.parametrize("content", [b"", b"PAR1 not parquet at all", None], ids=str)
def test_a_damaged_part_is_named_and_skipped(tmp_path, content):
    sweep = small_sweep()
    path = sweep.write(tmp_path) / "tables" / "runs" / "worker-000007.parquet"
    whole = (path.parent / "worker-000000.parquet").read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    results = analysis.load(tmp_path)
    with pytest.warns(analysis.StoreWarning, match=r"skipped damaged .*worker-000007\.parquet"):
        runs = results.runs
    assert len(runs) == 4
    assert [part.path for part in results.damaged] == [str(path)]


def test_a_newer_schema_is_refused(tmp_path):
    rows = small_sweep().rows["runs"]
    path = write_part(tmp_path, "demo", "runs", rows, version=SCHEMA_VERSION + 1)
    with pytest.raises(analysis.StoreError, match=f"schema version {SCHEMA_VERSION + 1}.*upgrade"):
        _ = analysis.load(tmp_path).runs
    assert path.exists()


def test_a_missing_store_is_one_line(tmp_path):
    with pytest.raises(
        analysis.StoreError, match=r"no sweeps in .* yet .*start with `sweeps run"
    ) as caught:
        analysis.load(tmp_path / "nowhere")
    assert "\n" not in str(caught.value)


def test_close_names_are_suggested(tmp_path):
    small_sweep("table1_lenet5").write(tmp_path)
    with pytest.raises(analysis.StoreError, match="did you mean 'table1_lenet5'"):
        analysis.load(tmp_path, sweeps=["table1_lenet"])
    results = analysis.load(tmp_path)
    with pytest.raises(analysis.StoreError, match="did you mean 'epochs'"):
        results.table("epoch")
    with pytest.raises(analysis.StoreError, match=r"column of epochs .* 'val_error_percent'"):
        results.table("epochs", ["val_error"])


def test_tables_without_rows_have_their_columns_and_types(tmp_path):
    small_sweep().write(tmp_path)
    for table in ("runs", "epochs", "predictions"):
        write_part(tmp_path, "demo", table, [], number=9)
    results = analysis.load(tmp_path)
    assert results.damaged == ()
    assert len(results.runs) == 4
    assert list(results.predictions.columns) == TABLES["predictions"].schema.names
    assert results.events.empty


def test_an_empty_selection_is_one_line(tmp_path):
    small_sweep().write(tmp_path)
    for sweeps in ([], "demo"):
        with pytest.raises(analysis.StoreError, match=r"sweeps is a list of names, as \['demo'\]"):
            analysis.load(tmp_path, sweeps=sweeps)
    with pytest.raises(analysis.StoreError, match=r"columns is a list of names, as \['val_loss'\]"):
        analysis.load(tmp_path).table("epochs", "val_loss")


def test_chosen_columns_come_with_the_key_alone(tmp_path):
    small_sweep().write(tmp_path)
    frame = analysis.load(tmp_path).table("epochs", ["val_loss"])
    assert list(frame.columns) == ["sweep", "run_id", "epoch", "val_loss"]


def test_a_remote_address_reads_like_a_folder(tmp_path):
    small_sweep().write(tmp_path, parts=2)
    remote = analysis.load(f"file://{tmp_path}")
    pd.testing.assert_frame_equal(remote.runs, analysis.load(tmp_path).runs)
    with pytest.raises(analysis.StoreError, match="cannot read nosuch://bucket"):
        analysis.load("nosuch://bucket")


def test_a_file_system_of_fsspec_reads_like_a_folder(tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="fsspec comes with torch and ray")
    small_sweep().write(tmp_path)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "demo"), "/store/demo", recursive=True)
    pd.testing.assert_frame_equal(
        analysis.load("memory://store").runs, analysis.load(tmp_path).runs
    )


def test_tables_can_be_queried(tmp_path):
    pytest.importorskip("duckdb", reason="queries are for those who have DuckDB")
    small_sweep().write(tmp_path)
    results = analysis.load(tmp_path)
    found = results.query("select activation, count(*) as n from runs group by 1 order by 1")
    assert found.to_dict("list") == {"activation": ["polyneuron_r", "relu"], "n": [2, 2]}
    for sql, message in {
        "select activatoin from runs": "query: no column 'activatoin': did you mean 'activation'",
        "select * from rums": "query: no table 'rums': did you mean 'runs'",
        "selec 1": "query: Parser Error: syntax error at or near",
    }.items():
        with pytest.raises(analysis.StoreError, match=message) as caught:
            results.query(sql)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{file}'",
        "select * from '{file}'",
        "select * from read_csv('{file}')",
        "attach '{file}' as other",
        "install httpfs",
        "set enable_external_access = true",
        "select * from secret",
    ],
)
def test_a_query_sees_the_tables_and_nothing_else(tmp_path, sql):
    pytest.importorskip("duckdb", reason="queries are for those who have DuckDB")
    small_sweep().write(tmp_path)
    secret = pd.DataFrame({"a": [1]})  # a variable, which DuckDB would find by its name
    secret.to_csv(tmp_path / "secret.csv")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(analysis.StoreError, match="query: "):
        analysis.load(tmp_path).query(sql.format(file=tmp_path / "secret.csv"))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_query_without_duckdb_says_what_to_install(tmp_path, monkeypatch):
    small_sweep().write(tmp_path)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(analysis.StoreError, match="pip install duckdb"):
        analysis.load(tmp_path).query("select 1")


def test_several_sweeps_are_one_table(tmp_path):
    small_sweep("first").write(tmp_path)
    small_sweep("second").write(tmp_path)
    assert analysis.load(tmp_path).runs["sweep"].value_counts().to_dict() == {
        "first": 4,
        "second": 4,
    }
    assert analysis.load(tmp_path, sweeps=["second"]).runs["sweep"].unique().tolist() == ["second"]


def test_trials_have_a_column_a_parameter(tmp_path):
    sweep = small_sweep()
    relu, poly = sweep.rows["trials"]
    relu["params_json"] = '{"activation": "relu", "learning_rate": 0.1, "status": "mine"}'
    poly["params_json"] = '{"activation": "polyneuron_r", "s": 3, "learning_rate": 1}'
    sweep.write(tmp_path)
    trials = analysis.load(tmp_path).trials
    assert list(trials.columns)[-3:] == ["activation", "learning_rate", "s"]
    assert trials["activation"].tolist() == ["relu", "polyneuron_r"]
    assert trials["learning_rate"].tolist() == [0.1, 1.0]
    assert (trials["s"].dtype, trials["s"].isna().tolist()) == ("Int64", [True, False])
    assert trials["status"].tolist() == ["completed"] * 2, "a table's own column stays"
    assert trials.groupby("s")["objective"].mean().index.tolist() == [3]


def test_results_say_what_they_hold(tmp_path):
    name = "a <b>&'\"é"
    sweep = small_sweep(name)
    sweep.add_run(configuration(activation="swish"), 0, np.array([9.0]), status="diverged")
    sweep.write(tmp_path)
    results = analysis.load(tmp_path)
    lines = repr(results).splitlines()
    assert lines[0] == f"Results of 1 sweep in {tmp_path}"
    runs = "runs: 4 completed, 1 diverged, lowest error 2.00 %"
    assert lines[1:] == [f"  {name}: lenet5/mnist, 2 trials, {runs}"]
    html = results._repr_html_()
    assert "<b>" not in html
    assert "<td>a &lt;b&gt;&amp;&#x27;&quot;é</td>" in html
    assert "4 completed, 1 diverged" in html
