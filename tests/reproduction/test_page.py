"""Every number that is published is the one that the stores give."""

import re

import pytest

import analysis
from analysis import Results
from reproduction.campaign import PARTS, STORES
from reproduction.page import PAGE, README, page, planned_runs, progress, table1_lines, with_table1

ANEW = "the stores give other text: write it anew with `make reproduce-report`"


@pytest.fixture(scope="module")
def results() -> Results:
    return analysis.load(STORES)


def test_the_page_is_what_the_stores_give(results: Results) -> None:
    assert PAGE.read_text("utf-8") == page(results), ANEW


def test_the_readmes_table_is_what_the_stores_give(results: Results) -> None:
    readme = README.read_text("utf-8")
    assert readme == with_table1(readme, results), ANEW


def test_table_1_has_the_means_of_the_stores_own_rows(results: Results) -> None:
    """Recomputed from the rows of runs, by no code of the page or of `analysis.table1`."""
    runs = results.runs[results.runs["sweep"] == "table1_lenet5"]
    means = runs.groupby("activation", observed=True)["last_val_error_percent"].mean()
    printed = [re.split(r" \| ", line.strip("| "))[2] for line in table1_lines(results)[2:]]
    order = ["relu", "swish", "apl", "polyneuron", "polyneuron_r"]
    assert [text.split()[0] for text in printed] == [f"{means[name]:.2f}" for name in order]


def test_a_number_changed_by_hand_is_seen(results: Results) -> None:
    readme = README.read_text("utf-8")
    first = table1_lines(results)[2]
    changed = readme.replace(first, first.replace("2.03", "2.04"))
    assert changed != readme
    assert with_table1(changed, results) == readme
    with pytest.raises(ValueError, match="put them back"):
        with_table1("no marks", results)


def test_a_run_that_two_parts_share_is_missing_once(results: Results) -> None:
    runs = {part.sweep: planned_runs(part) for part in PARTS}
    everything = {run: epochs for own in runs.values() for run, epochs in own.items()}
    assert len(everything) < sum(map(len, runs.values())), "parts share runs"
    nothing = [one for one in progress(results) if one.done == one.planned]
    assert all(one.missing_epochs == 0 for one in nothing)
    ended = results.runs[results.runs["status"].isin(["completed", "diverged"])]
    have = set(zip(ended["config_id"], ended["seed"], strict=True))
    lacking = {run: epochs for run, epochs in everything.items() if run not in have}
    assert sum(one.missing_epochs for one in progress(results)) == sum(lacking.values())
