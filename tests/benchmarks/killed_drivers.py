"""What kill -9 of the driver costs: a sweep of 8 trials here, in Optuna, Ray Tune and Syne Tune.

    python tests/benchmarks/killed_drivers.py --kills 5

Each library runs 8 trials, two at a time, is killed after the third has ended, and goes on in the
way that its documentation gives. A library that is not installed is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

SCRIPT = Path(__file__).resolve()
ROOT = SCRIPT.parents[2]
RESULTS = SCRIPT.parent / "results" / "killed_drivers.json"
TRIALS, AT_A_TIME, ENDED_BEFORE = 8, 2, 3
EPOCHS, EPOCH_SECONDS = 8, 0.1
SWEEP = f"""
name: killed
data: {{name: digits, train_images: 600}}
recipe: {{epochs: {EPOCHS}, flip: none}}
activation: relu
space: {{learning_rate: {{log: [1e-4, 1e-2]}}}}
search: {{algorithm: random, trials: {TRIALS}}}
seeds: 1
concurrency: {AT_A_TIME}
"""


def train(point: float, folder: Path, report: Callable[[int, float], None]) -> float:
    """Train nothing for a second, and log the start and the end."""
    _log(folder, f"start {point!r}")
    for epoch in range(1, EPOCHS + 1):
        time.sleep(EPOCH_SECONDS)
        report(epoch, point / epoch)
    _log(folder, f"end {point!r}")
    return point / EPOCHS


def _log(folder: Path, line: str) -> None:
    with (folder / "log.txt").open("a") as file:
        file.write(f"{line}\n")


def drive_optuna(folder: Path) -> None:
    """Optuna: the study in SQLite, the limit of trials as its tutorial on databases has it."""
    import optuna
    from optuna.study import MaxTrialsCallback
    from optuna.trial import TrialState

    def objective(trial: optuna.Trial) -> float:
        return train(trial.suggest_float("x", 0, 1), folder, lambda e, v: trial.report(v, e))

    study = optuna.create_study(
        study_name="killed", storage=f"sqlite:///{folder}/study.db", load_if_exists=True
    )
    enough = MaxTrialsCallback(TRIALS, states=(TrialState.COMPLETE,))
    study.optimize(objective, n_trials=TRIALS, n_jobs=AT_A_TIME, callbacks=[enough])


def table_optuna(folder: Path) -> list[str]:
    """Return the state of each of the study's trials."""
    import optuna

    study = optuna.load_study(study_name="killed", storage=f"sqlite:///{folder}/study.db")
    return [trial.state.name for trial in study.trials]


