"""The claims' file and the bundled specifications agree: every claim can be decided by a sweep."""

from pathlib import Path

import pytest

from analysis.paper.claims import Claim, paper
from analysis.paper.rules import RULES
from analysis.printed import ACTIVATIONS
from sweeps.planning.power import Prospect, prospects
from sweeps.spec.reading import bundled_names, load_spec
from sweeps.spec.search_space import configure, grid

TESTED = [claim for claim in paper().claims if claim.rule in RULES]
POINTS = 0.1
"""A deviation between seeds; whether a design has what a claim takes does not hang on it."""


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Prospect]]:
    return {
        name: {one.claim: one for one in prospects(load_spec(name), POINTS)}
        for name in paper().confirmatory_sweeps
    }


@pytest.mark.parametrize("claim", TESTED, ids=[claim.id for claim in TESTED])
def test_a_claims_sweeps_have_its_levels_and_its_runs(
    claim: Claim, found: dict[str, dict[str, Prospect]]
) -> None:
    assert claim.sweeps
    for name in claim.sweeps:
        one = found[name][claim.id]
        others = [other for other in claim.sweeps if other != name]
        assert one.comparison, f"{name}: {one.lacking}"
        assert one.lacking == (f"needs {' and '.join(others)} as well" if others else "")


def test_a_design_that_lacks_a_level_or_a_run_does_not_agree() -> None:
    """The test above sees it: one seed or one level fewer leaves a claim undecidable."""
    for name, claim, setting in (
        ("ablation_sk", "no_gain_above_k3", "space.k.grid=[1, 2, 3, 4]"),
        ("ablation_lambda_sum", "lambda_sum_suitable", "seeds=9"),
        ("no_penalty_lenet5", "no_penalty_inconsistent", "seeds=19"),
        ("lr_sensitivity", "error_rises_faster_with_rate_apl", "seeds=4"),
        ("timing_lenet5", "higher_order_costs_more", "space.polyneuron.k.grid=[3, 4]"),
    ):
        one = next(p for p in prospects(load_spec(name, [setting]), POINTS) if p.claim == claim)
        assert (one.comparison, bool(one.lacking)) == ("", True), claim


def test_a_claim_is_about_the_benchmark_of_its_sweeps() -> None:
    for claim in paper().claims:
        for name in claim.sweeps:
            spec = load_spec(name)
            assert spec.benchmark == claim.benchmark, claim.id
            assert claim.rule == "untested" or spec.purpose != "exploratory", claim.id


def test_claims_on_resnet20_ask_for_a_gpu_and_no_others() -> None:
    for name in bundled_names():
        spec = load_spec(name)
        assert (spec.resources.gpus > 0) == (spec.network.name == "resnet20"), name


def test_each_value_of_table_1_is_a_claim() -> None:
    own = {(c.benchmark, c.activations) for c in paper().claims if c.rule == "reported"}
    assert own == {(b, (name,)) for b in paper().benchmarks for name in ACTIVATIONS}


def test_a_sweep_that_some_claim_does_not_name_says_in_its_file_that_none_does() -> None:
    folder = Path(__file__).parents[3] / "sweeps" / "specs"
    for name in set(bundled_names()) - set(paper().confirmatory_sweeps):
        if load_spec(name).purpose == "confirmatory":
            assert "No claim hangs on it" in (folder / f"{name}.yaml").read_text("utf-8")


def test_lambda_is_a_cross_through_the_papers_choice() -> None:
    """Runs that two sweeps share are trained once, under one root."""
    runs = {
        (configure(spec, point).config_id, seed)
        for name in ("ablation_lambda_sum", "ablation_lambda_prod", "no_penalty_lenet5")
        for spec in [load_spec(name)]
        for point in grid(spec)
        for seed in spec.seeds
    }
    assert len(runs) == 5 * 10 + 3 * 10 + 10
