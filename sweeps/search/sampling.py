"""Draws from Optuna: the sampler of a search, and the parameters of a trial."""

from __future__ import annotations

import pkgutil
import random
import warnings
from collections.abc import Mapping
from typing import cast

import optuna
from optuna.samplers import BaseSampler

from sweeps.spec.search_space import Params, activation_first, applies
from sweeps.spec.sections import Domain, SweepSpec
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
    for key, domain in activation_first(spec.space):
        if applies(key, str(params.get("activation", spec.activation.name))):
            params[key] = _suggest(key, domain, trial)
    return params


def restored_parameters(spec: SweepSpec, drawn: Mapping[str, OptionValue]) -> Params:
    """Add the fixed parameters to those that a study recorded, in the space's order."""
    fixed = spec.activation_names()[0]
    activation = str(drawn.get("activation", fixed))
    return {
        key: domain.values[0] if domain.kind == "fixed" else drawn[key]
        for key, domain in activation_first(spec.space)
        if applies(key, activation)
    }


def _suggest(key: str, domain: Domain, trial: optuna.Trial) -> OptionValue:
    if domain.kind == "fixed":
        return domain.values[0]
    if domain.kind in ("choice", "grid"):
        return cast(OptionValue, trial.suggest_categorical(key, domain.values))
    low, high = domain.values
    if domain.kind == "int":
        return trial.suggest_int(key, int(low), int(high))
    return trial.suggest_float(key, float(low), float(high), log=domain.kind == "log")
