"""Worlds of claims about errors, times and divergence; `worlds` says what their kinds mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from synthetic_store import SyntheticSweep, configuration

from analysis.paper.claims import paper

NOISE = 0.1
LOUD = 3.0
MARGIN = {"lenet5/mnist": 0.10, "resnet20/cifar10": 0.20}
FIVE = ("relu", "swish", "apl", "polyneuron", "polyneuron_r")

Rng = np.random.Generator
World = Callable[[str, Rng], list[SyntheticSweep]]
"""From the kind of a world and draws to its sweeps."""


def errors_to(final: float, epochs: int = 30) -> np.ndarray:
    """Return a history that ends at `final`; only its end matters to most claims."""
    return np.array([90.0] * (epochs - 1) + [max(final, 0.0)])


def _add(
    sweep: SyntheticSweep,
    config: dict[str, Any],
    mean: float,
    rng: Rng,
    noise: float,
    seeds: int,
    diverge: float = 0.0,
    **columns: Any,
) -> list[str]:
    """Add a cell of runs, some of which diverge; their run ids."""
    runs = []
    epochs = config["recipe"]["epochs"]
    for seed in range(seeds):
        if rng.random() < diverge:
            errors, status = np.array([90.0]), "diverged"
        else:
            errors, status = errors_to(mean + rng.normal(0, noise), epochs), "completed"
        columns.setdefault("history", False)
        runs.append(sweep.add_run(config, seed, errors, status=status, **columns))
    return runs


def _table1(
    benchmark: str, means: dict[str, float], rng: Rng, noise: float, seeds: int
) -> SyntheticSweep:
    sweep = SyntheticSweep(f"table1_{benchmark.split('/')[0]}", benchmark, seeds=seeds)
    for activation, mean in means.items():
        _add(sweep, configuration(benchmark, activation), 5 + mean, rng, noise, seeds)
    return sweep


def _noise(kind: str) -> tuple[float, int]:
    return (LOUD, 5) if kind == "undecidable" else (NOISE, 20)


def printed_error(benchmark: str, activation: str) -> World:
    """The printed mean, one beyond the tolerance, one at it; all others lend their deviation."""

    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        tolerance = paper().tolerance[benchmark]
        means = dict(paper().table1[benchmark])
        means[activation] += {"true": 0.0, "false": 4.0, "border": 1.0, "undecidable": 1.0}[
            kind
        ] * tolerance
        noise, seeds = (0.6, 5) if kind == "undecidable" else (NOISE, 20)
        sweep = SyntheticSweep(f"table1_{benchmark.split('/')[0]}", benchmark, seeds=seeds)
        for name, mean in means.items():
            _add(sweep, configuration(benchmark, name), mean, rng, noise, seeds)
        return [sweep]

    return world


def improved_or_comparable(benchmark: str, activation: str) -> World:
    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        means = {"relu": 0.4, "swish": 0.3, "apl": 0.3, activation: 0.0}
        if kind == "border":
            means["relu"] = -MARGIN[benchmark]
        if kind == "false":
            means[activation] = 1.0
        if kind == "undecidable":
            means = dict.fromkeys(means, 0.0)
        return [_table1(benchmark, means, rng, *_noise(kind))]

    return world


def best_of(benchmark: str, best: str, rival: str) -> World:
    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        means = dict.fromkeys(FIVE, 0.6) | {best: 0.0}
        means[rival] = {"true": 0.3, "false": -0.3, "border": 0.0, "undecidable": 0.0}[kind]
        if kind == "undecidable":
            means = dict.fromkeys(FIVE, 0.0)
        return [_table1(benchmark, means, rng, *_noise(kind))]

    return world


def best_of_unequal_scatter(kind: str, rng: Rng) -> list[SyntheticSweep]:
    """The same claim with five seeds, where the best and its rival scatter twice as much."""
    means = dict.fromkeys(FIVE, 1.2) | {"polyneuron_r": 0.0}
    means["apl"] = {"true": 1.0, "false": -1.0, "border": 0.0, "undecidable": 0.0}[kind]
    scale = LOUD / NOISE if kind == "undecidable" else 1.0
    sweep = SyntheticSweep("table1_lenet5")
    for activation, mean in means.items():
        noise = scale * NOISE * (2 if activation in ("apl", "polyneuron_r") else 1)
        _add(sweep, configuration(activation=activation), 5 + mean, rng, noise, 5)
    return [sweep]


def relaxed_beats_polyneuron(benchmark: str) -> World:
    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        gap = {"true": 0.3, "false": -0.3, "border": 0.0, "undecidable": 0.0}[kind]
        means = {"polyneuron": gap, "polyneuron_r": 0.0}
        return [_table1(benchmark, means, rng, *_noise(kind))]

    return world


def _grid(
    benchmark: str,
    mean: Callable[[int, int], float],
    rng: Rng,
    noise: float,
    seeds: int,
    diverge: Callable[[int, int], float] = lambda s, k: 0.0,
    seconds: Callable[[int, int], float] = lambda s, k: 2.0,
    purpose: str = "confirmatory",
) -> SyntheticSweep:
    name = f"ablation_sk_{benchmark.split('/')[0]}"
    sweep = SyntheticSweep(name, benchmark, purpose, seeds=seeds)
    for s in (3, 5, 7):
        for k in (1, 2, 3, 4, 5):
            config = configuration(benchmark, "polyneuron", {"s": s, "k": k})
            mean_error, rate = 5 + mean(s, k), diverge(s, k)
            _add_timed(sweep, config, mean_error, rng, noise, seeds, rate, seconds(s, k))
    return sweep


def _add_timed(
    sweep, config, mean, rng, noise, seeds, diverge, seconds, shared=0.0, trial=None
) -> None:
    """Add runs that are timed: each in a process of its own, or all in that of one trial."""
    epochs = config["recipe"]["epochs"]
    for seed in range(seeds):
        failed = rng.random() < diverge
        errors = np.array([90.0]) if failed else errors_to(mean + rng.normal(0, noise), epochs)
        own = seconds * np.exp(shared + rng.normal(0, 0.03))
        run = sweep.add_run(
            config,
            seed,
            errors,
            status="diverged" if failed else "completed",
            epoch_seconds=own,
            history=False,
            # a process of its own
            trial=len(sweep.rows["runs"]) if trial is None else trial,
        )
        if sweep.purpose == "timing":
            sweep.add_times(run, [3 * own, own, own])


def even_order_hurts(benchmark: str) -> World:
    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        noise = LOUD if kind == "undecidable" else NOISE
        effect = {"true": 0.3, "false": -0.3, "border": 0.0, "undecidable": 0.0}[kind]

        def mean(s: int, k: int) -> float:
            clear = kind == "border" and k == 2
            return 0.1 * s + (0.0 if k % 2 else 0.6 if clear else effect)

        return [_grid(benchmark, mean, rng, noise, 5)]

    return world


def even_order_hurts_by_divergence(benchmark: str) -> World:
    """The same claim where even k does not err more but diverges."""

    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        rate = {"true": 0.8, "false": 0.0, "border": 0.1, "undecidable": 0.0}[kind]
        diverge = lambda s, k: rate if k % 2 == 0 else min(rate, 0.1)  # noqa: E731
        return [_grid(benchmark, lambda s, k: 0.0, rng, NOISE, 5, diverge)]

    return world


def no_gain_over(column: str, reference: int) -> World:
    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        noise, seeds = (LOUD, 5) if kind == "undecidable" else (NOISE, 10)

        def mean(s: int, k: int) -> float:
            level = s if column == "s" else k
            if level <= reference or kind == "undecidable":
                return 0.0
            if kind == "true":
                return 0.05
            if kind == "false":
                return -0.4
            return -MARGIN["lenet5/mnist"] if level == 5 else 0.4

        return [_grid("lenet5/mnist", mean, rng, noise, seeds)]

    return world


def three_points_of_order_three(kind: str, rng: Rng) -> list[SyntheticSweep]:
    noise, seeds = (LOUD, 5) if kind == "undecidable" else (NOISE, 10)

    def mean(s: int, k: int) -> float:
        if (s, k) == (3, 3) or kind == "undecidable":
            return 0.0
        if (s, k) == (5, 3):
            return {"true": 0.3, "false": -0.4, "border": -MARGIN["lenet5/mnist"]}[kind]
        return 0.3

    return [_grid("lenet5/mnist", mean, rng, noise, seeds)]


def a_cheaper_cell_is_as_good(kind: str, rng: Rng) -> list[SyntheticSweep]:
    """The same claim, which hangs on s = 3, k = 1: it would need fewer operations."""
    noise, seeds = (LOUD, 5) if kind == "undecidable" else (NOISE, 10)
    cheaper = {"true": 0.3, "false": -0.4, "border": 0.0, "undecidable": 0.0}[kind]
    others = 0.0 if kind == "undecidable" else 0.3

    def mean(s: int, k: int) -> float:
        return {(3, 3): 0.0, (3, 1): cheaper}.get((s, k), others)

    return [_grid("lenet5/mnist", mean, rng, noise, seeds)]


def more_points_are_slower(kind: str, rng: Rng) -> list[SyntheticSweep]:
    ratio = {"true": 1.5, "false": 1.0, "border": 1.10, "undecidable": 1.10}[kind]
    seconds = lambda s, k: 2.0 * ratio ** ((s - 3) / 4)  # noqa: E731
    return [_timed_grid(seconds, rng)]


def _timed_grid(seconds: Callable[[int, int], float], rng: Rng) -> SyntheticSweep:
    error = lambda s, k: 0.0  # noqa: E731
    return _grid("lenet5/mnist", error, rng, NOISE, 5, seconds=seconds, purpose="timing")


def higher_order_costs_more(kind: str, rng: Rng) -> list[SyntheticSweep]:
    ratio = {"true": 1.2, "false": 0.8, "border": 1.0, "undecidable": 1.0}[kind]
    seconds = lambda s, k: 2.0 * ratio ** ((k - 3) / 2)  # noqa: E731
    return [_timed_grid(seconds, rng)]


def timed_in_one_process_each(shared: float, rng: Rng) -> list[SyntheticSweep]:
    """No difference but what slows each arm's one process: deviation `shared` of its logarithm."""
    sweep = SyntheticSweep("timing_lenet5", purpose="timing")
    for trial, activation in enumerate(("polyneuron", "polyneuron_r")):
        config = configuration(activation=activation)
        slow = rng.normal(0, shared)
        _add_timed(sweep, config, 5, rng, NOISE, 5, 0.0, 2.0, slow, trial)
    return [sweep]


