"""Makes real_store, beside this file, with the real engine: a sweep that meets every status.

    python tests/analysis/store/make_real_store.py

On digits, one trial after another: its driver is killed in the middle of a run and the sweep
resumed; a rate of 1e6 diverges; a slow one is pruned; one run fails, since a file lies where its
checkpoints should go. Only the tables are kept, and no places or names of this machine in them.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import analysis
from analysis.store.folders import open_folder
from analysis.store.schema import TABLES
from analysis.store.table_files import write_table
from sweeps.spec.reading import load_spec
from sweeps.spec.search_space import configure
from trainers.config import RunConfig

STORE = Path(__file__).with_name("real_store")
NAME = "real"
SPEC = f"""
name: {NAME}
question: A small sweep in which all befalls that can
data: digits
recipe: {{epochs: 4, flip: none}}
activation: polyneuron_r
space: {{learning_rate: {{grid: [3e-3, 1e-3, 1e6, 1e-6, 2e-3]}}}}
search: grid
seeds: 2
early_stopping: {{rule: median, grace_epochs: 2, startup_trials: 2}}
concurrency: 1
"""
FAILING = 2e-3


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sweeps", *arguments]


def wait_for(what: str, there: object) -> None:
    deadline = time.monotonic() + 300
    while not there():  # type: ignore[operator]
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not come")
        time.sleep(0.05)


def history_begins(folder: Path) -> bool:
    """Whether the second run has an epoch, but not all of them."""
    try:
        epochs = analysis.load(folder / "results").epochs
    except analysis.StoreError:
        return False
    lengths = epochs["run_id"].value_counts()
    return len(lengths) == 2 and lengths.min() in (1, 2)


def make(folder: Path) -> None:
    (folder / "real.yaml").write_text(SPEC)
    spec = load_spec(str(folder / "real.yaml"))
    checkpoints = folder / "results" / NAME / "checkpoints"
    with subprocess.Popen(
        command("run", "real.yaml"), cwd=folder, start_new_session=True
    ) as driver:
        wait_for("the sweep's folder", (folder / "results" / NAME / "spec.json").exists)
        checkpoints.mkdir(exist_ok=True)
        for seed in spec.seeds:
            run = RunConfig.of(configure(spec, {"learning_rate": FAILING}), seed)
            (checkpoints / run.run_id).write_text("in the way")
        wait_for("a run to interrupt", lambda: history_begins(folder))
        os.killpg(driver.pid, signal.SIGKILL)
    subprocess.run(command("resume", NAME), cwd=folder, check=True)


def keep_tables(folder: Path) -> None:
    """Keep a store's tables, with the places of this machine cut short in all their text."""
    places = {str(folder): "FOLDER", sys.prefix: "PYTHON", sys.base_prefix: "PYTHON"}
    places |= {str(Path(pd.__file__).parents[1]): "PACKAGES", str(STORE.parents[3]): "PROJECT"}
    places |= {socket.gethostname(): "host", platform.platform(): "Linux"}
    shutil.rmtree(STORE, ignore_errors=True)
    (STORE / NAME / "tables").mkdir(parents=True)
    for file in (folder / "results" / NAME / "tables").glob("*.parquet"):
        rows = pq.read_table(file)
        for index, field in enumerate(rows.schema):
            if pa.types.is_string(field.type):
                column = rows[field.name]
                for place, short in places.items():
                    column = pc.replace_substring(column, place, short)
                rows = rows.set_column(index, field, column)
        write_table(open_folder(STORE / NAME / "tables" / file.name), TABLES[file.stem], [rows])


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        make(Path(temporary))
        results = analysis.load(Path(temporary) / "results")
        print(results.runs[["learning_rate", "seed", "status", "epochs_done", "stop_reason"]])
        print(results.events[["run_id", "kind", "epoch"]].to_string())
        missing = {"completed", "pruned", "diverged", "error"} - set(results.runs["status"])
        if missing or "restore" not in set(results.events["kind"]):
            sys.exit(f"not all befell: no run is {missing or 'restored'}")
        keep_tables(Path(temporary))


if __name__ == "__main__":
    main()
