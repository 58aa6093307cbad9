"""Costs that this machine has measured, kept for the next plan."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from analysis.store.whole_files import write_atomically
from sweeps.planning.calibration import Cost
from sweeps.store.provenance import code_version, versions
from sweeps.store.user_cache import user_cache
from trainers import RunConfig
from trainers.data.datasets import Images

WITHOUT_TIME = (
    "activation_learning_rate",
    "betas",
    "drop_at",
    "drop_factor",
    "epochs",
    "epsilon",
    "learning_rate",
    "momentum",
    "schedule",
    "warmup_epochs",
    "weight_decay",
)
"""Settings of the recipe on which the time of an epoch does not depend."""


def folder() -> Path:
    """Return the folder of the kept costs; it need not exist."""
    return user_cache("calibrations")


def work_of(config: RunConfig, images: Images) -> Mapping[str, Any]:
    """Return all on which the cost of a run's epoch depends: its work, and this machine."""
    form = config.canonical()
    recipe = {key: one for key, one in form["recipe"].items() if key not in WITHOUT_TIME}
    # A penalty takes the same time whatever its strength.
    recipe |= {key: bool(recipe[key]) for key in ("lambda_sum", "lambda_prod") if key in recipe}
    return {
        "activation": form["activation"],
        "network": form["network"],
        "recipe": recipe,
        "images": [list(images.train_images.shape), len(images.val_images)],
        "device": config.execution.device,
        "threads": config.execution.threads,
        "host": [socket.gethostname(), platform.machine(), os.cpu_count()],
        "code": code_version(),
        "versions": {key: one for key, one in versions().items() if key in ("torch", "python")},
    }


def recall(work: Mapping[str, Any]) -> Cost | None:
    """Return the cost that was kept of this work on this machine; None where there is none."""
    with suppress(OSError, ValueError, TypeError, KeyError):  # a damaged file is measured anew
        kept = json.loads(_file(work).read_text("utf-8"))
        return Cost(**{field.name: float(kept[field.name]) for field in dataclasses.fields(Cost)})
    return None


def keep(work: Mapping[str, Any], cost: Cost) -> None:
    """Keep a cost; where the folder cannot be written to, the next plan measures again."""
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        text = json.dumps({**dataclasses.asdict(cost), "work": work}, indent=1)
        write_atomically(_file(work), text.encode())


def _file(work: Mapping[str, Any]) -> Path:
    name = hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()[:16]
    return folder() / f"{name}.json"
