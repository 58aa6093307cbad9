"""Rules by name: each turns a claim, the evidence and a benchmark into decided comparisons.

A conclusion that one cell is better than another also has to hold with diverged runs ranked
worst. A comparison supports its claim, or not, at its level: 5 %, or less if seeds were added after
a look. Its evidence against the claim is a p value. No data do both: where a claim has a margin,
it is supported on one side of the margin and contradicted on the other.
"""

from collections.abc import Callable, Mapping

from analysis.paper.claims import Claim
from analysis.paper.evidence import Evidence
from analysis.paper.rules.comparison import Comparison, Finding, Missing
from analysis.paper.rules.even_order import even_order
from analysis.paper.rules.gain import best_choice, better, equivalent, no_gain, slower, somewhere
from analysis.paper.rules.learning_rate import steeper
from analysis.paper.rules.more_stable import more_stable
from analysis.paper.rules.reported import reported
from analysis.paper.rules.scatter import scatter
from analysis.paper.rules.shape import above, below, pulled, straight
from analysis.paper.rules.stable_start import stable_start, unstable_start
from analysis.paper.rules.trend import trend

RULES: Mapping[str, Callable[[Claim, Evidence, str], list[Finding]]] = {
    "reported": reported,
    "better": better,
    "no_gain": no_gain,
    "somewhere": somewhere,
    "best_choice": best_choice,
    "slower": slower,
    "steeper": steeper,
    "even_order": even_order,
    "below": below,
    "above": above,
    "straight": straight,
    "pulled": pulled,
    "scatter": scatter,
    "stable_start": stable_start,
    "unstable_start": unstable_start,
}

OF_HYPOTHESES: Mapping[str, Callable[[Claim, Evidence, str], list[Finding]]] = {
    "better": better,
    "no_gain": no_gain,
    "equivalent": equivalent,
    "trend": trend,
    "more_stable": more_stable,
}
"""Rules of hypotheses that a specification declares; the paper's claims need some others."""


def rule_of(claim: Claim) -> Callable[[Claim, Evidence, str], list[Finding]]:
    """Return the rule of a claim or of a hypothesis."""
    return RULES[claim.rule] if claim.rule in RULES else OF_HYPOTHESES[claim.rule]


__all__ = ["OF_HYPOTHESES", "RULES", "Comparison", "Finding", "Missing", "rule_of"]
