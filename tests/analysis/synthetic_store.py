"""Stores with planted effects, in the earlier layout: a Parquet file a part."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from analysis.store.identities import IDENTITY_VERSION
from analysis.store.identity1 import DEFAULTS, current
from analysis.store.schema import TABLES

START = datetime(2026, 1, 5, 9, tzinfo=UTC)

SPENT = tuple(
    f"{part}_seconds" for part in ("data", "setup", "train", "evaluation", "snapshot", "checkpoint")
)
"""Where a run's time goes; a trial's is the sum over its runs."""

SETTINGS: dict[str, dict[str, Any]] = {
    "lenet5/mnist": {"epochs": 30, "drop_at": [20 / 30, 25 / 30], "functions": 4},
    "resnet20/cifar10": {"epochs": 500, "drop_at": [0.5], "functions": 19},
}
READINGS: dict[str, dict[str, Any]] = {
    "resnet20/cifar10": {
        "network": {"residual": "pre_act", "shortcut": "projection"},
        "recipe": {"activation_learning_rate": 1e-4},
    }
}


def configuration(
    benchmark: str = "lenet5/mnist",
    activation: str = "polyneuron_r",
    options: dict[str, Any] | None = None,
    scope: str = "layer",
    validation: str = "test",
    literal: bool = False,
    **recipe: Any,
) -> dict[str, Any]:
    """A configuration as a specification has it; `recipe` overrides the paper's.

    In the benchmark's reading, or with `literal` in the paper's own setting.
    """
    reading = {} if literal else READINGS.get(benchmark, {})
    network, data = benchmark.split("/")
    setting = SETTINGS.get(benchmark, SETTINGS["lenet5/mnist"])
    if options is None:
        options = {"s": 3, "k": 3} if activation.startswith("polyneuron") else {}
    chosen = {
        "activation": {"name": activation, "scope": scope, "options": options},
        "network": {"name": network, **reading.get("network", {})},
        "data": {"name": data, "validation": validation},
        "recipe": {
            "epochs": setting["epochs"],
            "drop_at": setting["drop_at"],
            **reading.get("recipe", {}),
            **recipe,
        },
    }
    return {name: {**copy.deepcopy(known), **chosen[name]} for name, known in DEFAULTS.items()}


def learning_curve(final: float, epochs: int, rng: np.random.Generator) -> np.ndarray:
    """Errors in percent after each epoch, (epochs,), that end at `final`."""
    fall = np.exp(-4 * np.arange(epochs) / max(epochs - 1, 1)) - np.exp(-4)
    noise = rng.normal(0, 0.05, epochs) * (np.arange(epochs) < epochs - 1)
    return np.clip(final * (1 + 3 * fall) + noise, 0, 100)


@dataclass
class SyntheticSweep:
    """Rows of one sweep, collected in the order in which its workers would write them."""

    name: str
    benchmark: str = "lenet5/mnist"
    purpose: str = "confirmatory"
    early_stopping: str = "none"
    validation: str = "test"
    claims: tuple[str, ...] = ()
    epochs_planned: int | None = None
    seeds: int = 5
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {t: [] for t in TABLES})
    _known: dict[int, tuple[dict[str, Any], str, str]] = field(default_factory=dict)
    _trials: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        default = SETTINGS.get(self.benchmark, SETTINGS["lenet5/mnist"])["epochs"]
        self.epochs_planned = self.epochs_planned or default
        self.rows["sweeps"].append(
            {
                "sweep": self.name,
                "benchmark": self.benchmark,
                "purpose": self.purpose,
                "search": "tpe" if self.purpose == "exploratory" else "grid",
                "early_stopping": self.early_stopping,
                "metric": "val_error_percent",
                "validation": self.validation,
                "epochs_planned": self.epochs_planned,
                "seeds": self.seeds,
                "claims": list(self.claims),
                "spec_json": "{}",
                "spec_sha256": hashlib.sha256(self.name.encode()).hexdigest(),
                "code_version": "0.1.0",
                "versions_json": json.dumps({"python": "3.11.2", "torch": "2.15.0"}),
                "created_at": START,
            }
        )

    def add_run(
        self,
        config: dict[str, Any],
        seed: int,
        errors: np.ndarray,
        *,
        status: str = "completed",
        trial: int | None = None,
        epoch_seconds: float = 2.0,
        history: bool = True,
    ) -> str:
        """Add a run whose validation error after each finished epoch is given; its run_id."""
        identity, config_json = self._identified(config)
        if trial is None:
            trial = self._trials.get(identity, len(set(self._trials.values())))
        self._trials[identity] = trial
        recipe, activation = config["recipe"], config["activation"]
        options = activation["options"]
        penalised = activation["name"] == "polyneuron_r"
        done = len(errors)
        run_id = f"{identity}-s{seed}"
        self.rows["runs"].append(
            {
                "sweep": self.name,
                "run_id": run_id,
                "trial": trial,
                "config_id": identity,
                "identity_version": IDENTITY_VERSION,
                "seed": seed,
                "benchmark": self.benchmark,
                "activation": activation["name"],
                "scope": activation["scope"],
                "init": options.get("init"),
                "s": options.get("s"),
                "k": options.get("k"),
                "lambda_sum": recipe["lambda_sum"] if penalised else None,
                "lambda_prod": recipe["lambda_prod"] if penalised else None,
                "learning_rate": recipe["learning_rate"],
                "config_json": config_json,
                "validation": self.validation,
                "epochs_planned": recipe["epochs"],
                "epochs_done": done,
                "status": status,
                "stop_reason": "" if status == "completed" else f"{status} after {done} epochs",
                "last_val_error_percent": float(errors[-1]) if done else None,
                "best_val_error_percent": float(errors.min()) if done else None,
                "best_epoch": int(errors.argmin()) + 1 if done else None,
                "parameters": 61706,
                "activation_functions": 4,
                "epoch_seconds": epoch_seconds,
                "data_seconds": 0.5,
                "setup_seconds": 0.02,
                "train_seconds": epoch_seconds * done * 0.9,
                "evaluation_seconds": epoch_seconds * done * 0.1,
                "snapshot_seconds": 0.01,
                "checkpoint_seconds": 0.01,
                "images_per_second": 60000 / epoch_seconds,
                "device": "cpu",
                "tf32": False,
                "data_sha256": "d" * 64,
                "started_at": START,
                "ended_at": None if status == "running" else START + timedelta(minutes=done),
            }
        )
        if history:
            drops = [round(at * recipe["epochs"]) for at in recipe["drop_at"]]
            for epoch, error in enumerate(errors, start=1):
                dropped = sum(epoch > drop for drop in drops)
                rate = recipe["learning_rate"] * recipe["drop_factor"] ** dropped
                self._add_epoch(run_id, epoch, rate, float(error), epoch_seconds)
        return run_id

    def add_drop(self, run_id: str, before: float, after: float) -> None:
        """Add the errors of a run in the epochs before and after its rate first drops."""
        for epoch, rate, error in ((1, 1e-3, before), (2, 1e-4, after)):
            self._add_epoch(run_id, epoch, rate, error, 2.0)

    def add_times(self, run_id: str, seconds: Sequence[float]) -> None:
        """Add epochs of a run that took so many seconds each."""
        for epoch, own in enumerate(seconds, start=1):
            self._add_epoch(run_id, epoch, 1e-3, 3.0, own)

    def _identified(self, config: dict[str, Any]) -> tuple[str, str]:
        """The config's id and form; made once an object, which is kept so that `id`s differ."""
        if id(config) not in self._known:
            self._known[id(config)] = config, *current(json.dumps(config))
        return self._known[id(config)][1:]

    def _add_epoch(
        self, run_id: str, epoch: int, rate: float, error: float, seconds: float
    ) -> None:
        self.rows["epochs"].append(
            {
                "sweep": self.name,
                "run_id": run_id,
                "epoch": epoch,
                "learning_rate": rate,
                "train_loss": error / 25,
                "val_loss": error / 30,
                "train_error_percent": min(error * 1.3, 100.0),
                "val_error_percent": error,
                "gradient_norm": 1.0 / epoch,
                "penalty_sum": 0.01,
                "penalty_prod": 0.02,
                "epoch_seconds": seconds,
                "train_seconds": seconds * 0.9,
                "memory_megabytes": 300.0,
                "nonfinite_count": 0,
                "largest_input": 9.5,
                "largest_input_layer": "act1",
                "largest_sum_w": 0.02,
                "statistics_gap_percent": None,
            }
        )

    def add_functions(self, run_id: str, epochs: list[int], layers: list[str]) -> None:
        """Add a PolyNeuron-R whose control points drift a little from the ReLU-like start."""
        grid = np.linspace(-4, 4, 41)
        for layer_index, layer in enumerate(layers):
            for epoch in epochs:
                drift = 0.05 * np.log1p(epoch) * (1 + layer_index)
                c_x = np.array([-1.0 - drift, drift / 2, 1.0 + drift])
                w = np.array([0.125, -0.25 - drift / 10, 0.125])
                v0, v1 = 0.5 + drift / 4, -0.25
                curve = _relaxed(grid, c_x, w, v0, v1)
                key = {
                    "sweep": self.name,
                    "run_id": run_id,
                    "epoch": epoch,
                    "layer": layer,
                    "function": 0,
                }
                self.rows["functions"].append(
                    key
                    | {
                        "v0": v0,
                        "v1": v1,
                        "input_p01": -1.5,
                        "input_p99": 2.0,
                        "curve_x": grid.tolist(),
                        "curve_y": curve.tolist(),
                    }
                )
                c_y = _relaxed(c_x, c_x, w, v0, v1)
                self.rows["snapshots"].extend(
                    key | {"point": i, "c_x": c_x[i], "c_y": c_y[i], "w": w[i]} for i in range(3)
                )

    def add_trials(self, params: list[str]) -> None:
        """Add a trial row for each configuration among the runs; `params` were searched."""
        for trial in sorted({row["trial"] for row in self.rows["runs"]}):
            runs = [row for row in self.rows["runs"] if row["trial"] == trial]
            done = [
                r["last_val_error_percent"]
                for r in runs
                if r["status"] == "completed" and r["last_val_error_percent"] is not None
            ]
            complete = len(done) == len(runs)
            status = (
                "completed"
                if complete
                else next(r["status"] for r in runs if r["status"] != "completed")
            )
            self.rows["trials"].append(
                {
                    "sweep": self.name,
                    "trial": trial,
                    "config_id": runs[0]["config_id"],
                    "identity_version": IDENTITY_VERSION,
                    "status": status,
                    "objective": float(np.mean(done)) if complete else None,
                    "objective_standard_error": (
                        float(np.std(done, ddof=1) / np.sqrt(len(done)))
                        if complete and len(done) > 1
                        else None
                    ),
                    "seeds_done": len(done),
                    "params_json": json.dumps({name: runs[0][name] for name in params}),
                    "error": "" if status != "error" else "OutOfMemoryError: 3 GB asked for",
                    "hostname": "worker-1",
                    "device": "cpu",
                    "queue_seconds": 0.1,
                    "start_seconds": 1.0,
                    **{name: sum(run[name] for run in runs) for name in SPENT},
                    "report_seconds": 0.1,
                    "search_seconds": 0.05,
                    "started_at": START,
                    "ended_at": START + timedelta(minutes=1),
                }
            )

    def write(self, root: Path, parts: int = 1, shuffle_seed: int | None = None) -> Path:
        """Write each table in so many parts under root; the sweep's folder."""
        for name, rows in self.rows.items():
            rows = copy.copy(rows)
            if shuffle_seed is not None:
                np.random.default_rng(shuffle_seed).shuffle(rows)
            for number, chunk in enumerate(np.array_split(np.arange(len(rows)), parts)):
                if len(chunk):
                    write_part(root, self.name, name, [rows[i] for i in chunk], number)
        return root / self.name


def write_part(
    root: Path,
    sweep: str,
    table: str,
    rows: list[dict[str, Any]],
    number: int = 0,
    *,
    writer: str = "worker",
    version: int | None = None,
) -> Path:
    """Write one part in the earlier layout, which is still read; return its path."""
    schema = TABLES[table].schema
    changed = {} if version is None else {"schema_version": str(version)}
    metadata = {k.decode(): v.decode() for k, v in schema.metadata.items()} | changed
    path = root / sweep / "tables" / table / f"{writer}-{number:06d}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows_table = pa.Table.from_pylist(rows, schema=schema)
    pq.write_table(rows_table.replace_schema_metadata(metadata), path, compression="zstd")
    return path


def _relaxed(x: np.ndarray, c_x: np.ndarray, w: np.ndarray, v0: float, v1: float) -> np.ndarray:
    """Eq. 1 with k = 3."""
    return (np.abs(x[:, None] - c_x) ** 3) @ w + v0 * x + v1
