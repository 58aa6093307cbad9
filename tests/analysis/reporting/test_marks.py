import pytest

from analysis.measures.trials import MOST_URGENT_FIRST
from analysis.measures.values import OUTCOMES
from analysis.paper.words import Word
from analysis.printed import MISSING
from analysis.reporting.marks import STATUS_MARKS, VERDICT_MARKS, yes_or_no
from analysis.reporting.rendering import latex
from analysis.store.statuses import Status


def test_every_status_has_an_outcome_an_urgency_and_a_mark():
    assert set(OUTCOMES) == set(MOST_URGENT_FIRST) == set(STATUS_MARKS) == set(Status)
    assert set(VERDICT_MARKS) == set(Word)


@pytest.mark.parametrize(
    "text",
    [*STATUS_MARKS.values(), *VERDICT_MARKS.values(), yes_or_no(True), yes_or_no(False), MISSING],
)
def test_every_sign_has_its_latex(text):
    assert latex(text).isascii()
