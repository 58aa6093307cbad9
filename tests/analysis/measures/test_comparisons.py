import math

import numpy as np
import pytest
from scipy import stats
from synthetic_store import SyntheticSweep, configuration

import analysis


def grid(tmp_path, effect, *, s_levels=(3, 5), k_levels=(2, 3), seeds=5, failures=()):
    """Write a grid over s and k whose final errors are effect(s, k) plus noise of 0.1."""
    sweep = SyntheticSweep("ablation_sk")
    rng = np.random.default_rng(0)
    for s in s_levels:
        for k in k_levels:
            config = configuration(activation="polyneuron", options={"s": s, "k": k})
            for seed in range(seeds):
                end = effect(s, k) + rng.normal(0, 0.1)
                status = "diverged" if (s, k, seed) in failures else "completed"
                sweep.add_run(config, seed, np.linspace(9, end, 30), status=status)
    sweep.write(tmp_path)
    return analysis.load(tmp_path)


def final(results, **where):
    runs = results.runs[results.runs["status"] == "completed"]
    for column, value in where.items():
        runs = runs[runs[column] == value]
    return runs["last_val_error_percent"].to_numpy()


def test_two_cells_are_compared_as_by_students_test(tmp_path):
    results = grid(tmp_path, lambda s, k: 2 + (k == 2), s_levels=(3,))
    (row,) = analysis.compare(results, by="k", baseline=3).to_dict("records")
    theirs = stats.ttest_ind(final(results, k=2), final(results, k=3))
    interval = theirs.confidence_interval()
    assert (row["level"], row["reference"], row["n"], row["reference_n"]) == (2, 3, 5, 5)
    np.testing.assert_allclose(
        [row["difference"], row["low"], row["high"], row["p"]],
        [final(results, k=2).mean() - final(results, k=3).mean(), *interval, theirs.pvalue],
    )
    assert row["p_better"] == 0.0


def test_other_parameters_are_held_equal(tmp_path):
    """s adds 50 points: it must not blur a difference of 0.5 in k."""
    results = grid(tmp_path, lambda s, k: 2 + 0.5 * (k == 2) + 50 * (s == 5))
    (row,) = analysis.compare(results, by="k", baseline=3).to_dict("records")
    expected = np.mean(
        [final(results, s=s, k=2).mean() - final(results, s=s, k=3).mean() for s in (3, 5)]
    )
    np.testing.assert_allclose(row["difference"], expected)
    assert row["blocks"] == 2
    assert row["high"] - row["low"] < 0.3
    (blurred,) = analysis.compare(results, by="k", baseline=3, within=()).to_dict("records")
    assert blurred["high"] - blurred["low"] > 30


def test_every_pair_is_compared_without_a_baseline(tmp_path):
    results = grid(tmp_path, lambda s, k: 2, k_levels=(1, 2, 3))
    table = analysis.compare(results, by="k")
    assert list(zip(table["level"], table["reference"], strict=True)) == [(2, 1), (3, 1), (3, 2)]
    assert (table["p_holm"] >= table["p"]).all()


def test_benchmarks_and_budgets_are_not_mixed(tmp_path):
    for name, benchmark in (("a", "lenet5/mnist"), ("b", "resnet20/cifar10")):
        sweep = SyntheticSweep(name, benchmark=benchmark)
        for activation in ("relu", "swish"):
            for seed in range(3):
                config = configuration(benchmark, activation, epochs=30)
                end = (2 if name == "a" else 9) + 0.1 * seed
                sweep.add_run(config, seed, np.linspace(90, end, 30))
        sweep.write(tmp_path)
    table = analysis.compare(analysis.load(tmp_path), by="activation", baseline="relu")
    assert table["benchmark"].tolist() == ["lenet5/mnist", "resnet20/cifar10"]
    np.testing.assert_allclose(table["difference"], 0, atol=1e-12)


