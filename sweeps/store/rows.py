"""Rows of the tables about runs: from what a trainer reports, and from a run's configuration.

A field of a record or of a section of the configuration is written to the column of its name. So
another column of `runs` is a field there and a line in `analysis/store/schema.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from analysis.store.contract import Row
from analysis.store.schema import EPOCHS, EVENTS, FUNCTIONS, PREDICTIONS, RUNS, SNAPSHOTS
from polyneuron import activation_class, activation_options
from sweeps.store.columns import check_fields, check_filled, field_names
from sweeps.store.provenance import code_version
from trainers import (
    IDENTITY_VERSION,
    ActivationConfig,
    DataConfig,
    EpochRecord,
    Event,
    NetworkConfig,
    Recipe,
    RunConfig,
    RunRecord,
    Snapshot,
)

RUN_KEY = ("sweep", "run_id")
"""Columns by which every table about runs names the run."""
CONTROL_POINTS = ("c_x", "c_y", "w")
"""Fields of a snapshot with one value a control point, written to `snapshots`; the others are
written to `functions`."""
FUNCTION_KEY = ("epoch", "layer", "function")
"""Fields of a snapshot that name the function, written to both tables."""
UNSTORED = ("diverged_step", "diverged_layer")
"""Fields of a run's end without a column: `stop_reason` tells them in words."""
SECTIONS = {
    "activation": ActivationConfig,
    "network": NetworkConfig,
    "data": DataConfig,
    "recipe": Recipe,
}
"""The sections of a configuration, whose fields fill the columns of their names."""


def _option(config: RunConfig, name: str) -> object:
    activation = config.activation
    return {**activation_options(activation.name), **activation.options}.get(name)


def _is_spline(config: RunConfig) -> bool:
    return activation_class(config.activation.name).splines


def _penalty(config: RunConfig, strength: float) -> float | None:
    return strength if activation_class(config.activation.name).penalised else None


def _setting(section: str, name: str) -> Callable[[RunConfig], object]:
    return lambda config: getattr(getattr(config, section), name)


CONFIGURED: dict[str, Callable[[RunConfig], object]] = {
    name: _setting(section, name)
    for section, kind in SECTIONS.items()
    for name in field_names(kind)
    if name in RUNS.schema.names
} | {
    "config_id": lambda config: config.config_id,
    "identity_version": lambda _: IDENTITY_VERSION,
    "seed": lambda config: config.seed,
    "benchmark": lambda config: f"{config.network.name}/{config.data.name}",
    "activation": lambda config: config.activation.name,
    "init": lambda config: (
        _option(config, "init") if _is_spline(config) else config.activation.options.get("init")
    ),
    # Another activation may mean something else by these names: APL's s counts its hinges.
    "s": lambda config: _option(config, "s") if _is_spline(config) else None,
    "k": lambda config: _option(config, "k") if _is_spline(config) else None,
    "lambda_sum": lambda config: _penalty(config, config.recipe.lambda_sum),
    "lambda_prod": lambda config: _penalty(config, config.recipe.lambda_prod),
    "code_version": lambda _: code_version(),
    "config_json": lambda config: json.dumps(config.canonical(), sort_keys=True),
    "epochs_planned": lambda config: config.recipe.epochs,
}
"""The columns of `runs` that are known before a run starts, each from the run's configuration."""

PROGRESS = (
    "trial",
    "status",
    "epochs_done",
    "epoch_seconds",
    "reused_from",
    "purpose",
    "started_at",
    "ended_at",
)
"""Columns of `runs` that the recorder and `reuse` fill."""

OF_FUNCTIONS = ("metric_value", "also_json")
"""Columns of `runs` that `function_recorder` alone fills."""

STORED_END = set(field_names(RunRecord)) - {*UNSTORED, "correct_bits"}
"""Fields of a run's end that its row has."""

check_fields(EpochRecord, EPOCHS)
check_filled(EPOCHS, RUN_KEY, field_names(EpochRecord))
check_fields(Event, EVENTS)
check_filled(EVENTS, RUN_KEY, ("at",), field_names(Event))
check_fields(Snapshot, FUNCTIONS, besides=CONTROL_POINTS)
check_filled(FUNCTIONS, RUN_KEY, set(field_names(Snapshot)) - set(CONTROL_POINTS))
check_filled(SNAPSHOTS, RUN_KEY, FUNCTION_KEY, ("point",), CONTROL_POINTS)
check_fields(RunRecord, RUNS, besides=("correct_bits", *UNSTORED))
check_filled(RUNS, RUN_KEY, CONFIGURED, PROGRESS, STORED_END, OF_FUNCTIONS)
check_filled(PREDICTIONS, RUN_KEY, ("correct_bits",))


def run_columns(config: RunConfig) -> dict[str, object]:
    """Return the columns of a run's row that are known before it starts."""
    return {name: value(config) for name, value in CONFIGURED.items()}


def end_columns(record: RunRecord) -> dict[str, object]:
    """Return the columns of a run's row that its end gives."""
    return {name: getattr(record, name) for name in STORED_END}


def point_rows(snapshot: Snapshot) -> list[Row]:
    """Return a row of `snapshots`, without the run's key, for each control point."""
    place = {name: getattr(snapshot, name) for name in FUNCTION_KEY}
    points = zip(*(getattr(snapshot, name) for name in CONTROL_POINTS), strict=True)
    return [
        {**place, "point": point, **dict(zip(CONTROL_POINTS, values, strict=True))}
        for point, values in enumerate(points)
    ]


def function_row(snapshot: Snapshot) -> Row:
    """Return the row of `functions` of a snapshot, without the run's key."""
    return {name: value for name, value in vars(snapshot).items() if name not in CONTROL_POINTS}
