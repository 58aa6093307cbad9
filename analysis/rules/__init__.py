"""Rules by name: each turns a claim, the evidence and a benchmark into decided comparisons.

A conclusion that one cell is better than another also has to hold with diverged runs ranked
worst. A part supports at 5 %, one-sided; what speaks against it has a p value of its own.
"""

from collections.abc import Callable, Mapping

from analysis.claims import Claim
from analysis.evidence import Evidence
from analysis.rules.even_order import even_order
from analysis.rules.gain import better, no_gain, slower, somewhere
from analysis.rules.measures import above, below, pulled, tails
from analysis.rules.part import ALPHA, Missing, Outcome, Part
from analysis.rules.scatter import scatter
from analysis.rules.stable_start import stable_start

RULES: Mapping[str, Callable[[Claim, Evidence, str], list[Outcome]]] = {
    "better": better,
    "no_gain": no_gain,
    "somewhere": somewhere,
    "slower": slower,
    "even_order": even_order,
    "below": below,
    "above": above,
    "tails": tails,
    "pulled": pulled,
    "scatter": scatter,
    "stable_start": stable_start,
}

__all__ = ["ALPHA", "RULES", "Missing", "Outcome", "Part"]
