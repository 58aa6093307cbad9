"""The p value of a verdict is the smallest level at which it would still be given at its look."""

import dataclasses
import math

import numpy as np
import pytest
from array_worlds import ArrayEvidence, Law, drawn
from rule_worlds import SCENES
from scipy import stats

from analysis.paper.verdicts import judge_claim, p_value_of
from analysis.reporting.sections.claims import forest_section
from analysis.statistics.looks import look_levels
from analysis.store.results import Results

WIDTH = 0.011
"""Of the search for the level, relative."""


def world(claim: str, means: dict, looks: int = 1):
    laws = {"val_error_percent": {key: Law(mean) for key, mean in means.items()}}
    worlds = drawn(laws, 20, np.random.default_rng(3))
    evidence = ArrayEvidence(worlds, 20, looks)
    return worlds["val_error_percent"], evidence, judge_claim(SCENES[claim].claim, evidence)


def students_p(one, other) -> float:
    return float(stats.ttest_ind(one.value, other.value).pvalue)


PAIR = "relaxed_beats_polyneuron_on_lenet5"
BEST = "relaxed_best_on_lenet5"


def test_of_one_comparison_at_one_look_it_is_that_of_the_test():
    runs, evidence, verdict = world(PAIR, {("polyneuron_r",): 2.0, ("polyneuron",): 2.1})
    assert verdict.word == "supported"
    expected = students_p(runs["polyneuron_r",], runs["polyneuron",])
    assert 1e-6 < expected < 0.05
    assert expected <= p_value_of(verdict, evidence) <= expected * (1 + WIDTH)


def test_of_all_comparisons_it_is_the_largest():
    names = ("relu", "swish", "apl", "polyneuron")
    means = {("polyneuron_r",): 2.0, **{(n,): 2.1 + 0.02 * i for i, n in enumerate(names)}}
    runs, evidence, verdict = world(BEST, means)
    assert verdict.word == "supported"
    expected = max(students_p(runs["polyneuron_r",], runs[name,]) for name in names)
    assert expected <= p_value_of(verdict, evidence) <= expected * (1 + WIDTH)


def test_of_a_later_look_it_is_the_level_at_which_that_look_decides():
    """A decision at the second of two looks, whose own boundary is below the whole level."""
    means = {("polyneuron_r",): 2.0, ("polyneuron",): 2.09}
    runs, evidence, verdict = world(PAIR, means, looks=2)
    assert verdict.look is None
    assert verdict.word == "supported"
    at_look = students_p(runs["polyneuron_r",], runs["polyneuron",])
    found = p_value_of(verdict, evidence)
    assert look_levels((0.5, 1.0), found)[-1] >= at_look
    assert look_levels((0.5, 1.0), found * (1 - 2 * WIDTH))[-1] < at_look


def test_without_a_decision_there_is_none():
    _, evidence, verdict = world(PAIR, {("polyneuron_r",): 2.0, ("polyneuron",): 2.0})
    assert verdict.word == "not decided"
    assert math.isnan(p_value_of(verdict, evidence))


@pytest.mark.parametrize("p_values", [(0.001, 0.04), (0.001, 0.002)], ids=str)
def test_the_report_says_what_chance_would_give_and_which_stand(p_values, monkeypatch):
    _, _, verdict = world(PAIR, {("polyneuron_r",): 2.0, ("polyneuron",): 2.2})
    stands = [p < 0.01 for p in p_values]
    found = [
        dataclasses.replace(verdict, p_value=p, stands=yes)
        for p, yes in zip(p_values, stands, strict=True)
    ]
    monkeypatch.setattr("analysis.reporting.sections.claims._searches_alone", lambda results: False)
    section = forest_section(Results("nowhere", {}), found)[0]
    said = section.blocks[1].text
    assert said.startswith(
        "2 claims could be decided by a test. If there were no effect at all, 0.1"
    )
    assert f"Of 2 verdicts, {sum(stands)} stand among all" in said
    alone = "judged alone, but not among all: relaxed beats polyneuron"
    assert (alone in said) == (not all(stands))
