"""Preparation: the specification, the devices and the data, checked before anything is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from analysis.store.errors import StoreError, unknown_name
from sweeps.spec.errors import SpecError
from sweeps.spec.known_failures import known_failures
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import check
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from trainers.config import DataConfig
from trainers.data.sources import DataUnavailableError, available, data_root, provide


@dataclass(frozen=True)
class Prepared:
    """A sweep that can start: checked, with its data at hand."""

    spec: SweepSpec
    data_root: Path
    notes: tuple[str, ...]
    """Hints for the user before it starts, as that it falls back on other data."""


def prepare(spec: SweepSpec, address: str | None = None, elsewhere: bool = False) -> Prepared:
    """Check all that can be checked before anything is written, and fetch the data.

    Args:
        spec: of the sweep.
        address: the cluster to run on, whose GPUs are counted when it is joined; None: here.
        elsewhere: True: the sweep is only planned here, so this machine needs no GPU.

    Raises:
        SpecError: a setting cannot be run, or there is no GPU.
        DataUnavailableError: the data is not there and cannot be fetched.
    """
    notes = [*check(spec), *known_failures(spec)]
    if address is None and not elsewhere:  # the GPUs of a cluster are those of its own machines
        _check_devices(spec)
    root = data_root()
    try:
        if not available(spec.data.name, root):
            provide(spec.data.name, root)
    except DataUnavailableError as error:
        if spec.data_fallback is None:
            raise
        notes.append(f"{error}: training on {spec.data_fallback} instead")
        data = DataConfig(spec.data_fallback, spec.data.validation)
        spec = spec.model_copy(update={"data": data})
    return Prepared(spec, root, tuple(notes))


def stored_spec(paths: SweepPaths) -> SweepSpec:
    """Read the specification with which a sweep was last run.

    Raises:
        StoreError: there is no such sweep.
    """
    try:
        return parse_spec(json.loads(paths.spec.read_text("utf-8")))
    except FileNotFoundError:
        known = [folder.parent.name for folder in paths.root.glob("*/spec.json")]
        raise StoreError(f"{unknown_name('sweep', paths.sweep, known)} (in {paths.root})") from None


def _check_devices(spec: SweepSpec) -> None:
    if spec.resources.gpus > 0:
        import torch  # seconds to import, and needed for GPUs alone

        if not torch.cuda.is_available():
            raise SpecError(
                f"resources.gpus: {spec.resources.gpus} a trial asked for, and this machine has"
                " none; set it to 0, or name a cluster that has one with --address"
            )
