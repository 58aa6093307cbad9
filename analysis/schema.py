"""The tables of results, under the name by which other people import them."""

from analysis.store.layout import PARTS_FOLDER
from analysis.store.places import TABLES_FOLDER
from analysis.store.schema import (
    EPOCHS,
    EVENTS,
    FUNCTIONS,
    METRICS,
    PREDICTIONS,
    RUNS,
    SCHEMA_VERSION,
    SNAPSHOTS,
    SWEEPS,
    TABLES,
    TRIALS,
    Table,
    unit_of,
)

__all__ = [
    "EPOCHS",
    "EVENTS",
    "FUNCTIONS",
    "METRICS",
    "PARTS_FOLDER",
    "PREDICTIONS",
    "RUNS",
    "SCHEMA_VERSION",
    "SNAPSHOTS",
    "SWEEPS",
    "TABLES",
    "TABLES_FOLDER",
    "TRIALS",
    "Table",
    "unit_of",
]
