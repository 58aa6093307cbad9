"""The tables of results: their keys, their columns, and the type and meaning of each column.

Percentages are 0-100, durations are seconds, moments are UTC. A change of a column's meaning raises
`SCHEMA_VERSION`; a new column does not, since it is null in older rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from analysis.store.statuses import Status

SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Table:
    """One table; a row replaces an earlier one that has the same values in the key's columns."""

    name: str
    key: tuple[str, ...]
    schema: pa.Schema
    about: str
    """What the table holds, in a sentence or two."""


_TIME = pa.timestamp("us", tz="UTC")
_NAMES = pa.list_(pa.string())
_CURVE = pa.list_(pa.float32())
_STATUSES = ", ".join(Status)

_SPENT = {
    "data_seconds": (pa.float64(), "loading the data"),
    "setup_seconds": (pa.float64(), "building network and optimizer, restoring a checkpoint"),
    "train_seconds": (
        pa.float64(),
        "training alone; validation too where evaluation_seconds is null (schema version 1)",
    ),
    "evaluation_seconds": (
        pa.float64(),
        "validation, and a look for inputs that run away",
    ),
    "snapshot_seconds": (pa.float64(), "snapshots of the activation functions"),
    "checkpoint_seconds": (pa.float64(), "writing checkpoints and the run's end"),
}
"""A run's time over all its attempts; a trial's is the sum over its seeds."""

FREE_TEXT = frozenset(
    {
        "spec_json",
        "also_json",
        "blocks_json",
        "versions_json",
        "params_json",
        "config_json",
        "error",
        "stop_reason",
        "detail",
    }
)
"""Text columns whose values seldom repeat; a reader makes all other text categorical."""
UNITS = {"_percent": "%", "_seconds": "s", "_megabytes": "MB", "_loss": "nat"}
"""Units by the end of a column's name."""


def unit_of(column: str, kind: pa.DataType) -> str:
    """Return a column's unit; 1: a number without one; empty: no number."""
    if column == "images_per_second":
        return "images/s"
    if pa.types.is_timestamp(kind):
        return "UTC"
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or kind == _CURVE):
        return ""
    return next((unit for end, unit in UNITS.items() if column.endswith(end)), "1")


def _table(
    name: str, key: tuple[str, ...], about: str, columns: dict[str, tuple[pa.DataType, str]]
) -> Table:
    fields = [
        pa.field(
            column,
            kind,
            nullable=column not in key,
            metadata={"description": description, "unit": unit_of(column, kind)},
        )
        for column, (kind, description) in columns.items()
    ]
    metadata = {"schema_version": str(SCHEMA_VERSION), "table": name}
    return Table(name, key, pa.schema(fields, metadata=metadata), about)


SWEEPS = _table(
    "sweeps",
    ("sweep",),
    "One row a sweep: its design, its specification and the code that ran it.",
    {
        "sweep": (pa.string(), "name of the sweep, unique under a root"),
        "benchmark": (pa.string(), "network and data, as lenet5/mnist"),
        "purpose": (
            pa.string(),
            "confirmatory: a fixed budget; timing: times of repetitions; exploratory: a search",
        ),
        "search": (pa.string(), "search algorithm"),
        "early_stopping": (pa.string(), "none, or the rule that ends poor trials early"),
        "metric": (pa.string(), "what the objective is the mean over seeds of"),
        "direction": (pa.string(), "max: the largest objective is best; min or null: the smallest"),
        "also_json": (
            pa.string(),
            "further objectives by name, each min or max; null: there is one objective",
        ),
        "trainer": (pa.string(), "training function of the user's own; null: networks and data"),
        "validation": (
            pa.string(),
            "test: the official test set; held_out: part of the train set",
        ),
        "epochs_planned": (pa.int32(), "epochs of a full run"),
        "trials_planned": (pa.int32(), "trials of the whole sweep"),
        "seeds": (pa.int32(), "runs of a trial, without those of `blocks_json`"),
        "blocks_json": (
            pa.string(),
            "seeds that were added to single trials, and the claims that they are to decide",
        ),
        "claims": (_NAMES, "claims of the paper that the sweep is designed for"),
        "spec_json": (pa.string(), "the resolved specification"),
        "spec_sha256": (pa.string(), "its hash"),
        "code_version": (pa.string(), "version and hash of the training code"),
        "versions_json": (pa.string(), "Python, torch, ray and so on"),
        "created_at": (_TIME, "when the sweep was first started"),
    },
)

