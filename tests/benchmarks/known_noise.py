"""What it saves that the Gaussian process is told the noise of the trials.

    python tests/benchmarks/known_noise.py            into tests/benchmarks/results/known_noise.json
    python tests/benchmarks/known_noise.py --print    printed alone

Three functions with noise over seeds: of one size everywhere, and, as of errors after training,
larger where the value is larger; each with little of it and with much. A trial is the mean over
its seeds, 3 or 5, as a sweep's. The regret of a search is that of the trial with the best mean,
which is what a sweep calls its best one: its true value less the function's minimum. Pairs have the
seeds of search and noise in common.
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optima import BRANIN, HARTMANN6, branin, hartmann6
from optuna.samplers import BaseSampler, GPSampler
from told_process import SEEDS, STANDARD_ERROR, ToldGPSampler

from sweeps.store.provenance import versions

RESULTS = Path(__file__).parent / "results" / "known_noise.json"
SEARCHES = 20


class AlwaysTold(ToldGPSampler):
    """Told the noise also where Optuna's estimate is smaller."""

    def _estimate(self, *_: object) -> float:
        return math.inf


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "Optuna's": lambda seed: GPSampler(seed=seed),
    "told": lambda seed: ToldGPSampler(seed=seed),
    "always told": lambda seed: AlwaysTold(seed=seed),
}


@dataclass(frozen=True)
class Function:
    """A function to minimise on [0, 1] to the power of its dimensions, seen with noise."""

    dimensions: int
    seeds: int
    minimum: float
    value: Callable[[Sequence[float]], float]
    deviation: Callable[[float], float]
    """Between seeds, at a true value."""


def trained(x: Sequence[float]) -> float:
    """Return an error in percent with a valley in a rate, and weak effects of two others."""
    rate, decay, width = x
    valley = 30 * (rate - 0.6 + 0.2 * width) ** 2
    return 2 + 60 / (1 + math.exp(-25 * (rate - 0.9))) + valley + 2 * (decay - 0.3) ** 2 - width


FUNCTIONS = {
    "Branin, deviation 2": Function(2, 3, BRANIN, branin, lambda _: 2.0),
    "Branin, deviation 20": Function(2, 3, BRANIN, branin, lambda _: 20.0),
    "Hartmann, deviation 0.05": Function(6, 3, HARTMANN6, hartmann6, lambda _: 0.05),
    "Hartmann, deviation 0.5": Function(6, 3, HARTMANN6, hartmann6, lambda _: 0.5),
    "an error, deviation 3 % of it": Function(3, 5, 1.0002, trained, lambda e: 0.03 * e),
    "an error, deviation 25 % of it": Function(3, 5, 1.0002, trained, lambda e: 0.25 * e),
}


@dataclass(frozen=True)
class Comparison:
    """A sampler beside Optuna's own, on some functions."""

    sampler: str
    functions: tuple[str, ...]
    first_seed: int
    """Another one for what decided how the noise is told than for what that saves."""
    looks: tuple[int, ...]
    """Numbers of trials after which the regret is looked at, the last one of all."""


COMPARISONS = (
    Comparison("told", tuple(FUNCTIONS)[::2], 0, (15, 25)),
    Comparison("always told", tuple(FUNCTIONS)[1::2], 100, (20, 40)),
    Comparison("always told", tuple(FUNCTIONS)[:1], 200, (20, 40)),
)


def regrets(name: str, sampler: str, seed: int, looks: Sequence[int]) -> list[float]:
    """Return the regret of the best trial after each of so many trials."""
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    function = FUNCTIONS[name]
    noise = np.random.default_rng(seed)
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed))
    true, found = [], []
    for number in range(looks[-1]):
        trial = study.ask()
        names = (f"x{index}" for index in range(function.dimensions))
        true.append(function.value([trial.suggest_float(one, 0, 1) for one in names]))
        spread = function.deviation(true[-1])
        seen = true[-1] + spread * noise.standard_normal(function.seeds)
        trial.set_user_attr(SEEDS, function.seeds)
        trial.set_user_attr(STANDARD_ERROR, float(seen.std(ddof=1)) / math.sqrt(function.seeds))
        study.tell(trial, float(seen.mean()))
        if number + 1 in looks:
            best = min(study.get_trials(deepcopy=False), key=lambda one: one.value or 0.0)
            found.append(true[best.number] - function.minimum)
    return found


def compared(one: Comparison, name: str) -> dict[str, object]:
    """Return means of the regret of both, and of their differences with the standard error."""
    seeds = range(one.first_seed, one.first_seed + SEARCHES)
    own, told = (
        np.array([regrets(name, sampler, seed, one.looks) for seed in seeds])
        for sampler in ("Optuna's", one.sampler)
    )
    saved = own - told
    return {
        f"after {trials} trials": {
            "mean regret, Optuna's": float(own[:, place].mean()),
            f"mean regret, {one.sampler}": float(told[:, place].mean()),
            "saved": float(saved[:, place].mean()),
            "its standard error": float(saved[:, place].std(ddof=1) / math.sqrt(SEARCHES)),
        }
        for place, trials in enumerate(one.looks)
    }


def main() -> None:
    """Measure, and write or print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--print", action="store_true", help="print, and write no file")
    given = parser.parse_args()
    rows: dict[str, dict[str, object]] = {}
    for one in COMPARISONS:
        found = {name: compared(one, name) for name in one.functions}
        rows.setdefault(one.sampler, {}).update(found)
    text = json.dumps({"versions": versions(), "searches": SEARCHES, **rows}, indent=1)
    if given.print:
        print(text)
    else:
        RESULTS.write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
