"""A sweep's runs, with their parameters and epochs, for TensorBoard, MLflow and W&B.

Each tracker is written from the tables, when somebody asks for it: training waits for none of them.
A run that a tracker has is not written again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from analysis import Results
from analysis.measures.rows import records
from analysis.store.schema import EPOCHS
from analysis.store.statuses import FINAL, Status
from sweeps.extras import optional
from sweeps.store.paths import SweepPaths
from sweeps.store.tensorboard import SKIPPED

NUMBERS = tuple(name for name in EPOCHS.schema.names if name not in (*EPOCHS.key, *SKIPPED))
"""Columns of `epochs` that are written of a network's run."""


@dataclass(frozen=True)
class TrackedRun:
    """A run that has ended."""

    run_id: str
    trial: int
    seed: int
    status: Status
    started_at: datetime
    parameters: Mapping[str, bool | int | float | str]
    """The whole configuration, nested settings by dotted names."""
    steps: Mapping[int, Mapping[str, float]]
    """By epoch the numbers that it has."""

    @property
    def name(self) -> str:
        """The run as people call it."""
        return f"trial {self.trial}, seed {self.seed}"


@dataclass(frozen=True)
class Written:
    """The runs that a tracker was given."""

    runs: int
    """Runs that it did not have before."""
    hint: str
    """The command that shows them."""


def track(paths: SweepPaths, results: Results, tracker: str) -> Written:
    """Give a tracker the runs of a sweep that have ended.

    Args:
        paths: of the sweep; what the tracker keeps goes into a folder of its name in there.
        results: of the sweep.
        tracker: one of TRACKERS.

    Raises:
        NotInstalledError: the tracker's package is not installed.
    """
    return TRACKERS[tracker](paths, tracked_runs(results))


def tracked_runs(results: Results) -> Iterator[TrackedRun]:
    """Yield the runs that have ended, in the order of their trials and seeds."""
    runs = results.runs[results.runs["status"].isin(FINAL)].sort_values(["trial", "seed"])
    own = dict(list(_numbers(results).groupby("run_id", observed=True)))
    for run in records(runs):
        frame = own.get(run["run_id"], pd.DataFrame(columns=["epoch", "name", "value"]))
        steps: dict[int, dict[str, float]] = {}
        for epoch, name, value in frame[["epoch", "name", "value"]].itertuples(index=False):
            steps.setdefault(int(epoch), {})[str(name)] = float(value)
        started = run["started_at"]
        yield TrackedRun(
            run["run_id"],
            int(run["trial"]),
            int(run["seed"]),
            Status(run["status"]),
            datetime.now(UTC) if pd.isna(started) else started.to_pydatetime(),
            dict(_settings(json.loads(run["config_json"]))),
            steps,
        )


def _numbers(results: Results) -> pd.DataFrame:
    """Return a row a number: run_id, epoch, name, value; those that are not known left out."""
    epochs = results.table("epochs", list(NUMBERS))
    long = epochs.melt(["run_id", "epoch"], list(NUMBERS), "name", "value")
    reported = results.metrics[["run_id", "epoch", "name", "value"]].astype({"name": object})
    both = pd.concat([long.astype({"value": float}), reported])
    known = both[both["value"].notna()]
    return known.drop_duplicates(["run_id", "epoch", "name"], keep="last").sort_values("epoch")


def _settings(
    nested: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, bool | int | float | str]]:
    # Settings of a training function have the names that its space gives them.
    if not prefix and set(nested) == {"function", "settings"}:
        nested = nested["settings"]
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{prefix}{name}.")
        elif isinstance(value, bool | int | float | str):
            yield f"{prefix}{name}", value
        elif value is not None:
            yield f"{prefix}{name}", json.dumps(value)


