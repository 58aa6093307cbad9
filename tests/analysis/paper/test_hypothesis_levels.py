"""Hypotheses of a sweep's own are decided wrongly in at most 5 % of worlds, and rightly in most."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from declared_sweeps import SIDES, entry, store, word

WORLDS = 30
CLEAR = 6
FALLS = {"trend": {"of": "width", "direction": "falls"}}

Means = dict[tuple[str, float], float]


def arms(new: float, old: float) -> Means:
    return {("new", 1.0): new, ("old", 1.0): old, ("new", 2.0): new + 9, ("old", 2.0): old + 9}


def along(step: float) -> Means:
    return {("new", float(width)): step * width for width in (1, 2, 3)}


def normal(rng: np.random.Generator, _: int) -> float:
    return float(rng.normal())


def lost_in(new: float, old: float) -> Callable[[np.random.Generator, int], float | None]:
    """Runs that diverge at these rates: 8 of `new`, 8 of `old`, by turns."""

    def draw(rng: np.random.Generator, run: int) -> float | None:
        return None if rng.random() < (new, old)[run // 8 % 2] else float(rng.normal())

    return draw


def verdicts(
    root: Path, form: dict[str, Any], means: Means, draw: Callable, worlds: int
) -> list[str]:
    words = []
    for world in range(worlds):
        rng, runs = np.random.default_rng([world, 7]), iter(range(1000))
        deviations = {"drawn": lambda rng=rng, runs=runs: draw(rng, next(runs))}
        results = store(root / str(world), [entry("h", **form)], means, **deviations)
        words.append(word(results))
    return words


# On the border of what it says, a hypothesis is supported wrongly most often.
@pytest.mark.parametrize(
    ("form", "means", "draw"),
    [
        ({"equivalent": {**SIDES, "margin": 1.5}}, arms(1.5, 0), normal),
        (FALLS, along(0.0), normal),
        ({"more_stable": SIDES}, arms(0, 0), lost_in(0.3, 0.3)),
    ],
    ids=("equivalent", "trend", "more_stable"),
)
def test_wrong_verdicts_are_as_rare_as_stated(
    tmp_path: Path, form: dict[str, Any], means: Means, draw: Callable
) -> None:
    """With three standard errors."""
    found = verdicts(tmp_path, form, means, draw, WORLDS)
    limit = 0.05 * WORLDS + 3 * math.sqrt(0.05 * 0.95 * WORLDS)
    assert found.count("supported") <= limit
    assert found.count("contradicted") <= limit


@pytest.mark.parametrize(
    ("form", "means", "draw", "right"),
    [
        ({"equivalent": {**SIDES, "margin": 1.5}}, arms(0, 0), normal, "supported"),
        ({"equivalent": {**SIDES, "margin": 1.5}}, arms(4, 0), normal, "contradicted"),
        (FALLS, along(-1.5), normal, "supported"),
        (FALLS, along(1.5), normal, "contradicted"),
        ({"more_stable": SIDES}, arms(0, 0), lost_in(0.0, 0.8), "supported"),
        ({"more_stable": SIDES}, arms(0, 0), lost_in(0.8, 0.0), "contradicted"),
    ],
)
def test_a_clear_truth_is_found(
    tmp_path: Path, form: dict[str, Any], means: Means, draw: Callable, right: str
) -> None:
    assert verdicts(tmp_path, form, means, draw, CLEAR).count(right) >= CLEAR - 1
