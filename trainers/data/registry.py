"""All data sets. Another one is an entry here and a file beside `mnist.py`."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.data import cifar10, digits, mnist
from trainers.data.record import Dataset

DATASETS: Mapping[str, Dataset] = {
    "mnist": mnist.DATASET,
    "cifar10": cifar10.DATASET,
    "digits": digits.DATASET,
}