def relaxed_computes_less(kind: str, rng: Rng) -> list[SyntheticSweep]:
    ratio = {"true": 1.2, "false": 0.8, "border": 1.0, "undecidable": 1.0}[kind]
    sweep = SyntheticSweep("timing_lenet5", purpose="timing")
    for activation, seconds in (("polyneuron", 2.0 * ratio), ("polyneuron_r", 2.0)):
        config = configuration(activation=activation)
        _add_timed(sweep, config, 5, rng, NOISE, 5, 0.0, seconds)
    return [sweep]


def _lambdas(
    mean: Callable[[float, float], float],
    noise: Callable[[float, float], float],
    rng: Rng,
    seeds: int,
    diverge: Callable[[float, float], float] = lambda a, b: 0.0,
) -> list[SyntheticSweep]:
    sweep = SyntheticSweep("ablation_lambda", seeds=seeds)
    for a in (0.0, 1e-3, 1e-2, 1e-1, 1.0):
        for b in (0.0, 1e-3, 1e-2, 1e-1):
            config = configuration(lambda_sum=a, lambda_prod=b)
            _add(sweep, config, 5 + mean(a, b), rng, noise(a, b), seeds, diverge(a, b))
    return [sweep]


def _quiet(kind: str) -> Callable[[float, float], float]:
    return lambda a, b: LOUD if kind == "undecidable" else NOISE


