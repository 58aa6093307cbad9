"""Draws of a search while workers train: what a worker waits for, and what it costs in optima.

    python tests/benchmarks/draw_ahead.py            into tests/benchmarks/results/draw_ahead.json
    python tests/benchmarks/draw_ahead.py --print    printed alone

A worker is handed a trial that was drawn before its own result was known. `waits` has the time
from the end of a trial to the next one in a study of many, with its record in the database, beside
the time of the draw itself. `optima` compares both ways on three functions with one worker, where
one result less is the most: the regret is the smallest value found less the function's minimum.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optima import BRANIN, HARTMANN6, branin, hartmann6

from analysis.store.statuses import Status
from sweeps.search.early_stopping import Judge
from sweeps.search.open_trials import TrialOutcome
from sweeps.search.sampling import make_sampler
from sweeps.search.searcher import StudySearcher
from sweeps.search.study import Work, create_study
from sweeps.spec.reading import parse_spec
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import versions

RESULTS = Path(__file__).parent / "results" / "draw_ahead.json"
SEEDS = 20
COUNTED = 30
"""Trials of which the wait is measured, after the ones that fill the study."""
FILLED = {"tpe": 1000, "gp": 200}
TRIALS = {"tpe": 100, "gp": 40}
"""Trials of a search for an optimum."""


@dataclass(frozen=True)
class Function:
    """A function to minimise on a box."""

    low: float
    high: float
    dimensions: int
    minimum: float
    value: Callable[[Sequence[float]], float]


def rosenbrock(x: Sequence[float]) -> float:
    """Return Rosenbrock's function."""
    one = np.array(x)
    return float((100 * (one[1:] - one[:-1] ** 2) ** 2 + (1 - one[:-1]) ** 2).sum())


FUNCTIONS = {
    "Branin, 2 dimensions": Function(0, 1, 2, BRANIN, branin),
    "Hartmann, 6 dimensions": Function(0, 1, 6, HARTMANN6, hartmann6),
    "Rosenbrock, 4 dimensions": Function(-2, 2, 4, 0.0, rosenbrock),
}


def spec_of(algorithm: str, seed: int, trials: int) -> SweepSpec:
    """Describe a search in three ranges."""
    return parse_spec(
        {
            "name": "drawn",
            "space": {
                "learning_rate": {"log": [1e-4, 1e-2]},
                "weight_decay": {"log": [1e-6, 1e-3]},
                "lambda_sum": {"log": [1e-4, 1.0]},
            },
            "activation": "polyneuron_r",
            "search": {"algorithm": algorithm, "trials": trials, "seed": seed},
        }
    )


def waits(algorithm: str, root: Path) -> dict[str, float]:
    """Return median milliseconds of the path that a worker waits for, and of the draw beside it."""
    filled = FILLED[algorithm]
    spec = spec_of(algorithm, 0, filled + COUNTED + 2)
    paths = SweepPaths(root, algorithm)
    paths.create()
    study = create_study(spec, paths)
    judge = Judge(spec.early_stopping, len(spec.seeds), spec.recipe.epochs)
    rng = np.random.default_rng(0)
    _fill(study, spec, filled, rng)
    searcher = StudySearcher(spec, study, judge, lambda _: None, Work(COUNTED + 2))
    assert searcher.next("worker") is not None
    spent: dict[str, list[float]] = {"wait": [], "draw beside the training": []}
    for _ in range(COUNTED):
        begun = time.perf_counter()
        searcher.draw_ahead()
        spent["draw beside the training"].append(time.perf_counter() - begun)
        study.save()
        begun = time.perf_counter()
        searcher.end("worker", TrialOutcome(Status.COMPLETED, objective=float(rng.random())))
        assert searcher.next("worker") is not None
        if searcher.unrecorded:
            study.save()
        spent["wait"].append(time.perf_counter() - begun)
        study.save()
    return {name: 1e3 * statistics.median(values) for name, values in spent.items()}


def _fill(study: object, spec: SweepSpec, trials: int, rng: np.random.Generator) -> None:
    """Put completed trials at random places into the study; drawn ones would take minutes."""
    from sweeps.search.sampling import _distribution

    kinds = {key: _distribution(domain) for key, domain in spec.space.items()}
    for _ in range(trials):
        params = {
            key: math.exp(rng.uniform(math.log(domain.values[0]), math.log(domain.values[1])))
            for key, domain in spec.space.items()
        }
        trial = optuna.trial.create_trial(
            params=params, distributions=kinds, value=float(rng.random())
        )
        study._memory.add_trial(trial)  # type: ignore[attr-defined]


def found(function: Function, algorithm: str, seed: int, ahead: bool) -> float:
    """Return the regret of a search with one worker."""
    trials = TRIALS[algorithm]
    study = optuna.create_study(sampler=make_sampler(spec_of(algorithm, seed, trials)))

    def drawn() -> tuple[optuna.Trial, list[float]]:
        trial = study.ask()
        names = (f"x{index}" for index in range(function.dimensions))
        return trial, [trial.suggest_float(one, function.low, function.high) for one in names]

    waiting = None
    for left in range(trials, 0, -1):
        trial, place = waiting or drawn()
        waiting = drawn() if ahead and left > 1 else None
        study.tell(trial, function.value(place))
    return study.best_value - function.minimum


def optima(algorithm: str) -> Iterator[tuple[str, Mapping[str, float]]]:
    """Yield, by function, the median regret both ways and the mean of paired log10 ratios."""
    for name, function in FUNCTIONS.items():
        pairs = np.array(
            [
                [found(function, algorithm, seed, ahead) for ahead in (False, True)]
                for seed in range(SEEDS)
            ]
        )
        ratios = np.log10(pairs[:, 1] / pairs[:, 0])
        yield (
            name,
            {
                "trials": TRIALS[algorithm],
                "median regret, all results known": float(np.median(pairs[:, 0])),
                "median regret, drawn ahead": float(np.median(pairs[:, 1])),
                "mean log10 ratio": float(ratios.mean()),
                "its standard error": float(ratios.std(ddof=1) / math.sqrt(SEEDS)),
                "worse drawn ahead, of 20 seeds": int((ratios > 0).sum()),
            },
        )


def main() -> None:
    """Measure, print and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--print", action="store_true", help="store nothing")
    parser.add_argument("--waits-alone", action="store_true", help="no search for optima")
    parser.add_argument("--algorithms", nargs="+", default=list(FILLED))
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    result: dict[str, object] = {"cores": os.cpu_count(), "versions": versions()}
    result["load_before"] = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        result["waits_milliseconds"] = measured = {}
        for algorithm in arguments.algorithms:
            measured[algorithm] = {"trials": FILLED[algorithm], **waits(algorithm, Path(folder))}
            print(f"  {algorithm}: {measured[algorithm]}", flush=True)
    _keep(result, arguments.print)
    result["optima"] = regrets = {}
    for algorithm in () if arguments.waits_alone else arguments.algorithms:
        for name, figures in optima(algorithm):
            regrets.setdefault(algorithm, {})[name] = figures
            print(f"  {algorithm}, {name}: {figures}", flush=True)
            _keep(result, arguments.print)


def _keep(result: dict[str, object], nowhere: bool) -> None:
    """Write what is known after each part: all of it takes long."""
    if not nowhere:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
