"""Each rule decides wrongly in at most 5 % of worlds, whatever is true and becomes of the runs.

A fixed part of `tests/benchmarks/analysis_worlds.py`, which has 2,000 worlds a cell.
"""

import math

import pytest
from rule_worlds import NOTHING, SCENES, cases, judged, streams

from analysis.paper.claims import paper
from analysis.paper.rules import RULES

WORLDS = 12
CASES = [case for case in cases() if case.truth == SCENES[case.claim].shown]


def test_every_rule_has_a_scene():
    planted = {place.claim.rule for place in SCENES.values()}
    assert planted == {claim.rule for claim in paper().claims} & set(RULES)


@pytest.mark.parametrize("claim", SCENES)
def test_wrong_verdicts_are_as_rare_as_stated(claim):
    """Over all that may become of the runs, with three standard errors."""
    chosen = [case for case in CASES if case.claim == claim and case.kind not in NOTHING]
    wrong = sum(
        judged(case, rng).word in case.wrong
        for case in chosen
        for rng in streams(case, range(WORLDS))
    )
    worlds = WORLDS * len(chosen)
    assert wrong / worlds <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / worlds)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.kind in NOTHING], ids=lambda c: f"{c.claim}, {c.kind}"
)
def test_where_nothing_can_be_known_nothing_is_decided(case):
    assert not any(judged(case, rng).word in case.wrong for rng in streams(case, range(5)))
