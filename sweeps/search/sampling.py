"""Draws from Optuna: the sampler of a search, and the parameters of a trial."""

from __future__ import annotations

import pkgutil
import random
import warnings
from collections.abc import Mapping
from typing import cast

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
    check_distribution_compatibility,
)
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from sweeps.spec.domain import Domain
from sweeps.spec.repetitions import parameters
from sweeps.spec.search_space import Params, is_drawn
from sweeps.spec.sections import SweepSpec
from trainers.config import OptionValue


def make_sampler(spec: SweepSpec, drawn: int = 0) -> BaseSampler:
    """Make the sampler of a sweep's search.

    Args:
        spec: the sweep.
        drawn: number of trials drawn before; a resumed search does not draw them again.
    """
    method = spec.search.method
    seed = spec.search.seed
    if drawn > 0 and not method.keeps_seed:
        seed = random.Random(f"{seed}/{drawn}").getrandbits(32)
    with warnings.catch_warnings():
        # QMC and TPE's `group` are marked experimental, which tells a user of the sweep nothing.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = pkgutil.resolve_name(method.sampler)(seed=seed, **method.options)
    return cast(BaseSampler, sampler)


def draw_parameters(spec: SweepSpec, trial: optuna.Trial) -> Params:
    """Ask the study for the parameters of one trial, fixed ones included."""
    params: Params = {}
    with warnings.catch_warnings():
        # A trial that waited keeps its values where the space's bounds have changed meanwhile.
        warnings.filterwarnings("ignore", "Inconsistent parameter values", RuntimeWarning)
        for key, domain in parameters(spec).items():
            if is_drawn(spec, key, params):
                params[key] = _suggest(key, domain, trial)
    return params


def restored_parameters(spec: SweepSpec, drawn: Mapping[str, OptionValue]) -> Params:
    """Add the fixed parameters to those that a study recorded, in the space's order."""
    params: Params = {}
    for key, domain in parameters(spec).items():
        if is_drawn(spec, key, params):
            params[key] = domain.values[0] if domain.kind == "fixed" else drawn[key]
    return params


def undrawable(spec: SweepSpec, waiting: FrozenTrial) -> list[str]:
    """List the parameters with which a trial that waits cannot go on in a changed space."""
    changed = []
    for key, before in waiting.distributions.items():
        domain = parameters(spec).get(key)
        if domain is not None and domain.kind != "fixed":
            try:
                check_distribution_compatibility(before, _distribution(domain))
            except ValueError:
                changed.append(key)
    return changed


def _distribution(domain: Domain) -> BaseDistribution:
    """Return what `_suggest` draws from."""
    if domain.kind in ("choice", "grid"):
        return CategoricalDistribution(domain.values)
    low, high = domain.values
    if domain.kind == "int":
        return IntDistribution(int(low), int(high), domain.log, int(domain.step or 1))
    return FloatDistribution(float(low), float(high), domain.kind == "log", domain.step)


def _suggest(key: str, domain: Domain, trial: optuna.Trial) -> OptionValue:
    if domain.kind == "fixed":
        return domain.values[0]
    if domain.kind in ("choice", "grid"):
        return cast(OptionValue, trial.suggest_categorical(key, domain.values))
    low, high = domain.values
    if domain.kind == "int":
        step = int(domain.step or 1)
        return trial.suggest_int(key, int(low), int(high), step=step, log=domain.log)
    log = domain.kind == "log"
    return trial.suggest_float(key, float(low), float(high), step=domain.step, log=log)
