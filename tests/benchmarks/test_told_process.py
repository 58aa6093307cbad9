"""The Gaussian process that is told how uncertain values are."""

import math
import sys
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch
from optuna.samplers import GPSampler
from optuna.trial import FrozenTrial, create_trial

sys.path.insert(0, str(Path(__file__).parent))
from told_process import (
    POOLED_DEGREES,
    SEEDS,
    STANDARD_ERROR,
    ToldGPSampler,
    noise_variances,
)

SPACE = {name: optuna.distributions.FloatDistribution(0, 1) for name in ("x", "y")}


def trial(seeds: int | None, deviation: float | None, value: float = 0.0) -> FrozenTrial:
    """A trial whose seeds have this deviation."""
    attributes = {} if seeds is None else {SEEDS: seeds}
    if seeds is not None and deviation is not None:
        attributes[STANDARD_ERROR] = deviation / math.sqrt(seeds)
    params = {"x": 0.5, "y": 0.5}
    return create_trial(params=params, distributions=SPACE, value=value, user_attrs=attributes)


def test_few_seeds_share_the_variance_of_all_trials() -> None:
    found = noise_variances([trial(3, 1.0), trial(3, 3.0), trial(2, 2.0)])
    pooled = (2 * 1 + 2 * 9 + 1 * 4) / 5
    assert found == pytest.approx([pooled / 3, pooled / 3, pooled / 2])


def test_from_five_seeds_on_a_trial_s_own_variance_counts_by_its_degrees_of_freedom() -> None:
    found = noise_variances([trial(5, 1.0), trial(5, 3.0), trial(4, 2.0)])
    pooled = (4 * 1 + 4 * 9 + 3 * 4) / 11
    expected = [(POOLED_DEGREES * pooled + 4 * own) / (POOLED_DEGREES + 4) for own in (1, 9)]
    assert found == pytest.approx([expected[0] / 5, expected[1] / 5, pooled / 4])


@pytest.mark.parametrize(
    "trials",
    [
        [trial(1, None), trial(1, None)],
        [trial(3, 0.0), trial(3, 0.0)],
        [trial(3, 1.0), trial(None, None)],
        [],
    ],
)
def test_a_noise_that_is_not_known_is_none(trials: list[FrozenTrial]) -> None:
    assert noise_variances(trials) is None


def test_the_process_is_the_textbook_s_with_a_noise_for_each_value() -> None:
    rng = np.random.default_rng(0)
    points, told = rng.random((12, 2)), rng.uniform(0.01, 0.5, 12)
    scores = np.sin(5 * points[:, 0]) + rng.normal(size=12) * np.sqrt(told)
    process = ToldGPSampler(seed=0)._fitted(points, scores, np.zeros(2, dtype=bool), told)
    assert process is not None
    inverse, scale = process.inverse_squared_lengthscales.numpy(), float(process.kernel_scale)

    def kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Matern's with 5/2."""
        far = np.sqrt(5 * ((one[:, None] - other[None]) ** 2 @ inverse))
        return scale * (1 + far + far**2 / 3) * np.exp(-far)

    places = rng.random((5, 2))
    expected = kernel(places, points) @ np.linalg.solve(
        kernel(points, points) + np.diag(told), scores
    )
    mean, _ = process.posterior(torch.from_numpy(places))
    # Two ways to solve the same well-conditioned system in double precision.
    assert mean.numpy() == pytest.approx(expected, rel=1e-8, abs=1e-10)


def drawn(
    sampler: optuna.samplers.BaseSampler,
    spread: float,
    deviation: float | None,
    sign: int = 1,
    ahead: bool = False,
) -> list[dict[str, float]]:
    """Draw two trials after twelve whose values scatter by `spread`, told `deviation` of it."""
    direction = "minimize" if sign > 0 else "maximize"
    study = optuna.create_study(sampler=sampler, direction=direction)
    rng = np.random.default_rng(1)
    for _ in range(12):
        x, y = rng.random(2)
        value = sign * ((x - 0.3) ** 2 + (y - 0.7) ** 2 + spread * rng.normal())
        attributes = {}
        if deviation is not None:
            attributes = {SEEDS: 3, STANDARD_ERROR: deviation / math.sqrt(3)}
        study.add_trial(
            create_trial(
                params={"x": x, "y": y},
                distributions=SPACE,
                value=value,
                user_attrs=attributes,
            )
        )
    if ahead:
        study.ask(SPACE)
    return [study.ask(SPACE).params for _ in range(2)]


@pytest.mark.parametrize("ahead", [False, True])
def test_a_small_noise_that_is_told_decides_what_is_drawn(ahead: bool) -> None:
    """Alike for the same seed, whichever end is best, and with trials that others train."""
    found = drawn(ToldGPSampler(seed=3), 0.05, 0.001, ahead=ahead)
    assert found == drawn(ToldGPSampler(seed=3), 0.05, 0.001, ahead=ahead)
    assert found == drawn(ToldGPSampler(seed=3), 0.05, 0.001, sign=-1, ahead=ahead)
    assert found != drawn(GPSampler(seed=3), 0.05, 0.001, ahead=ahead)
    assert all(0 <= value <= 1 for point in found for value in point.values())


@pytest.mark.parametrize("deviation", [None, 10.0])
def test_a_noise_that_is_not_known_or_above_optuna_s_estimate_leaves_the_draw_to_optuna(
    deviation: float | None,
) -> None:
    told, own = (drawn(kind(seed=3), 0.05, deviation) for kind in (ToldGPSampler, GPSampler))
    assert told == own


def test_several_objectives_are_left_to_optuna() -> None:
    found = []
    for kind in (ToldGPSampler, GPSampler):
        study = optuna.create_study(sampler=kind(seed=1), directions=["minimize", "maximize"])
        rng = np.random.default_rng(2)
        for _ in range(12):
            x, y = rng.random(2)
            study.add_trial(
                create_trial(
                    params={"x": x, "y": y},
                    distributions=SPACE,
                    values=[x, y],
                    user_attrs={SEEDS: 3, STANDARD_ERROR: 0.001},
                )
            )
        found.append(study.ask(SPACE).params)
    assert found[0] == found[1]
