"""Runs of several codes or data sets are shown apart, and a verdict asks for a choice."""

import numpy as np
import pytest
from planted_errors import FIVE
from synthetic_store import SyntheticSweep, configuration
from worlds import MemoryResults

import analysis
from analysis.paper.evidence import Evidence
from analysis.paper.verdicts import judge
from analysis.store.errors import StoreError

BEST = "relaxed_best_on_lenet5"
CODES, DATA = ("0.1.0+aaaa", "0.1.0+bbbb"), ("d" * 64, "e" * 64)


def two(column: str | None, values=(None, None)) -> MemoryResults:
    """Two sweeps of five other seeds each, of which the second errs two points more."""
    rng = np.random.default_rng(0)
    sweeps = [SyntheticSweep(name, seeds=5) for name in ("first", "second")]
    for number, sweep in enumerate(sweeps):
        for activation in FIVE:
            for seed in range(5):
                end = 2 + 2 * number - 0.5 * (activation == "polyneuron_r") + rng.normal(0, 0.05)
                config = configuration(activation=activation)
                sweep.add_run(config, 10 * number + seed, np.array([end]), history=False)
        for row in sweep.rows["runs"]:
            row |= {"code_version": CODES[0], "data_sha256": DATA[0]}
            row |= {column: values[number]} if column else {}
    return MemoryResults(sweeps)


def verdict(results):
    return next(one for one in judge(results) if one.claim.id == BEST)


@pytest.mark.parametrize(
    ("column", "values", "option"),
    [("code_version", CODES, "--code"), ("data_sha256", DATA, "--data")],
)
def test_each_origin_has_a_row_and_the_verdict_asks_for_a_choice(column, values, option):
    results = two(column, values)
    frame = analysis.table1(results)
    rows = frame[(frame["benchmark"] == "lenet5/mnist") & (frame["activation"] == "relu")]
    assert rows["n"].tolist() == [5, 5]
    assert rows["sd"].max() < 0.1
    assert rows[column].tolist() == list(values)
    found = verdict(results)
    assert found.word == "not decided"
    assert option in found.reason
    assert all(value[:12] in found.reason for value in values)
    for value in values:
        chosen = results.where(**{column: value})
        assert verdict(chosen).word == "supported"
        assert (chosen.runs[column] == value).all()
        assert set(chosen.sweeps["sweep"]) == set(chosen.runs["sweep"])
    whole = analysis.table1(two(None))
    assert whole.loc[whole["activation"] == "relu", "n"].max() == 10


def test_a_run_that_has_not_read_its_data_is_no_origin_of_its_own():
    results = two(None)
    for row, status in zip(results._rows["runs"], ("error", "running"), strict=False):
        row |= {"status": status, "data_sha256": "" if status == "error" else None}
    assert Evidence(results).runs["origin"].nunique() == 1
    assert verdict(results).reason.startswith("LeNet-5 on MNIST")
    assert "origins" not in verdict(results).reason


def test_a_run_of_an_unrecorded_code_is_an_origin_of_its_own():
    assert "not recorded" in verdict(two("code_version", (CODES[0], None))).reason


def test_a_choice_that_no_run_has_is_refused():
    with pytest.raises(StoreError, match=r"did you mean '0\.1\.0\+aaaa'"):
        two(None).where(code_version="0.1.0+aaab")


def test_a_choice_holds_for_every_table_and_changes_nothing_of_the_whole(tmp_path):
    first, second = (SyntheticSweep(name) for name in ("first", "second"))
    for sweep, code in ((first, CODES[0]), (second, CODES[1])):
        run = sweep.add_run(configuration(), 0, np.linspace(9, 2, 30))
        sweep.add_functions(run, [0, 30], ["act1"])
        sweep.add_trials([])
        sweep.rows["runs"][0]["code_version"] = code
        sweep.write(tmp_path)
    whole = analysis.load(tmp_path)
    chosen = whole.where(code_version=CODES[1])
    for name in ("sweeps", "trials", "runs", "epochs", "snapshots", "functions"):
        assert set(chosen.table(name)["sweep"]) == {"second"}, name
        assert set(whole.table(name)["sweep"]) == {"first", "second"}, name
    assert chosen.names == ("second",)
    assert list(chosen.table("epochs", ["val_loss"]).columns) == [
        *("sweep", "run_id", "epoch", "val_loss")
    ]
