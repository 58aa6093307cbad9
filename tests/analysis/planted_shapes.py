"""Worlds of claims about the shapes of activation functions, by their stored coefficients."""

from __future__ import annotations

import numpy as np
from planted_errors import Rng, World, errors_to
from synthetic_store import SyntheticSweep, configuration


def add_functions(
    sweep: SyntheticSweep,
    run_id: str,
    epoch: int,
    c_x: np.ndarray,
    w: np.ndarray,
    v: tuple[float, float],
    curve_y: np.ndarray | None = None,
    layer: str = "act1",
    c_y: float = 0.0,
) -> None:
    key = {"sweep": sweep.name, "run_id": run_id, "epoch": epoch, "layer": layer, "function": 0}
    grid = np.linspace(-5, 5, 21)
    sweep.rows["functions"].append(
        key
        | {
            "v0": v[0],
            "v1": v[1],
            "input_p01": -2.0,
            "input_p99": 2.0,
            "curve_x": grid.tolist(),
            "curve_y": (np.zeros(21) if curve_y is None else curve_y).tolist(),
        }
    )
    sweep.rows["snapshots"].extend(
        key | {"point": i, "c_x": float(c_x[i]), "c_y": c_y, "w": float(w[i])}
        for i in range(len(c_x))
    )


START_X, START_W, START_V = np.array([-1.0, 0, 1]), np.array([0.125, -0.25, 0.125]), (0.5, -0.25)


def _table1(benchmark: str, seeds: int) -> SyntheticSweep:
    return SyntheticSweep(f"table1_{benchmark.split('/')[0]}", benchmark, seeds=seeds)


def _add(sweep: SyntheticSweep, activation: str, seed: int) -> tuple[str, int]:
    """Add a run in the paper's setting; its id and its last epoch."""
    config = configuration(sweep.benchmark, activation)
    epochs = config["recipe"]["epochs"]
    return sweep.add_run(config, seed, errors_to(5, epochs), history=False), epochs


def shifted(benchmark: str, claim_activations: tuple[str, ...]) -> World:
    def world(kind: str, rng: Rng) -> list[SyntheticSweep]:
        seeds = 5 if kind == "undecidable" else 10
        sweep = _table1(benchmark, seeds)
        for index, activation in enumerate(claim_activations):
            mean = {"true": 0.1, "false": 0.5, "border": 0.25, "undecidable": 0.25}[kind]
            if kind == "border" and index:
                mean = 0.05
            noise = 0.08 if kind == "undecidable" else 0.03
            for seed in range(seeds):
                run, end = _add(sweep, activation, seed)
                moved = START_X + rng.choice([-1, 1], 3) * abs(mean + rng.normal(0, noise))
                add_functions(sweep, run, 0, START_X, START_W, START_V)
                add_functions(sweep, run, end, moved, START_W, START_V, c_y=0.6)
        return [sweep]

    return world


def lambda_prod_pulls_to_zero(kind: str, rng: Rng) -> list[SyntheticSweep]:
    sweep = SyntheticSweep("ablation_lambda_prod", seeds=5)
    noise = 0.5 if kind == "undecidable" else 0.02
    for level, b in enumerate((0.0, 1e-3, 1e-2, 1e-1)):
        config = configuration(lambda_prod=b)
        pull = {"true": 0.2 * level, "false": 0.0, "border": 0.0, "undecidable": 0.05 * level}[kind]
        for seed in range(5):
            run = sweep.add_run(config, seed, errors_to(5), history=False)
            scale = np.exp(-pull + rng.normal(0, noise))
            add_functions(sweep, run, 0, START_X, START_W, START_V)
            add_functions(sweep, run, 30, START_X * scale, START_W, START_V)
    return [sweep]


