"""Preparation: the specification, the devices and the data, checked before anything is written."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from analysis.store.errors import StoreError, unknown_name
from sweeps.spec.errors import SpecError
from sweeps.spec.known_failures import known_failures
from sweeps.spec.own_modules import OwnModules, failure, is_own, root_of, use_copy
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import applies, check, configure
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from trainers.config import DataConfig
from trainers.data import DATASETS
from trainers.data.sources import DataUnavailableError, available, data_root, provide
from trainers.networks import NETWORKS


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
        elsewhere: True: the sweep is only planned here, so this machine needs neither a GPU nor
            data that are downloaded.

    Raises:
        SpecError: a setting cannot be run, or there is no GPU.
        DataUnavailableError: the data is not there and cannot be fetched.
    """
    notes = [*check(spec), *known_failures(spec)]
    if address is None and not elsewhere:  # the GPUs of a cluster are those of its own machines
        _check_devices(spec)
    root = data_root()
    if spec.trainer is not None:  # it has data of its own
        return Prepared(spec, root, tuple(notes))
    try:
        if spec.data.name not in DATASETS:
            _load_own(spec, root)
        elif not available(spec.data.name, root) and not (elsewhere and spec.data_fallback is None):
            provide(spec.data.name, root)
    except DataUnavailableError as error:
        if spec.data_fallback is None:
            raise
        notes.append(f"{error}: training on {spec.data_fallback} instead")
        data = DataConfig(spec.data_fallback, spec.data.validation)
        spec = spec.model_copy(update={"data": data})
    if spec.network.name not in NETWORKS:
        _build_own(spec, root)
    return Prepared(spec, root, tuple(notes))


def stored_spec(paths: SweepPaths) -> SweepSpec:
    """Read the specification with which a sweep was last run.

    Raises:
        StoreError: there is no such sweep.
    """
    try:
        text = paths.spec.read_text("utf-8")
        use_copy(paths.modules)
        return parse_spec(json.loads(text))
    except FileNotFoundError:
        known = [folder.parent.name for folder in paths.root.glob("*/spec.json")]
        raise StoreError(f"{unknown_name('sweep', paths.sweep, known)} (in {paths.root})") from None


def keep_modules(spec: SweepSpec, paths: SweepPaths) -> None:
    """Copy the user's modules into the sweep's folder, from which workers import them.

    Raises:
        StoreError: they have changed since the specification was read.
    """
    for section in (spec.network, spec.data, spec.trainer):
        if section is not None and is_own(section.name):
            modules = OwnModules(section.name, root_of(section.name))
            if modules.code != section.code:
                raise StoreError(f"{section.name} was edited while the sweep began; run it again")
            modules.copy_to(paths.modules)


def _load_own(spec: SweepSpec, root: Path) -> None:
    """Load data that are not ours once, so that a fault is found before anything is written."""
    from trainers.data.datasets import load_configured, split  # torch, a second to import

    try:
        split(load_configured(spec.data, root), spec.data)
    except DataUnavailableError:
        raise
    except ValueError as error:
        raise SpecError(f"data: {error}") from None
    except Exception as error:  # a function of a user's own may fail in any way
        raise SpecError(f"data: {spec.data.name} fails: {failure(error)}") from None


def _build_own(spec: SweepSpec, root: Path) -> None:
    """Build a network that is not ours once, for the data and the first value of each parameter."""
    from trainers.data.datasets import class_count, load_configured
    from trainers.networks.build import build_network
    from trainers.networks.registry import input_side

    space = {key: domain.values[0] for key, domain in spec.space.items()}
    first = str(space.get("activation", spec.activation.name))
    config = configure(spec, {key: one for key, one in space.items() if applies(key, first)})
    images = load_configured(spec.data, root, input_side(spec.network.name))
    channels, height, width = images.train_images.shape[1:]
    classes, seed = class_count(spec.data, images), spec.seeds[0]
    try:
        build_network(config.network, config.activation, (channels, height, width), classes, seed)
    except ValueError as error:
        raise SpecError(f"network: {error}") from None
    except Exception as error:  # a user's own code may fail in any way
        shape = f"images {channels}x{height}x{width}"
        raise SpecError(
            f"network: {spec.network.name} fails on {shape}: {failure(error)}"
        ) from None


def _check_devices(spec: SweepSpec) -> None:
    if spec.resources.gpus > 0:
        import torch  # seconds to import, and needed for GPUs alone

        if not torch.cuda.is_available():
            raise SpecError(
                f"resources.gpus: {spec.resources.gpus} a trial asked for, and this machine has"
                " none; set it to 0, or name a cluster that has one with --address"
            )