def lambda_prod_no_benefit(kind: str, rng: Rng) -> list[SyntheticSweep]:
    def mean(a: float, b: float) -> float:
        if b == 0 or kind == "undecidable":
            return 0.0
        if kind == "border":
            return -MARGIN["lenet5/mnist"] if b == 1e-2 else 0.3
        return {"true": 0.05, "false": -0.4}[kind]

    return _lambdas(mean, _quiet(kind), rng, 20)


def lambda_prod_hinders(kind: str, rng: Rng) -> list[SyntheticSweep]:
    def mean(a: float, b: float) -> float:
        return 0.4 if kind == "true" and b == 1e-1 else 0.0

    noise = (lambda a, b: LOUD) if kind == "undecidable" else (lambda a, b: NOISE / 2)
    return _lambdas(mean, noise, rng, 20)


def lambda_sum_suitable(kind: str, rng: Rng) -> list[SyntheticSweep]:
    def mean(a: float, b: float) -> float:
        if a == 1e-2 or kind == "undecidable":
            return 0.0
        if kind == "border":
            return -MARGIN["lenet5/mnist"] if a == 1e-1 else 0.3
        return {"true": 0.05, "false": -0.4}[kind]

    return _lambdas(mean, _quiet(kind), rng, 20)


SCATTER_RATIOS = {"true": 3.0, "false": 0.6, "border": 1.5, "undecidable": 1.5}
"""False is clearly below the margin of 1.5: at a ratio of 1, 20 runs decide in 60 % of worlds."""


