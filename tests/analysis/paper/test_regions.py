"""The regions in which a claim is supported and contradicted have nothing in common."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Arm
from analysis.paper.rules import RULES, Comparison
from analysis.paper.sentences import reason_of
from analysis.paper.words import Word
from analysis.printed import ACTIVATIONS
from analysis.statistics.intervals import contrast

CLAIMS = {claim.id: claim for claim in paper().claims}
SPREAD = np.array([-1.0, -0.6, -0.1, 0.2, 0.5, 1.1])

STARTS = [("polyneuron", init, 3) for init in ("random", "relu_like")]

CELLS = {
    "printed_error_relu_on_lenet5": [("relu",), ("apl",)],
    "relaxed_beats_polyneuron_on_lenet5": [("polyneuron",), ("polyneuron_r",)],
    "improved_or_comparable_polyneuron_on_lenet5": [(name,) for name in ACTIVATIONS],
    "no_gain_above_k3": [("polyneuron", k, 3) for k in (3, 4, 5)],
    "three_points_of_order_three": [(3, 1), (3, 2), (3, 3), (3, 4), (3, 5), (5, 3)],
    "lambda_prod_hinders": [("polyneuron_r", x) for x in (0.0, 1e-3, 1e-2, 1e-1)],
    "lambda_prod_pulls_to_zero": [(x,) for x in (0.0, 1e-3, 1e-2, 1e-1)],
    "more_points_are_slower": [("polyneuron", s) for s in (3, 5)],
    "relaxed_computes_less": [("polyneuron",), ("polyneuron_r",)],
    "even_order_hurts_on_lenet5": [(k, 3) for k in (1, 2, 3, 4, 5)],
    "error_rises_faster_with_rate_polyneuron_r": [
        (name, rate)
        for name in ("relu", "swish", "polyneuron", "polyneuron_r", "apl")
        for rate in (3e-4, 1e-3, 3e-3, 1e-2)
    ],
    "no_penalty_inconsistent": [(a, b) for a in (0.0, 1e-2) for b in (0.0, 1e-2)],
    "places_stay_without_lambda_prod": [("polyneuron_r",)],
    "most_change_is_early": [("polyneuron",), ("polyneuron_r",)],
    "tails_of_polyneuron_are_linear": [("polyneuron",)],
    "tails_of_relaxed_bend": [("polyneuron_r",)],
    "random_start_is_unstable_polyneuron": STARTS,
    "relu_like_start_is_stable_polyneuron": STARTS,
}
"""The cells of one claim for each rule, and of two where the margin is of another kind."""


@dataclass
class Drawn:
    """Stands for the evidence: the arms of a claim, as they were drawn."""

    drawn: dict

    def arms(self, claim, benchmark, columns, metric="val_error_percent", at=None):
        return self.drawn

    def machines(self, claim, benchmark):
        return {"cpu of a host"}

    def loaded(self, claim, benchmark):
        return 0


# around every margin there is (0 to 1.5, Table 1, and logarithms), at every certainty
means = st.floats(-0.5, 2.3) | st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.9, math.log(0.9), 1.5])
scales = st.sampled_from([1e-6, 1e-3, 0.02, 0.06, 0.1, 0.5, 2.0])


@st.composite
def arms_of(draw, keys) -> dict:
    found, runs = {}, 30
    scale = draw(scales)  # mostly one for all, so that intervals are as narrow as gaps are small
    for key in keys:
        failed = draw(st.sampled_from([0, 0, 0, 3, 15]))  # few counts, as exact tests are slow
        own = draw(st.sampled_from([scale, scale, scale * 1.25, scale * 1.4, scale * 3]))
        sample = draw(means) + own * np.resize(SPREAD, runs - failed)
        found[key] = Arm(sample, diverged=failed, name=str(key[0]))
    return found


def refutes(one: Comparison) -> bool:
    return one.against_p < one.level


def test_every_rule_is_drawn():
    assert {CLAIMS[claim].rule for claim in CELLS} == set(RULES)


@pytest.mark.parametrize("claim", CELLS)
@settings(deadline=None, derandomize=True, max_examples=50)
@given(data=st.data())
def test_no_data_support_and_contradict_a_comparison(claim, data):
    chosen: Claim = CLAIMS[claim]
    found = RULES[chosen.rule](chosen, Drawn(data.draw(arms_of(CELLS[claim]))), "lenet5/mnist")
    compared = [one for one in found if isinstance(one, Comparison)]
    assume(compared)
    for one in compared:
        assert not (one.supports and refutes(one)), one
        assert not (one.support_p < one.level and refutes(one)), one


@pytest.mark.parametrize(
    ("gain", "runs", "expected"),
    [
        (0.0, 3000, (True, False)),
        (0.05, 3000, (True, False)),
        (0.07, 40, (False, False)),
        (0.15, 40, (False, False)),
        (0.15, 3000, (False, True)),
    ],
)
def test_a_gain_below_the_margin_never_refutes_that_there_is_none(gain, runs, expected):
    """0.10 is the margin. A gain of 0.07 was "contradicted" at 40 runs and "supported" at 320."""
    claim = CLAIMS["no_gain_above_k3"]
    spread = 0.3 * np.resize(SPREAD, runs)
    arms = {("polyneuron", k, 3): Arm(5 - gain * (k > 3) + spread) for k in (3, 4, 5)}
    for one in RULES["no_gain"](claim, Drawn(arms), "lenet5/mnist"):
        assert (one.supports, refutes(one)) == expected
        assert ("too small to matter" in one.note) == (gain == 0.05)


def test_an_interval_of_correlations_ends_at_one():
    """Student's interval of ten correlations, nine of them near 1, would go beyond."""
    claim = CLAIMS["closer_points_are_more_sensitive"]
    arms = {("polyneuron_r",): Arm(np.array([0.99] * 9 + [0.8]), looks=((0, 10),), max_seeds=10)}
    (found,) = RULES[claim.rule](claim, Drawn(arms), "lenet5/mnist")
    assert contrast([arms[("polyneuron_r",)].sample], [1]).interval().high > 1.0
    assert found.interval.high == 1.0
    assert -1.0 < found.interval.low < found.interval.estimate


@pytest.mark.parametrize(
    ("level", "said"), [(0.05, ""), (0.0498, "4.98 %"), (0.049, "4.9 %"), (0.00305, "0.3")]
)
def test_the_level_of_a_look_is_said_where_it_is_another_than_the_planned_one(level, said):
    chosen = CLAIMS["relaxed_beats_polyneuron_on_lenet5"]
    arms = {key: Arm(SPREAD) for key in CELLS[chosen.id]}
    (one,) = RULES[chosen.rule](chosen, Drawn(arms), "lenet5/mnist")
    text = reason_of(Word.NOT_DECIDED, "", replace(one, level=level), [])
    assert ("the level of this look" in text) == bool(said)
    assert f"judged at {said}" in text if said else True