TRIALS = _table(
    "trials",
    ("sweep", "trial"),
    "One row a trial, which is one configuration with all its seeds: its end, objective, times.",
    {
        "sweep": (pa.string(), "sweep"),
        "trial": (pa.int32(), "number in the sweep, from 0; the Optuna trial's number"),
        "config_id": (pa.string(), "hash of what is trained, without the seed"),
        "identity_version": (pa.int32(), "of config_id and config_json; null: 1"),
        "status": (pa.string(), _STATUSES),
        "objective": (
            pa.float64(),
            "mean over seeds of the metric, or as the spec has it; null unless all ended",
        ),
        "objective_standard_error": (pa.float64(), "standard error of that mean"),
        "also_json": (
            pa.string(),
            "means over seeds of the further objectives but epoch_seconds, by name; null as"
            " objective",
        ),
        "seeds_done": (pa.int32(), "runs completed"),
        "epochs_done": (pa.int32(), "epochs finished, over all seeds; of a pruned trial, its last"),
        "epoch_seconds": (pa.float64(), "mean over seeds of the median epoch; null as objective"),
        "params_json": (pa.string(), "what the search drew"),
        "error": (pa.string(), "what went wrong, empty if nothing"),
        "hostname": (pa.string(), "machine that ran it"),
        "device": (pa.string(), "cpu, or the GPU's name"),
        "queue_seconds": (pa.float64(), "its worker's wait for it, beside the search"),
        "start_seconds": (pa.float64(), "imports and set-up in the worker"),
        **_SPENT,
        "report_seconds": (pa.float64(), "writing results, where training waits for it"),
        "search_seconds": (pa.float64(), "asking and telling the study"),
        "other_load": (
            pa.float64(),
            "cores that other processes kept busy meanwhile; null unless the purpose is timing",
        ),
        "started_at": (_TIME, "start"),
        "ended_at": (_TIME, "end"),
    },
)

RUNS = _table(
    "runs",
    ("sweep", "run_id"),
    "One row a run, which is a trial and a seed: what was trained, how it ended, and its errors.",
    {
        "sweep": (pa.string(), "sweep"),
        "run_id": (pa.string(), "config_id and seed"),
        "trial": (pa.int32(), "trial"),
        "config_id": (pa.string(), "hash of what is trained, without the seed"),
        "identity_version": (pa.int32(), "of config_id and config_json; null: 1"),
        "seed": (pa.int32(), "seed"),
        "benchmark": (pa.string(), "network and data"),
        "activation": (pa.string(), "name of the activation"),
        "scope": (pa.string(), "layer, channel or neuron"),
        "init": (pa.string(), "start of the activation; null where it has only one"),
        "s": (pa.int32(), "control points; null where the activation has none"),
        "k": (pa.int32(), "order of U_k; null where there is none"),
        "lambda_sum": (pa.float64(), "penalty strength; null unless polyneuron_r"),
        "lambda_prod": (pa.float64(), "penalty strength; null unless polyneuron_r"),
        "learning_rate": (pa.float64(), "initial learning rate"),
        "config_json": (pa.string(), "the configuration, complete, without what cannot matter"),
        "validation": (pa.string(), "test or held_out"),
        "epochs_planned": (pa.int32(), "epochs of the full run"),
        "epochs_done": (pa.int32(), "epochs finished"),
        "status": (pa.string(), _STATUSES),
        "stop_reason": (pa.string(), "why it ended early; empty if it did not"),
        "last_val_error_percent": (pa.float64(), "after the last finished epoch"),
        "best_val_error_percent": (pa.float64(), "smallest over epochs (optimistic)"),
        "best_epoch": (pa.int32(), "its epoch"),
        "metric_value": (
            pa.float64(),
            "the sweep's metric, if a training function of the user's own reported it",
        ),
        "also_json": (
            pa.string(),
            "further objectives that such a function reported, by name",
        ),
        "parameters": (pa.int64(), "learned parameters of the network"),
        "activation_functions": (pa.int32(), "A of eq. 4"),
        "epoch_seconds": (pa.float64(), "median over epochs"),
        **_SPENT,
        "images_per_second": (pa.float64(), "training throughput, over finished epochs"),
        "device": (pa.string(), "cpu, or the GPU's name"),
        "tf32": (pa.bool_(), "TF32 matrix products allowed"),
        "data_sha256": (pa.string(), "hash of the data trained on"),
        "code_version": (pa.string(), "version and hash of the training code"),
        "reused_from": (pa.string(), "sweep that trained the run; null: this one"),
        "purpose": (pa.string(), "of the sweep that trained it; null: this sweep trained it"),
        "started_at": (_TIME, "start"),
        "ended_at": (_TIME, "end; null while running"),
    },
)