def no_penalty_inconsistent(kind: str, rng: Rng) -> list[SyntheticSweep]:
    ratio = SCATTER_RATIOS[kind]
    noise = lambda a, b: NOISE * (ratio if a == b == 0 else 1.0)  # noqa: E731
    return _lambdas(lambda a, b: 0.0, noise, rng, 20)


def no_penalty_diverges(kind: str, rng: Rng) -> list[SyntheticSweep]:
    """The same claim where runs without penalties diverge more, or as often."""
    rate = {"true": 0.5, "false": 0.0, "border": 0.05, "undecidable": 0.1}[kind]
    diverge = lambda a, b: rate if a == b == 0 else min(rate, 0.05)  # noqa: E731
    calm = SCATTER_RATIOS["false"] if kind == "false" else 1.0
    noise = lambda a, b: NOISE * (calm if a == b == 0 else 1.0)  # noqa: E731
    return _lambdas(lambda a, b: 0.0, noise, rng, 20, diverge)


def sensitive_to_high_rates(benchmark: str, activation: str) -> World:
    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        noise, seeds = _noise(kind)
        sweep = SyntheticSweep(f"table1_{benchmark.split('/')[0]}", benchmark, seeds=seeds)
        gap = {"true": 0.4, "false": -0.4, "border": 0.0, "undecidable": 0.0}[kind]
        for name in ("relu", "swish", "polyneuron", activation):
            config = configuration(benchmark, name)
            mean = gap if name == activation else -0.4 if kind == "border" and name == "relu" else 0
            for seed in range(seeds):
                run = sweep.add_run(
                    config, seed, errors_to(3, config["recipe"]["epochs"]), history=False
                )
                sweep.add_drop(run, max(10 + mean + rng.normal(0, noise), 0), 3.0)
        return [sweep]

    return world


def error_rises_faster_with_rate(activation: str) -> World:
    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        noise, seeds = (LOUD, 5) if kind == "undecidable" else (NOISE, 5)
        rise = {"true": 0.6, "false": -0.6, "border": 0.0, "undecidable": 0.0}[kind]
        sweep = SyntheticSweep("lr_sensitivity", seeds=seeds)
        for name in FIVE:
            steep = 0.2 + (
                rise if name == activation else -0.5 * (name == "relu") * bool(rise == 0)
            )
            for rate in (3e-4, 1e-3, 3e-3, 1e-2):
                mean = 6 + steep * np.log10(rate / 3e-4)
                config = configuration(activation=name, learning_rate=rate)
                _add(sweep, config, mean, rng, noise, seeds)
        return [sweep]

    return world


def lower_rate_helps(kind: str, rng: Rng) -> list[SyntheticSweep]:
    noise, seeds = LOUD if kind == "undecidable" else NOISE / 2, 10
    sweep = SyntheticSweep("lr_sensitivity", seeds=seeds)
    for activation in FIVE:
        for rate in (3e-4, 1e-3, 3e-3, 1e-2):
            mean = -0.4 if kind == "true" and activation == "apl" and rate < 1e-3 else 0.0
            config = configuration(activation=activation, learning_rate=rate)
            _add(sweep, config, 5 + mean, rng, noise, seeds)
    return [sweep]


START_RATES = {
    "true": (0.6, 0.0),
    "false": (0.6, 0.5),
    "border": (0.6, 0.10),
    "undecidable": (0.08, 0.08),
}
"""Of random and of ReLU-like starts, for the claim about the latter."""
RANDOM_RATES = {"true": 0.6, "false": 0.0, "border": 0.10, "undecidable": 0.15}


def relu_like_start_is_stable(activation: str, benchmark: str = "lenet5/mnist") -> World:
    return lambda kind, rng: _starts(activation, benchmark, *START_RATES[kind], rng)


def random_start_is_unstable(activation: str, benchmark: str = "lenet5/mnist") -> World:
    return lambda kind, rng: _starts(activation, benchmark, RANDOM_RATES[kind], 0.0, rng)


def _starts(
    activation: str, benchmark: str, random: float, relu_like: float, rng: Rng
) -> list[SyntheticSweep]:
    """Three epochs from both starts, as the paper has them: in no reading."""
    sweep = SyntheticSweep("init_stability", benchmark, seeds=30)
    for init, rate in (("random", random), ("relu_like", relu_like)):
        options = {"s": 3, "k": 3, "init": init}
        config = configuration(benchmark, activation, options, literal=True, epochs=3, drop_at=[])
        _add(sweep, config, 20, rng, NOISE, 30, rate)
    return [sweep]
