import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch
import typer
import yaml

import analysis
from analysis.store.errors import StoreError
from analysis.store.schema import RUNS
from sweeps.commands.cli import run_command
from sweeps.commands.ending import to_the_end
from sweeps.planning import kept_costs
from sweeps.store import export


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Run the command in an empty folder, with no data root; returns code, output, errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWEEPS_DATA", str(tmp_path / "no-data"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(kept_costs, "folder", lambda: tmp_path / "calibrations")

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sweeps", *arguments])
        code = run_command()
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


MINE = "search: grid\ndata: digits\nrecipe: {epochs: 1}\n"

BAD = {
    "unknown key": (MINE + "nam: x\n", "nam: unknown key; did you mean name?"),
    "wrong type": (MINE + "seeds: many\n", "seeds: expected a list; got 'many'"),
    "s < 2": (MINE + "space: {s: 1}\n", "space.s: s must be an integer of at least 2"),
    "k < 1": (MINE + "space: {k: 0}\n", "space.k: k must be an integer of at least 1"),
    "empty range": (
        "data: digits\nsearch: {trials: 3}\nspace: {learning_rate: {log: [1e-2, 1e-3]}}\n",
        "space.learning_rate: the range [0.01, 0.001] is empty",
    ),
    "no data": ("search: grid\ndata: mnist\n", "mnist is not under"),
    "no GPU": (MINE + "resources: {gpus: 1}\n", "resources.gpus: 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_ends_with_two_lines_code_2_and_nothing_on_disk(
    case: str, sweeps, tmp_path: Path
) -> None:
    text, message = BAD[case]
    if case == "no GPU":
        torch = pytest.importorskip("torch")
        if torch.cuda.is_available():
            pytest.skip("this machine has a GPU")
    Path("mine.yaml").write_text(text)
    before = sorted(tmp_path.rglob("*"))
    code, out, err = sweeps("run", "mine.yaml")
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) <= 2
    assert "Traceback" not in out + err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_file_is_named(sweeps) -> None:
    code, _, err = sweeps("run", "nothing.yaml")
    assert code == 2
    assert err == "error: no such file: nothing.yaml\n"


def test_an_unknown_command_and_option_end_with_code_2(sweeps) -> None:
    assert sweeps("rum")[0] == 2
    assert sweeps("run", "quickstart", "--speed", "9")[0] == 2