def drive_ray(folder: Path) -> None:
    """Ray Tune: `Tuner.restore`, as its page on fault tolerance has it."""
    from ray import tune

    def trainable(config: dict[str, float]) -> None:
        train(config["x"], folder, lambda e, v: tune.report({"value": v, "epoch": e}))

    place = folder / "tune" / "killed"
    if tune.Tuner.can_restore(str(place)):
        tuner = tune.Tuner.restore(str(place), trainable, resume_errored=True)
    else:
        tuner = tune.Tuner(
            trainable,
            param_space={"x": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(num_samples=TRIALS, max_concurrent_trials=AT_A_TIME),
            run_config=tune.RunConfig(name="killed", storage_path=str(folder / "tune")),
        )
    states = ["ERROR" if one.error else "COMPLETE" for one in tuner.fit()]
    (folder / "states.json").write_text(json.dumps(states))


def table_ray(folder: Path) -> list[str]:
    """Return the state of each trial of the restored experiment."""
    states: list[str] = json.loads((folder / "states.json").read_text())
    return states


def drive_syne(folder: Path) -> None:
    """Syne Tune: local processes, and `Tuner.load` after the end of the driver."""
    from syne_tune import StoppingCriterion, Tuner
    from syne_tune.backend import LocalBackend
    from syne_tune.config_space import uniform
    from syne_tune.optimizer.baselines import RandomSearch

    name = "killed"
    saved = list(Path(os.environ["SYNETUNE_FOLDER"]).glob(f"{name}*"))
    if saved:
        tuner = Tuner.load(str(saved[0]))
    else:
        space = {"x": uniform(0, 1), "folder": str(folder)}
        tuner = Tuner(
            trial_backend=LocalBackend(entry_point=str(SCRIPT)),
            scheduler=RandomSearch(space, metrics=["value"]),
            stop_criterion=StoppingCriterion(max_num_trials_completed=TRIALS),
            n_workers=AT_A_TIME,
            tuner_name=name,
        )
    tuner.run()


def trial_syne(x: float, folder: Path) -> None:
    """Be one of Syne Tune's trials."""
    from syne_tune import Reporter

    report = Reporter()
    train(x, folder, lambda epoch, value: report(epoch=epoch, value=value))


def table_syne(folder: Path) -> list[str]:
    """Return the state of each trial of the experiment."""
    import pandas as pd

    (file,) = folder.glob("syne/killed*/results.csv.zip")
    rows = pd.read_csv(file)
    last = rows.groupby("trial_id").last()
    twice = rows.duplicated(["trial_id", "epoch"]).any()
    return ["COMPLETE" if e == EPOCHS else "CUT" for e in last["epoch"]] + ["TWICE"] * int(twice)


def drive_ours(folder: Path) -> None:
    """Run this package's own sweep: `sweeps run`, then `sweeps resume`."""
    (folder / "killed.yaml").write_text(SWEEP)
    begun = (folder / "results" / "killed" / "spec.json").exists()
    command = ["resume", "killed"] if begun else ["run", str(folder / "killed.yaml")]
    sys.argv = ["sweeps", *command, "--root", str(folder / "results")]
    from sweeps.__main__ import main as sweeps

    sweeps()


def table_ours(folder: Path) -> list[str]:
    """Return the status of each trial; write the log that the others write."""
    import analysis

    results = analysis.load(folder / "results")
    done = results.events[results.events["kind"] == "done"]
    (folder / "log.txt").write_text("".join(f"end {run}\n" for run in done["run_id"].astype(str)))
    return [
        "COMPLETE" if one == "completed" else one.upper()
        for one in results.trials["status"].astype(str)
    ]


LIBRARIES = {
    "this package": ("sweeps", drive_ours, table_ours),
    "Optuna": ("optuna", drive_optuna, table_optuna),
    "Ray Tune": ("ray", drive_ray, table_ray),
    "Syne Tune": ("syne_tune", drive_syne, table_syne),
}


def ended(folder: Path) -> int:
    """Count the trainings that have ended."""
    ours = len(list(folder.glob("results/killed/checkpoints/*/final.ckpt")))
    log = folder / "log.txt"
    return ours + (log.read_text().count("end ") if log.exists() else 0)


def saved(folder: Path) -> bool:
    """Return True but while Syne Tune has not saved itself: at first it does after ten seconds."""
    return not (folder / "syne").exists() or any(folder.glob("syne/*/tuner.dill"))


def kill_and_resume(library: str, folder: Path, seed: int) -> dict[str, object]:
    """Kill a library's driver once, let it go on, and count."""
    command = [sys.executable, str(SCRIPT), "--drive", library, "--folder", str(folder)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "SYNETUNE_FOLDER": str(folder / "syne"),
        "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    }
    # Syne Tune leaves files where it is started.
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    with subprocess.Popen(command, env=environment, **quiet) as driver:  # type: ignore[call-overload]
        while driver.poll() is None and (ended(folder) < ENDED_BEFORE or not saved(folder)):
            time.sleep(0.01)
        time.sleep(random.Random(seed).uniform(0.1, 0.6))
        driver.send_signal(signal.SIGKILL)
    code = subprocess.run(command, env=environment, timeout=300, **quiet).returncode  # type: ignore[call-overload]
    try:
        states = Counter(LIBRARIES[library][2](folder))
    except Exception as error:  # a library may have left nothing that can be read
        return {"resumed": False, "error": f"{type(error).__name__}: {error}"}
    ends = Counter(
        line for line in (folder / "log.txt").read_text().splitlines() if line.startswith("end")
    )
    return {
        "resumed": code == 0,
        "states": dict(states),
        "trainings ended": sum(ends.values()),
        "ended twice": sum(count - 1 for count in ends.values()),
    }


def main() -> None:
    """Kill each library's driver, print the counts and keep them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--only", choices=LIBRARIES, help="leave the counts of others as they are")
    parser.add_argument("--drive", choices=LIBRARIES, help="be a library's driver")
    parser.add_argument("--folder", "--st_folder", type=Path)
    parser.add_argument("--x", type=float, help="be a trial of Syne Tune")
    arguments, _ = parser.parse_known_args()
    if arguments.x is not None:
        trial_syne(arguments.x, arguments.folder)
        return
    if arguments.drive:
        LIBRARIES[arguments.drive][1](arguments.folder)
        return
    rows: dict[str, list[dict[str, object]]] = {}
    if arguments.only:
        rows |= json.loads(RESULTS.read_text())
        rows.pop(arguments.only, None)
    for library, (module, _, _) in LIBRARIES.items():
        if arguments.only not in (None, library):
            continue
        if importlib.util.find_spec(module) is None:
            print(f"{library}: not installed, left out")
            continue
        for seed in range(arguments.kills):
            with tempfile.TemporaryDirectory() as name:
                rows.setdefault(library, []).append(kill_and_resume(library, Path(name), seed))
                print(library, json.dumps(rows[library][-1]), flush=True)
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