EPOCHS = _table(
    "epochs",
    ("sweep", "run_id", "epoch"),
    "One row an epoch of a run: losses, errors and times.",
    {
        "sweep": (pa.string(), "sweep"),
        "run_id": (pa.string(), "run"),
        "epoch": (pa.int32(), "from 1"),
        "learning_rate": (pa.float64(), "rate during the epoch"),
        "train_loss": (pa.float64(), "mean cross-entropy, penalties not included"),
        "val_loss": (pa.float64(), "mean cross-entropy"),
        "train_error_percent": (pa.float64(), "on augmented images, while training"),
        "val_error_percent": (pa.float64(), "after the epoch"),
        "gradient_norm": (pa.float64(), "root mean square over steps"),
        "penalty_sum": (pa.float64(), "mean |Σw|, unweighted"),
        "penalty_prod": (pa.float64(), "mean |Σwc|, unweighted"),
        "epoch_seconds": (pa.float64(), "training and validation"),
        "train_seconds": (pa.float64(), "training alone"),
        "memory_megabytes": (pa.float64(), "peak"),
        "nonfinite_count": (pa.int32(), "steps with a non-finite loss or gradient"),
        "largest_input": (pa.float64(), "largest |input| of an activation in evaluation"),
        "largest_input_layer": (pa.string(), "its layer"),
        "largest_sum_w": (pa.float64(), "largest |Σw| of a function; null unless polyneuron_r"),
        "statistics_gap_percent": (
            pa.float64(),
            "error on batch norm's running statistics less that on the batch's",
        ),
    },
)

METRICS = _table(
    "metrics",
    ("sweep", "run_id", "epoch", "name"),
    "One row a number that a training function of the user's own reported, under any name.",
    {
        "sweep": (pa.string(), "sweep"),
        "run_id": (pa.string(), "run"),
        "epoch": (pa.int32(), "step of the report, from 1"),
        "name": (pa.string(), "name of the number"),
        "value": (pa.float64(), "the number"),
    },
)

SNAPSHOTS = _table(
    "snapshots",
    ("sweep", "run_id", "epoch", "layer", "function", "point"),
    "One row a control point of a learned function, at the start, at some epochs and at the end.",
    {
        "sweep": (pa.string(), "sweep"),
        "run_id": (pa.string(), "run"),
        "epoch": (pa.int32(), "0 is the start"),
        "layer": (pa.string(), "the module's name in the network"),
        "function": (pa.int32(), "index within the layer"),
        "point": (pa.int32(), "index of the control point"),
        "c_x": (pa.float32(), "place of the control point"),
        "c_y": (pa.float32(), "height of the curve there"),
        "w": (pa.float32(), "its weight"),
    },
)

FUNCTIONS = _table(
    "functions",
    ("sweep", "run_id", "epoch", "layer", "function"),
    "One row a learned function, at the same epochs: its linear part, range of inputs and curve.",
    {
        "sweep": (pa.string(), "sweep"),
        "run_id": (pa.string(), "run"),
        "epoch": (pa.int32(), "0 is the start"),
        "layer": (pa.string(), "the module's name in the network"),
        "function": (pa.int32(), "index within the layer"),
        "v0": (pa.float32(), "slope of the linear part; null where there is none"),
        "v1": (pa.float32(), "its offset"),
        "input_p01": (pa.float32(), "1st percentile of the inputs on validation images"),
        "input_p99": (pa.float32(), "99th percentile"),
        "curve_x": (_CURVE, "grid"),
        "curve_y": (_CURVE, "the function on the grid"),
    },
)

PREDICTIONS = _table(
    "predictions",
    ("sweep", "run_id"),
    "One row a completed run: which validation images its last epoch got right, for paired tests.",
    {
        "sweep": (pa.string(), "sweep"),
        "run_id": (pa.string(), "run"),
        "correct_bits": (pa.binary(), "numpy.packbits of the last epoch's correct images"),
    },
)

EVENTS = _table(
    "events",
    ("sweep", "run_id", "at", "kind"),
    "One row an event of a sweep or a run: starts, resumes, divergences, errors.",
    {
        "sweep": (pa.string(), "sweep"),
        "run_id": (pa.string(), "run; empty for the sweep's own events"),
        "at": (_TIME, "when"),
        "kind": (pa.string(), "start, restore, unstable, diverged, error, ..."),
        "epoch": (pa.int32(), "epoch"),
        "detail": (pa.string(), "in words"),
    },
)

TABLES: dict[str, Table] = {
    table.name: table
    for table in (SWEEPS, TRIALS, RUNS, EPOCHS, METRICS, SNAPSHOTS, FUNCTIONS, PREDICTIONS, EVENTS)
}
