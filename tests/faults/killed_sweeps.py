"""Kill a sweep's driver at random moments, resume it, and look for what was lost or done twice.

    python tests/faults/killed_sweeps.py search --trials 60 --kills 3
    python tests/faults/killed_sweeps.py grid --kills 3

`search` is TPE with ASHA; `grid` also runs once undisturbed and compares the tables byte for byte.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import optuna

import analysis

SEARCH = """
name: killed
data: digits
recipe: {epochs: 3}
activation: relu
space: {learning_rate: {log: [1e-4, 1e-2]}, batch_size: {int: [64, 256]}}
early_stopping: asha
seeds: 1
"""
GRID = """
name: killed
data: digits
recipe: {epochs: 2, flip: none}
activation: polyneuron_r
space: {s: {grid: [3, 5, 9]}, k: {grid: [1, 2, 3]}, learning_rate: {grid: [1e-3, 1e6]}}
search: grid
seeds: 2
"""
RESULTS = {
    "trials": "trial config_id status objective objective_standard_error seeds_done epochs_done"
    " params_json error",
    "runs": "run_id trial seed status epochs_done stop_reason last_val_error_percent"
    " best_val_error_percent best_epoch data_sha256 code_version",
    "epochs": "run_id epoch learning_rate train_loss val_loss train_error_percent"
    " val_error_percent gradient_norm penalty_sum penalty_prod nonfinite_count"
    " largest_input largest_input_layer largest_sum_w",
}
"""Columns that hold what was found, and not how long it took or where."""
STATES = {"completed": "COMPLETE", "pruned": "PRUNED"}


def drive(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a driver."""
    command = [sys.executable, "-m", "sweeps", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)


def run_and_kill(folder: Path, spec: str, kills: int, trials: int, seed: int) -> list[int]:
    """Run a sweep to its end through so many kills; return how many runs had ended at each."""
    (folder / "killed.yaml").write_text(spec)
    moments = sorted(random.Random(seed).sample(range(1, max(trials - 2, kills + 1)), kills))
    arguments = ["run", "killed.yaml"]
    killed_at = []
    for moment in moments:
        with drive(folder, *arguments) as driver:
            while driver.poll() is None and ended_runs(folder) < moment:
                time.sleep(0.02)
            time.sleep(random.Random(moment).random())
            driver.send_signal(signal.SIGKILL)
            driver.wait()
        killed_at.append(ended_runs(folder))
        arguments = ["resume", "killed"]
    with drive(folder, *arguments) as driver:
        assert driver.wait() == 0
    return killed_at


def ended_runs(folder: Path) -> int:
    """Count the runs that have begun, less those under way: ended ones, give or take two."""
    return max(0, len(list(folder.glob("results/killed/checkpoints/*"))) - 2)


def faults(folder: Path, trials: int) -> list[str]:
    """Compare study and store; list what is wrong."""
    results = analysis.load(folder / "results")
    table = results.trials.set_index("trial")
    url = f"sqlite:///{folder / 'results' / 'killed' / 'study.db'}"
    study = optuna.load_study(study_name="killed", storage=url)
    found = []
    if [one.number for one in study.trials] != list(range(trials)):
        found.append(f"the study has trials {[one.number for one in study.trials]}")
    if list(table.index) != list(range(trials)):
        found.append(f"the store has trials {list(table.index)}")
    for one in study.trials:
        status = str(table.loc[one.number, "status"])
        if one.state.name != STATES.get(status, "FAIL"):
            found.append(f"trial {one.number} is {status}, and {one.state.name} to Optuna")
        if status == "completed" and one.value != table.loc[one.number, "objective"]:
            found.append(f"trial {one.number}: {one.value} is not its objective")
        if status == "pruned":
            steps = len(one.intermediate_values)
            if steps != table.loc[one.number, "epochs_done"]:
                found.append(f"trial {one.number}: pruned with {steps} intermediate values")
        if one.user_attrs["config_id"] != table.loc[one.number, "config_id"]:
            found.append(f"trial {one.number} has two configurations")
    if results.runs["run_id"].duplicated().any():
        found.append("a run is twice in the table")
    if set(results.runs["status"].astype(str)) & {"running", "interrupted"}:
        found.append("a run has no end")
    epochs = results.epochs.groupby("run_id", observed=True)["epoch"].apply(list)
    found += [
        f"run {run} has epochs {list_}"
        for run, list_ in epochs.items()
        if list_ != list(range(1, len(list_) + 1))
    ]
    return found


def table_bytes(folder: Path) -> bytes:
    """Return what a sweep found, as CSV."""
    results = analysis.load(folder / "results")
    tables = (getattr(results, name)[columns.split()] for name, columns in RESULTS.items())
    return b"\n".join(table.to_csv(index=False).encode() for table in tables)


def main() -> None:
    """Kill, resume, compare; the exit code says whether anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kind", choices=["search", "grid"])
    parser.add_argument("--trials", type=int, default=60, help="of a search")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    search = f"search: {{algorithm: tpe, trials: {arguments.trials}}}\n"
    spec, trials = (SEARCH + search, arguments.trials) if arguments.kind == "search" else (GRID, 18)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        killed_at = run_and_kill(folder, spec, arguments.kills, trials, arguments.seed)
        found = faults(folder, trials)
        statuses = analysis.load(folder / "results").trials["status"].astype(str).value_counts()
        report = {"killed after runs": killed_at, "trials": statuses.to_dict(), "faults": found}
        if arguments.kind == "grid":
            undisturbed = folder / "undisturbed"
            undisturbed.mkdir()
            run_and_kill(undisturbed, spec, 0, trials, 0)
            one, other = table_bytes(folder), table_bytes(undisturbed)
            report |= {"bytes": len(one), "byte for byte": one == other}
            found += [] if one == other else ["the tables differ"]
    print(json.dumps(report))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