def _to_tensorboard(paths: SweepPaths, runs: Iterator[TrackedRun]) -> Written:
    package = optional("tensorboardX", "tensorboard", "sweeps track --to tensorboard")
    written = 0
    for run in runs:
        folder = paths.tensorboard / f"trial-{run.trial:04d}-seed-{run.seed}"
        if (folder / "parameters").exists():
            continue
        has_epochs = folder.exists()  # written while it trained, as `--tensorboard` asks for
        with package.SummaryWriter(str(folder)) as writer:
            for epoch, numbers in {} if has_epochs else run.steps.items():
                for name, value in numbers.items():
                    writer.add_scalar(name, value, epoch)
            last = run.steps[max(run.steps)] if run.steps else {}
            writer.add_hparams({**run.parameters, "seed": run.seed}, dict(last), "parameters")
        written += 1
    return Written(written, f"tensorboard --logdir {paths.tensorboard}")


def _to_mlflow(paths: SweepPaths, runs: Iterator[TrackedRun]) -> Written:
    optional("mlflow", "mlflow", "sweeps track --to mlflow")
    entities = optional("mlflow.entities", "mlflow", "sweeps track --to mlflow")
    tracking = optional("mlflow.tracking", "mlflow", "sweeps track --to mlflow")
    folder = paths.folder / "mlflow"
    own = f"sqlite:///{folder}/mlflow.db"
    place = os.environ.get("MLFLOW_TRACKING_URI") or own
    if place == own:
        folder.mkdir(exist_ok=True)
    client = tracking.MlflowClient(tracking_uri=place)
    found = client.get_experiment_by_name(paths.sweep)
    experiment = found.experiment_id if found else client.create_experiment(paths.sweep)
    written = 0
    for run in runs:
        # A run that is there as running was cut off while it was written.
        ended = f"tags.run_id = '{run.run_id}' and attributes.status != 'RUNNING'"
        if client.search_runs([experiment], ended):
            continue
        begun = int(1000 * run.started_at.timestamp())
        tags = {"run_id": run.run_id, "trial": str(run.trial)}
        made = client.create_run(experiment, begun, tags, run.name).info.run_id
        for name, value in {**run.parameters, "seed": run.seed}.items():
            client.log_param(made, _allowed(name), value)
        for epoch, numbers in run.steps.items():
            values = [entities.Metric(_allowed(n), v, begun, epoch) for n, v in numbers.items()]
            client.log_batch(made, metrics=values)
        client.set_terminated(made, "FINISHED" if run.status is Status.COMPLETED else "FAILED")
        written += 1
    return Written(written, f"mlflow ui --backend-store-uri {place}")


def _allowed(name: str) -> str:
    """Return a name with the characters that MLflow takes."""
    return "".join(one if one.isalnum() or one in "_-. /:" else "_" for one in name)


def _to_wandb(paths: SweepPaths, runs: Iterator[TrackedRun]) -> Written:
    package = optional("wandb", "wandb", "sweeps track --to wandb")
    folder = paths.folder / "wandb"
    folder.mkdir(exist_ok=True)
    settings = package.Settings(silent=True, console="off", x_disable_stats=True)
    written = 0
    for run in runs:
        if list(folder.glob(f"wandb/offline-run-*-{run.run_id}")):
            continue
        with package.init(
            mode="offline",
            dir=str(folder),
            project=paths.sweep,
            group=f"trial {run.trial}",
            name=run.name,
            id=run.run_id,
            config={**run.parameters, "seed": run.seed},
            settings=settings,
        ) as opened:
            for epoch, numbers in run.steps.items():
                opened.log(dict(numbers), step=epoch)
        written += 1
    return Written(written, f"wandb sync {folder}/wandb/offline-run-*")


TRACKERS: Mapping[str, Callable[[SweepPaths, Iterator[TrackedRun]], Written]] = {
    "tensorboard": _to_tensorboard,
    "mlflow": _to_mlflow,
    "wandb": _to_wandb,
}
"""How to give runs to each tracker."""
