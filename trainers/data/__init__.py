"""Data sets by name: where their files come from, how they are read and split."""

from trainers.data.record import Arrays, Dataset, Source
from trainers.data.registry import DATASETS

__all__ = ["DATASETS", "Arrays", "Dataset", "Source"]