@pytest.mark.parametrize("command", ["status", "results", "report"])
def test_an_unknown_sweep_is_named(command: str, sweeps) -> None:
    code, _, err = sweeps(command, "nothing")
    assert code == 2
    assert "error: no sweeps in results yet" in err


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a finished run on digits, recorded under `one`; tests change copies of it."""
    root = tmp_path_factory.mktemp("trained")
    arguments = ["train", "--data", "digits", "--epochs", "2", "--name", "one"]
    arguments += ["--activation", "swish", "--seed", "3", "--root", str(root)]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        patch.setattr(sys, "argv", ["sweeps", *arguments])
        assert run_command() == 0
    assert "completed" in out.getvalue()
    return root


@pytest.fixture
def one_run(sweeps, trained: Path):
    """The command where `results/one` is a finished run."""
    shutil.copytree(trained, "results")
    return sweeps


def test_a_run_without_ray_writes_the_same_records(one_run) -> None:
    results = analysis.load("results")
    run = results.runs.iloc[0]
    assert run["status"] == "completed"
    assert run["activation"] == "swish"
    assert run["seed"] == 3
    assert list(results.epochs["epoch"]) == [1, 2]
    assert results.epochs["val_error_percent"].iloc[-1] == run["last_val_error_percent"]
    assert set(results.events["kind"]) == {"start", "done"}
    assert results.trials["objective"].iloc[0] == run["last_val_error_percent"]
    assert results.sweeps["validation"].iloc[0] == "test"
    functions = results.functions
    assert set(functions["epoch"]) >= {0, 2}
    assert functions.groupby("epoch").size().eq(4).all()


def test_a_taken_name_changes_nothing(one_run, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for arguments in (
        ("run", "quickstart", "--name", "one", "--set", "data=digits"),
        ("train", "--data", "digits", "--name", "one"),
    ):
        code, _, err = one_run(*arguments)
        assert code == 2
        assert "one" in err
        assert "--name" in err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_a_resume_needs_a_run_with_the_same_settings(one_run) -> None:
    arguments = ["train", "--data", "digits", "--resume", "--activation", "swish", "--seed", "3"]
    code, _, err = one_run(*arguments, "--epochs", "2", "--name", "two")
    assert (code, "nothing to resume" in err) == (2, True)
    code, _, err = one_run(*arguments, "--epochs", "3", "--name", "one")
    assert (code, "other settings" in err) == (2, True)
    before = analysis.load("results").epochs
    code, _, err = one_run(*arguments, "--epochs", "2", "--name", "one")
    assert (code, err) == (0, "")
    pd.testing.assert_frame_equal(analysis.load("results").epochs, before)


def test_results_are_exported_a_row_a_run(one_run) -> None:
    _, table, _ = one_run("results", "one")
    assert "best: trial 0" in table
    assert "sweeps report one" in table
    _, csv, _ = one_run("results", "one", "--csv")
    _, lines, _ = one_run("results", "one", "--json")
    code, _, err = one_run("results", "one", "--parquet")
    assert (code, "--out" in err) == (2, True)
    code, said, _ = one_run("results", "one", "--parquet", "--out", "runs.parquet")
    assert (code, said) == (0, "runs.parquet\n")
    error = analysis.load("results").runs["last_val_error_percent"].iloc[0]
    assert pd.read_parquet("runs.parquet")["last_val_error_percent"].iloc[0] == error
    assert json.loads(lines)["last_val_error_percent"] == pytest.approx(error, rel=1e-9)
    Path("runs.csv").write_text(csv)
    assert pd.read_csv("runs.csv")["last_val_error_percent"].iloc[0] == pytest.approx(error)


def test_status_list_and_report_read_the_same_store(one_run) -> None:
    _, status, _ = one_run("status", "one")
    assert "1/1 trials done" in status
    _, listed, _ = one_run("list")
    assert "lenet5/digits" in listed
    code, paths, err = one_run("report", "one", "--latex")
    assert code == 0, err
    assert {Path(path).suffix for path in paths.split()} == {".html", ".md", ".tex"}
    for path in paths.split():
        assert "swish" in Path(path).read_text("utf-8").lower()


def test_a_plan_counts_before_anything_starts(sweeps) -> None:
    Path("mine.yaml").write_text(MINE + "space: {s: {grid: [3, 5]}}\nseeds: 3\n")
    code, out, err = sweeps("plan", "mine.yaml")
    assert code == 0, err
    assert "6 (3 seeds a trial)" in out
    assert "MB" in out
    assert "seed-to-seed deviation unknown (too few earlier runs of lenet5/digits over" in out
    assert not Path("results").exists()


def test_a_plan_needs_no_gpu_for_a_sweep_that_does(sweeps) -> None:
    Path("mine.yaml").write_text(f"{MINE}resources: {{gpus: 1}}\n")
    code, out, err = sweeps("plan", "mine.yaml")
    assert code == 0, err
    if not torch.cuda.is_available():
        assert "asks for a GPU and this machine has none" in " ".join(out.split())
        assert "CPU time" in out


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("sweeps res", ["resume", "results"]),
        ("sweeps results o", ["one"]),
        ("sweeps compare one ", ["one"]),
        ("sweeps run quick", ["quickstart"]),
        ("sweeps plan mi", ["mine.yaml"]),
        ("sweeps plan ./mi", ["./mine.yaml"]),
    ],
)
def test_a_shell_completes_commands_and_names(typed: str, offered: list[str], one_run) -> None:
    Path("results/other").mkdir()
    Path("mine.yaml").write_text(MINE)
    words = typed.split(" ")
    code = "import sys; sys.argv = ['sweeps']; from sweeps.__main__ import main; main()"
    asked = {"COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "_SWEEPS_COMPLETE": "complete_bash", **asked},
        capture_output=True,
        text=True,
    )
    assert sorted(done.stdout.split()) == sorted(offered), done.stderr


def test_a_note_and_tags_are_kept_and_shown(one_run) -> None:
    one_run("note", "one", "looks <odd>", "--tag", "paper", "--tag", "draft")
    code, out, _ = one_run("note", "one", "--untag", "draft")
    assert (code, out) == (0, "note: looks <odd>\ntags: paper\n")
    assert one_run("compact", "one")[0] == 0
    _, shown, _ = one_run("results", "one")
    assert "note: looks <odd>" in shown
    assert "tags: paper" in shown
    one_run("report", "one", "--out", "report")
    assert "looks &lt;odd&gt;" in Path("report/report.html").read_text("utf-8")
    _, out, _ = one_run("note", "one", "")
    assert out == "note: none\ntags: paper\n"


def test_a_tag_is_one_word(one_run) -> None:
    code, _, err = one_run("note", "one", "--tag", "two words")
    assert (code, "got 'two words'" in err) == (2, True)
    assert one_run("note", "one")[1] == "note: none\ntags: none\n"


TOLD = 'printf "%s|%s|%s" "$SWEEPS_NAME" "$SWEEPS_STATE" "$SWEEPS_MESSAGE" > told'


def test_the_end_of_a_sweep_is_told_by_the_users_command(one_run) -> None:
    root = Path("results")
    to_the_end(root, "one", lambda: True, TOLD)
    name, state, message = Path("told").read_text().split("|")
    assert (name, state) == ("one", "complete")
    assert "1 of 1 trials, best: trial 0" in message
    with pytest.raises(typer.Exit):
        to_the_end(root, "one", lambda: False, TOLD)
    assert Path("told").read_text() == "one|interrupted|one was interrupted"

    def cut_off() -> bool:
        raise StoreError("the disk is full")

    with pytest.raises(StoreError):
        to_the_end(root, "one", cut_off, TOLD)
    assert Path("told").read_text() == "one|failed|one failed: the disk is full"


def test_a_command_that_fails_is_a_warning_and_no_error(
    one_run, capsys: pytest.CaptureFixture[str]
) -> None:
    to_the_end(Path("results"), "one", lambda: True, "echo no such host >&2; exit 3")
    assert "warning: --notify: no such host" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_of_few_characters_gets_no_traceback(encoding: str, one_run) -> None:
    for command in (["list"], ["results", "one"], ["status", "one"]):
        environment = {**os.environ, "PYTHONIOENCODING": encoding, "SWEEPS_ROOT": "results"}
        done = subprocess.run(
            [sys.executable, "-m", "sweeps", *command],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
        assert b"swish" in done.stdout or b"one" in done.stdout


def test_an_export_never_replaces_characters(tmp_path: Path) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with pytest.raises(StoreError, match=r"standard output is ascii.*--out FILE"):
        export._print("größe\n", stream)


def test_folders_that_cannot_be_written_are_one_line(one_run) -> None:
    code, out, err = one_run("report", "one", "--out", "/proc/x")
    assert (code, out) == (1, "")
    assert err.strip() == "error: /proc/x: No such file or directory"
    code, out, err = one_run("run", "quickstart", "--set", "data=digits", "--root", "/proc/x")
    assert code == 2
    assert "cannot write to the results folder /proc/x" in err
    assert "--root" in err


def test_a_manifest_says_what_an_exported_file_is(one_run, tmp_path: Path) -> None:
    arguments = ("results", "one", "--csv", "--out", "runs.csv", "--manifest", "codecheck.yml")
    code, _, err = one_run(*arguments)
    assert (code, err) == (0, "")
    manifest = yaml.safe_load(Path("codecheck.yml").read_text("utf-8"))
    (entry,) = manifest["manifest"]
    assert entry["file"] == "runs.csv"
    assert entry["comment"] == "One row a run of the sweep one: 1 completed"
    assert entry["sha256"] == hashlib.sha256(Path("runs.csv").read_bytes()).hexdigest()
    exported = pd.read_csv("runs.csv")
    assert [column["column"] for column in manifest["columns"]] == list(exported.columns)
    units = {column["column"]: column["unit"] for column in manifest["columns"]}
    assert (units["last_val_error_percent"], units["train_seconds"]) == ("%", "s")
    assert manifest["sweep"]["spec"]["activation"]["name"] == "swish"
    assert manifest["sweep"]["data_sha256"] == [exported["data_sha256"].iloc[0]]
    assert len(manifest["sweep"]["code_version"]) > 5


def test_an_exported_parquet_file_keeps_types_and_units(one_run) -> None:
    assert one_run("results", "one", "--parquet", "--out", "runs.parquet")[0] == 0
    schema = pq.read_schema("runs.parquet")
    assert schema.equals(RUNS.schema)
    assert schema.field("train_seconds").metadata[b"unit"] == b"s"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--csv", "--json"], "choose one of --csv and --json"),
        (["--manifest", "m.yml"], "--csv --out FILE"),
        (["--csv", "--out", "no/such/runs.csv"], "cannot write no/such/runs.csv: No such file"),
    ],
)
def test_an_export_that_cannot_be_is_one_line(arguments, message: str, one_run) -> None:
    code, out, err = one_run("results", "one", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_compact_names_what_is_damaged_and_loses_nothing(one_run, tmp_path: Path) -> None:
    part = tmp_path / "results" / "one" / "tables" / "parts" / "late-000000.runs.arrows"
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"no stream of Arrow's")
    code, _, err = one_run("compact", "one")
    assert code == 1
    assert err.startswith("warning: left damaged ")
    assert str(part) in err.replace("\n", "")
    assert part.exists()
    part.unlink()
    assert one_run("compact", "one") == (0, "", "")
    assert len(analysis.load("results").runs) == 1
    assert one_run("compact", "on")[0] == 2


@pytest.mark.parametrize(
    ("arguments", "unused"),
    [
        (["--help"], {"numpy", "pyarrow", "pandas", "scipy.stats", "torch", "ray", "optuna"}),
        (["run", "--help"], {"numpy", "pyarrow", "pandas", "scipy.stats", "torch", "ray"}),
        (["list"], {"pandas", "scipy.stats", "torch", "ray", "optuna"}),
    ],
    ids=["help", "run-help", "list"],
)
def test_a_command_imports_only_what_it_needs(
    arguments: list[str], unused: set[str], trained: Path
) -> None:
    code = f"""
import sys
from sweeps.commands.cli import run_command
sys.argv = ["sweeps", *{arguments}]
try:
    run_command()
finally:
    print(*sys.modules)
"""
    where = {**os.environ, "SWEEPS_ROOT": str(trained)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=where, capture_output=True, text=True, check=True
    )
    assert unused.isdisjoint(done.stdout.splitlines()[-1].split())
