"""Agreements: what one section of a specification demands of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from analysis.store.metric import BUILT_IN, COSTS
from sweeps.spec.algorithms import ALGORITHMS
from sweeps.spec.errors import hint
from trainers.config import ActivationConfig, DataConfig, NetworkConfig
from trainers.networks import NETWORKS

if TYPE_CHECKING:
    from sweeps.spec.sections import SweepSpec

METRICS = (BUILT_IN, "best_val_error_percent")
"""Metrics of runs that this program trains itself."""


def check_enqueued(spec: SweepSpec) -> None:
    """Check that the points to try first lie in the space.

    Raises:
        ValueError: one does not.
    """
    for point in spec.search.enqueue:
        for key, value in point.items():
            domain = spec.space.get(key)
            if domain is None or domain.kind == "fixed":
                drawn = [name for name, one in spec.space.items() if one.kind != "fixed"]
                raise ValueError(f"search.enqueue.{key}: not drawn; {hint(key, drawn)}")
            if not domain.has(value):
                raise ValueError(
                    f"search.enqueue.{key}: {value!r} is none of the values of space.{key},"
                    f" {domain.kind}: {list(domain.values)}"
                )


def check_hypotheses_design(spec: SweepSpec) -> None:
    """Check that a sweep with hypotheses is one whose runs no result has chosen.

    Raises:
        ValueError: it is not, or two hypotheses have one name.
    """
    if spec.hypotheses and spec.purpose != "confirmatory":
        raise ValueError(
            "hypotheses: need purpose: confirmatory, a grid whose trials are all trained to"
            " their end: what a search kept looks better than it is"
        )
    names = [one.name for one in spec.hypotheses]
    if len(set(names)) < len(names):
        raise ValueError(f"hypotheses: a name is given twice in {names}")


def check_metric(spec: SweepSpec) -> None:
    """Check that runs of this program's own networks have the metric.

    Raises:
        ValueError: they do not, or it has settings of another one's.
    """
    if spec.trainer is not None:
        return
    objective = spec.objective
    if objective.metric not in METRICS:
        raise ValueError(
            f"objective.metric: expected {' or '.join(METRICS)}; got {objective.metric!r};"
            " a training function of your own (trainer: module:function) may report any other"
        )
    if objective.direction == "max" or objective.at == "best":
        key = "direction" if objective.direction == "max" else "at"
        raise ValueError(
            f"objective.{key}: only for a training function of your own (trainer:"
            " module:function); leave it out"
        )


def check_objectives(spec: SweepSpec) -> None:
    """Check that what a specification searches by can be searched by together.

    Raises:
        ValueError: it cannot.
    """
    objective, algorithm = spec.objective, spec.search.algorithm
    if spec.early_stopping.rule != "none" and spec.also and not objective.also:
        raise ValueError(
            f"search: {algorithm} weighs error against time, and early_stopping"
            " error alone; leave one of them out"
        )
    if not objective.also:
        return
    if not spec.search.method.weighs:
        able = [name for name, method in ALGORITHMS.items() if method.weighs]
        raise ValueError(
            f"objective.also: {algorithm} searches by one objective; leave it out, or search with"
            f" {', '.join(able)}"
        )
    if objective.metric in objective.also:
        raise ValueError(f"objective.also: {objective.metric} is objective.metric already")
    if objective.at == "best":
        raise ValueError(
            "objective.at: best would join numbers of different steps where objective.also names"
            " more of them; leave one of them out"
        )
    if objective.plus_standard_errors:
        raise ValueError(
            "objective.plus_standard_errors: a front compares means; leave it or objective.also out"
        )
    for name in objective.also if spec.trainer is None else ():
        if name not in COSTS:
            raise ValueError(
                f"objective.also.{name}: of a network, expected {' or '.join(COSTS)};"
                " a training function of your own (trainer: module:function) may report any other"
            )


LEAST_SEEDS = 5
"""Of four seeds, the one before the last leaves Wilcoxon's test a p-value of 1/8 at the least."""


def check_seeds_of_rule(spec: SweepSpec) -> None:
    """Check that an early stopping that compares seeds has some.

    Raises:
        ValueError: it has not.
    """
    if spec.early_stopping.rule == "wilcoxon" and len(spec.seeds) < LEAST_SEEDS:
        raise ValueError(
            f"early_stopping.rule: wilcoxon compares seeds and needs at least {LEAST_SEEDS}; got"
            f" {len(spec.seeds)}: add seeds, or take asha, median or percentile"
        )


def check_trainer(spec: SweepSpec) -> None:
    """Check that a training function of the user's own has no sections that it does not read.

    Raises:
        ValueError: it has, or something that it needs is missing.
    """
    trainer = spec.trainer
    if trainer is None:
        return
    own = {"network": NetworkConfig(), "data": DataConfig(), "activation": ActivationConfig()}
    for key, default in own.items():
        if getattr(spec, key) != default:
            raise ValueError(
                f"{key}: the training function {trainer.name} has its own; leave it out, or"
                " put its settings into the space"
            )
    if spec.recipe != NETWORKS[NetworkConfig().name].recipe:
        raise ValueError(
            f"recipe: the training function {trainer.name} has its own; put its settings into"
            " the space, as `space: {epochs: 10}`"
        )
    if spec.claims:
        raise ValueError("claims: the paper's are about its own networks; leave them out")
    if spec.purpose == "timing":
        raise ValueError("purpose: timing is for this program's own networks, not for trainer")
    if spec.objective.metric == BUILT_IN:
        raise ValueError(
            "objective.metric: missing: which of the numbers that"
            f" {trainer.name} reports is to be as small, or as large, as possible?"
        )
    if spec.early_stopping.rule != "none" and trainer.steps is None:
        raise ValueError(
            "trainer.steps: missing: early_stopping counts the steps of a full run; write"
            f" `trainer: {{name: {trainer.name}, steps: 10}}`"
        )


AGREEMENTS: tuple[Callable[[SweepSpec], None], ...] = (
    check_enqueued,
    check_hypotheses_design,
    check_metric,
    check_objectives,
    check_seeds_of_rule,
    check_trainer,
)
"""Each raises a ValueError that names the section."""
