"""A run's records with the clocks set to 0, so that two runs can be compared as a whole."""

import dataclasses

from trainers import checkpoint, train
from trainers.seconds import Seconds

CLOCKS = (
    "epoch_seconds",
    *(f"{field.name}_seconds" for field in dataclasses.fields(Seconds)),
    "images_per_second",
    "memory_megabytes",
)
"""Fields that differ from one process to the next."""


def recorded(config, resume=True):
    """Train and return the run's record and all records, clocks set to 0."""
    records = []
    record = train(config, records.append, resume)
    return timeless(record), [timeless(record) for record in records]


def timeless(record):
    fields = {field.name for field in dataclasses.fields(record)}
    return dataclasses.replace(record, **dict.fromkeys(fields.intersection(CLOCKS), 0.0))


def of(kind, records):
    return [record for record in records if isinstance(record, kind)]


def final_network(folder):
    (path,) = folder.glob("*/final.ckpt")
    return checkpoint.read(path)["net"]