def test_diverged_runs_are_counted_and_rank_worst(tmp_path):
    results = grid(tmp_path, lambda s, k: 2, s_levels=(3,), failures={(3, 2, 0), (3, 2, 1)})
    (row,) = analysis.compare(results, by="k", baseline=3).to_dict("records")
    assert (row["n"], row["n_diverged"], row["reference_n_diverged"]) == (3, 2, 0)
    ranked = np.append(final(results, k=2), [math.inf, math.inf])
    expected = np.mean(ranked[:, None] < final(results, k=3)[None, :])
    assert row["p_better"] == pytest.approx(expected)


def test_one_seed_gives_differences_without_intervals(tmp_path):
    results = grid(tmp_path, lambda s, k: 2 + (k == 2), s_levels=(3,), seeds=1)
    (row,) = analysis.compare(results, by="k", baseline=3, margin=0.1).to_dict("records")
    np.testing.assert_allclose(
        row["difference"], final(results, k=2).item() - final(results, k=3).item()
    )
    assert all(math.isnan(row[name]) for name in ("low", "high", "p", "p_holm"))
    assert not row["within_margin"]
    assert analysis.surface(results)["low"].isna().all()


def test_a_margin_asks_for_equivalence(tmp_path):
    results = grid(tmp_path, lambda s, k: 2)
    wide = analysis.compare(results, by="k", baseline=3, margin=0.5)
    narrow = analysis.compare(results, by="k", baseline=3, margin=0.001)
    assert wide["within_margin"].tolist() == [True]
    assert narrow["within_margin"].tolist() == [False]


def test_rows_of_values_can_be_compared(tmp_path):
    results = grid(tmp_path, lambda s, k: 2 + s)
    frame = analysis.values(results)
    table = analysis.compare(frame[frame["s"] == 3], by="k")
    assert table["blocks"].tolist() == [1]


def test_a_search_has_no_two_equal_blocks(tmp_path):
    sweep = SyntheticSweep("search", purpose="exploratory")
    for trial in range(4):
        options = {"s": 3, "k": 2 + trial % 2}
        config = configuration(options=options, learning_rate=10.0 ** -(trial + 2))
        sweep.add_run(config, 0, np.linspace(9, 2, 30))
    sweep.write(tmp_path)
    results = analysis.load(tmp_path)
    with pytest.raises(ValueError, match=r"no two levels of k agree in learning_rate.*within=\(\)"):
        analysis.compare(results, by="k")
    assert len(analysis.compare(results, by="k", within=())) == 1


def test_bad_requests_are_one_line(tmp_path):
    results = grid(tmp_path, lambda s, k: 2)
    with pytest.raises(ValueError, match="did you mean 'activation'"):
        analysis.compare(results, by="activatoin")
    with pytest.raises(ValueError, match="no runs with k = 7: there is 2, 3"):
        analysis.compare(results, by="k", baseline=7)
    with pytest.raises(ValueError, match="scope has 1 level"):
        analysis.compare(results, by="scope")
    frame = analysis.values(results)
    with pytest.raises(ValueError, match="s has 0 level"):
        analysis.compare(frame[frame["s"] == 99], by="s")
    with pytest.raises(ValueError, match="no run has both s and lambda_sum"):
        analysis.surface(results, y="lambda_sum")


def test_a_surface_has_a_mean_an_interval_and_counts_a_cell(tmp_path):
    failures = {(5, 2, 0), (5, 2, 1), (5, 2, 2), (5, 2, 3), (5, 2, 4)}
    results = grid(tmp_path, lambda s, k: s + k / 10, failures=failures)
    table = analysis.surface(results).set_index(["s", "k"])
    assert len(table) == 4
    np.testing.assert_allclose(table.loc[(3, 3), "mean"], final(results, s=3, k=3).mean())
    assert table.loc[(5, 2), ["n", "n_diverged"]].tolist() == [0, 5]
    assert math.isnan(table.loc[(5, 2), "mean"]), "the cell stays, without a mean"
    halves = table["high"] - table["mean"]
    np.testing.assert_allclose(halves[table["n"] == 5], halves.max())
    assert (table["configurations"] == 1).all()
