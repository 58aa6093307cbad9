"""Warnings of trials that are known not to train, before hours are spent on them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from sweeps.spec.search_space import applies, configure, values_to_check
from sweeps.spec.sections import SweepSpec
from trainers.config import Configuration
from trainers.remedies import known_failure

DECISIVE = ("k", "init", "tail_range", "learning_rate", "activation_learning_rate")
"""Parameters on which a known failure depends; of any other the first value stands for all."""


def known_failures(spec: SweepSpec) -> list[str]:
    """Return a warning for each activation of which some trial is known not to train."""
    found = {}
    for name in spec.activation_names():
        failures = filter(None, map(known_failure, _corners(spec, name)))
        found[name] = next(failures, "")
    return [text for text in found.values() if text]


def _corners(spec: SweepSpec, activation: str) -> Iterator[Configuration]:
    domains = {
        key: values_to_check(domain)
        for key, domain in spec.space.items()
        if key != "activation" and applies(key, activation)
    }
    decisive = {key: key.rpartition(".")[2] in DECISIVE for key in domains}
    choices = [domains[key] if decisive[key] else domains[key][:1] for key in domains]
    for values in itertools.product(*choices):
        yield configure(spec, {"activation": activation, **dict(zip(domains, values, strict=True))})
