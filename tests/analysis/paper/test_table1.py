import math

import numpy as np
import pytest
from scipy import stats
from synthetic_store import SyntheticSweep, configuration, learning_curve
from worlds import MemoryResults

import analysis


def paper_sweep(**recipe) -> SyntheticSweep:
    sweep = SyntheticSweep("table1_lenet5")
    rng = np.random.default_rng(3)
    for activation, final in (("relu", 2.05), ("swish", 2.5)):
        for seed in range(5):
            curve = learning_curve(final + rng.normal(0, 0.05), 30, rng)
            sweep.add_run(configuration(activation=activation, **recipe), seed, curve)
    return sweep


def row(frame, activation, benchmark="lenet5/mnist"):
    chosen = (frame["benchmark"] == benchmark) & (frame["activation"] == activation)
    return frame[chosen].iloc[0]


def test_the_papers_figures_stand_beside_ours(tmp_path):
    sweep = paper_sweep()
    sweep.write(tmp_path)
    frame = analysis.table1(analysis.load(tmp_path))
    assert len(frame) == 10
    sample = [r["last_val_error_percent"] for r in sweep.rows["runs"] if r["activation"] == "relu"]
    relu = row(frame, "relu")
    assert relu["paper_error_percent"] == 2.03
    assert relu["n"] == 5
    low, high = stats.t.interval(0.95, 4, np.mean(sample), stats.sem(sample))
    np.testing.assert_allclose(
        [relu["mean"], relu["low"], relu["high"]], [np.mean(sample), low, high]
    )
    np.testing.assert_allclose(relu["difference"], np.mean(sample) - 2.03)
    assert relu["within_tolerance"] is np.True_ or relu["within_tolerance"] is True
    assert not row(frame, "swish")["within_tolerance"]
    apl = row(frame, "apl")
    assert apl["n"] == 0
    assert np.isnan(apl["mean"])
    assert frame["within_tolerance"].isna().sum() == 8


@pytest.mark.parametrize(
    ("seeds", "share"), [(5, 1.0), (20, math.sqrt(0.625)), (2, math.sqrt(1.75))]
)
def test_a_cells_tolerance_follows_from_its_own_runs(seeds, share):
    """The paper's mean is of five runs: (1/5 + 1/20) / (2/5) = 0.625."""
    sweep = SyntheticSweep("table1_lenet5")
    for seed in range(seeds):
        sweep.add_run(configuration(activation="relu"), seed, np.array([2.0 + 0.01 * seed]))
    relu = row(analysis.table1(MemoryResults([sweep])), "relu")
    assert relu["tolerance"] == pytest.approx(0.12 * share)


def test_the_text_fixes_the_rows_of_swish_and_polyneuron_r(tmp_path):
    paper_sweep().write(tmp_path)
    frame = analysis.table1(analysis.load(tmp_path))
    paper = frame.pivot(index="activation", columns="benchmark", values="paper_error_percent")
    assert paper["lenet5/mnist"].idxmin() == "polyneuron_r"
    assert paper["resnet20/cifar10"].idxmin() == "swish"


@pytest.mark.parametrize(
    "recipe",
    [
        *({"epochs": 3}, {"learning_rate": 1e-2}, {"flip": "none"}, {"decay": "decoupled"}),
        *({"epsilon": 1e-7}, {"warm_up": 5}),
    ],
    ids=lambda recipe: next(iter(recipe)),
)
def test_runs_in_another_setting_do_not_count(tmp_path, recipe):
    paper_sweep(**recipe).write(tmp_path)
    assert analysis.table1(analysis.load(tmp_path))["n"].sum() == 0


def test_other_shapes_and_penalties_of_polyneuron_do_not_count(tmp_path):
    sweep = SyntheticSweep("ablation")
    curve = np.linspace(9, 1.7, 30)
    sweep.add_run(configuration(activation="polyneuron", options={"s": 5, "k": 3}), 0, curve)
    sweep.add_run(configuration(options={"init": "random"}), 0, curve)
    sweep.add_run(configuration(options={"slope": 2}), 0, curve)
    sweep.add_run(configuration(lambda_prod=0.1), 0, curve)
    sweep.add_run(configuration(lambda_sum=0.0), 0, curve)
    sweep.add_run(configuration(scope="channel"), 0, curve)
    sweep.add_run(configuration(), 0, curve)
    sweep.write(tmp_path)
    frame = analysis.table1(analysis.load(tmp_path))
    assert row(frame, "polyneuron")["n"] == 0
    assert row(frame, "polyneuron_r")["n"] == 1
    assert row(analysis.table1(analysis.load(tmp_path), scope="channel"), "polyneuron_r")["n"] == 1


@pytest.mark.parametrize(
    "kind", [{"purpose": "exploratory"}, {"early_stopping": "asha"}], ids=["search", "stopping"]
)
def test_a_search_says_nothing_about_table_1(tmp_path, kind):
    sweep = SyntheticSweep("search", **kind)
    sweep.add_run(configuration(), 0, np.linspace(9, 1.7, 30))
    sweep.write(tmp_path)
    assert analysis.table1(analysis.load(tmp_path))["n"].sum() == 0


def test_options_that_are_the_defaults_may_be_left_out(tmp_path):
    sweep = SyntheticSweep("table1")
    curve = np.linspace(9, 1.7, 30)
    full = {"s": 3, "k": 3, "init": "relu_like", "half_range": 1.0}
    for seed, options in enumerate(({}, {"k": 3}, full)):
        sweep.add_run(configuration(options=options), seed, curve)
    sweep.write(tmp_path)
    assert row(analysis.table1(analysis.load(tmp_path)), "polyneuron_r")["n"] == 3


def test_failures_are_counted_beside_the_mean(tmp_path):
    sweep = paper_sweep()
    for seed, status in enumerate(("diverged", "error", "interrupted"), 5):
        config = configuration(activation="relu")
        sweep.add_run(config, seed, np.array([90.0]), status=status)
    sweep.write(tmp_path)
    relu = row(analysis.table1(analysis.load(tmp_path)), "relu")
    counts = ["n", "n_diverged", "n_missing", "n_censored"]
    assert relu[counts].tolist() == [5, 1, 1, 1]