def solved(c_x: np.ndarray, c_y: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Return eq. 2's solution for k = 3."""
    s = len(c_x)
    matrix = np.zeros((s + 2, s + 2))
    matrix[:s, :s] = np.abs(c_x[:, None] - c_x) ** 3
    matrix[:s, s:] = np.c_[c_x, np.ones(s)]
    matrix[s:, :s] = matrix[:s, s:].T
    z = np.linalg.solve(matrix, np.r_[c_y, 0, 0])
    return z[:s], (float(z[s]), float(z[s + 1]))


def close_points_grow_tails(kind: str, rng: Rng) -> list[SyntheticSweep]:
    sweep = SyntheticSweep("init_stability", seeds=30)
    options = {"s": 3, "k": 3, "init": "random"}
    config = configuration(activation="polyneuron", options=options, epochs=3, drop_at=[])
    seeds = 5 if kind == "undecidable" else 30
    sweep.rows["sweeps"][0]["seeds"] = seeds
    for seed in range(seeds):
        run = sweep.add_run(config, seed, errors_to(20, 3), history=False)
        for layer in range(4):
            c_x, c_y = rng.normal(size=(2, 3))
            w, v = solved(c_x, c_y)
            if kind == "false":  # far apart: steep; close together: flat
                ordered = np.sort(c_x)
                w = np.zeros(3)
                v = (float(ordered[1] - ordered[0] + ordered[2] - ordered[1]), 0.0)
            elif kind in ("border", "undecidable"):  # tails that know nothing of the gaps
                w, v = np.zeros(3), (float(rng.normal()), 0.0)
            add_functions(sweep, run, 0, c_x, w, v, layer=f"act{layer}")
    return [sweep]


def closer_points_are_more_sensitive(kind: str, rng: Rng) -> list[SyntheticSweep]:
    seeds = 5 if kind == "undecidable" else 30
    sweep = SyntheticSweep("ablation_lambda_prod", seeds=seeds)
    for seed in range(seeds):
        run = sweep.add_run(configuration(lambda_prod=0.1), seed, errors_to(5), history=False)
        for layer in range(4):
            gap = rng.uniform(0.2, 1.5)
            c_x = np.array([-gap, 0.0, gap])
            if kind == "true":
                w = np.array([1.0, 0.0, 1.0]) / gap**2
            elif kind == "false":  # by w alone, far points have the greater derivatives
                w = np.zeros(3)
            else:
                w = _weights_for(rng.uniform(600, 640, 2), gap)
            add_functions(sweep, run, 0, START_X, START_W, START_V, layer=f"act{layer}")
            add_functions(sweep, run, 30, c_x, w, START_V, layer=f"act{layer}")
    return [sweep]


def _weights_for(sensitivities: np.ndarray, gap: float) -> np.ndarray:
    """Return outer weights, k = 3, for these norms of the derivatives of y(-3) and y(3)."""
    near, far = (3 - gap) ** 2, (3 + gap) ** 2
    by_w = near**3 + far**3 + 27.0**2
    squares = np.linalg.solve(
        9 * np.array([[near**2, far**2], [far**2, near**2]]), sensitivities**2 - by_w - 10
    )
    return np.array([np.sqrt(squares[0]), 0.0, np.sqrt(squares[1])])


# 0.00015 bends the tails by about 1 %, the margin
RELAXED_BENDS = {"true": 0.05, "false": 0.0, "border": 0.00015, "undecidable": 0.00015}


def tails_of_relaxed_bend(kind: str, rng: Rng) -> list[SyntheticSweep]:
    sweep = _table1("resnet20/cifar10", 5)
    for seed in range(5):
        bend = RELAXED_BENDS[kind] * (1 + rng.normal(0, 0.5 if kind == "undecidable" else 0.05))
        _add_bent(sweep, "polyneuron_r", seed, bend, rng)
    return [sweep]


def tails_of_polyneuron_are_linear(kind: str, rng: Rng) -> list[SyntheticSweep]:
    """Some runs of a world that is not clear bend beyond the margin, and some do not."""
    sweep = _table1("resnet20/cifar10", 5)
    for seed in range(5):
        bend = {"true": 0.0, "false": 0.05}.get(kind, 0.05 * (seed % 2))
        _add_bent(sweep, "polyneuron", seed, bend, rng)
    return [sweep]


def _add_bent(sweep: SyntheticSweep, activation: str, seed: int, bend: float, rng: Rng) -> None:
    run, end = _add(sweep, activation, seed)
    c_x = START_X + rng.normal(0, 0.05, 3)
    w, v = solved(c_x, np.array([0.0, 0.0, 1.0]) + rng.normal(0, 0.05, 3))
    add_functions(sweep, run, 0, START_X, START_W, START_V)
    add_functions(sweep, run, end, c_x, w + bend, v)


def most_change_is_early(kind: str, rng: Rng) -> list[SyntheticSweep]:
    seeds = 5 if kind == "undecidable" else 10
    sweep = _table1("resnet20/cifar10", seeds)
    noise = 0.3 if kind == "undecidable" else 0.03
    way = np.linspace(0, 1, 21) + 0.2
    for activation in ("polyneuron", "polyneuron_r"):
        for seed in range(seeds):
            run, end = _add(sweep, activation, seed)
            share = {"true": 0.8, "false": 0.2, "border": 0.5, "undecidable": 0.5}[kind]
            if kind == "border" and activation == "polyneuron":
                share = 0.9
            share = min(share + rng.normal(0, noise), 0.99)
            # a quarter of the epochs before the rate drops, and of all
            marks = ((0, 0.0), (end // 8, share), (end // 4, share), (end // 2, 1.0), (end, 1.0))
            for epoch, done in marks:
                add_functions(sweep, run, epoch, START_X, START_W, START_V, way * done)
    return [sweep]
