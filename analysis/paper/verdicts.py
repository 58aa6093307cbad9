"""The verdict on each claim of the paper, in plain words.

Only confirmatory sweeps decide; `analysis.paper.words` has the words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.measures.run_sets import runs_sha256
from analysis.paper.bounds import AtLevel, Filled, fills, runs_without_value
from analysis.paper.chances import chance
from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Evidence
from analysis.paper.ledger import NO_RUNS, Ledger
from analysis.paper.rules import Comparison, Missing, rule_of
from analysis.paper.sentences import reason_of
from analysis.paper.words import Word
from analysis.printed import benchmark_name, count
from analysis.statistics.intervals import holm
from analysis.statistics.many_tests import smallest_level, surviving
from analysis.store.results import Results

DECIDED = (Word.SUPPORTED, Word.CONTRADICTED)


@dataclass(frozen=True)
class Verdict:
    """A claim, its verdict and the comparisons behind it."""

    claim: Claim
    word: Word
    reason: str
    comparisons: tuple[Comparison, ...] = ()
    deciding: Comparison | None = None
    """The comparison on which the verdict hangs: the weakest of those that all must hold."""
    ledger: Ledger = NO_RUNS
    """What became of the runs that may speak on the claim."""
    look: int | None = None
    """The number of the instalment that decided the claim; None: all runs, or no decision."""
    p_value: float = math.nan
    """The smallest level of all looks together at which the verdict would still be given at its
    look; NaN without a decision, and of one that hangs on no test. Known after `judge`."""
    stands: bool = False
    """True if the verdict stands among those on all claims. Known after `judge`."""

    @property
    def testable(self) -> bool:
        """True if a test could decide: it has runs, and is not exact by construction."""
        return self.word != Word.NOT_TESTED and self.claim.rule != "straight"

    @property
    def run_ids(self) -> tuple[str, ...]:
        """All runs behind the verdict."""
        return tuple(sorted({run_id for one in self.comparisons for run_id in one.run_ids}))


def verdicts(results: Results) -> pd.DataFrame:
    """Return the verdict on every claim of the paper.

    Returns:
        One row per claim: `claim`, `quote`, `estimand`, `verdict`, `reason`; of the deciding
        comparison its name, benchmark, unit, `estimate` with `low` to `high`,
        the repeated interval of its look,
        `threshold`, `level` of the tests, runs of both sides (`n`, `n_reference`), `n_diverged`,
        `n_censored`, `seeds_needed` per cell and `detectable` gap for 80 % power; `p_against`, the
        smallest of all comparisons' p values against the claim after Holm's correction;
        `p`, the smallest level at which the verdict would still be given at its look, and whether
        it `stands` among all at a false discovery rate of 5 %; `ledger`, what became of the runs
        in words;
        `runs_sha256` of all run ids behind the verdict and `claims_sha256` of the claims' file.
    """
    return pd.DataFrame([verdict_row(verdict) for verdict in judge(results)])


def judge(results: Results) -> list[Verdict]:
    """Return the verdict on every claim, in the order of the claims' file."""
    return judge_all(paper().claims, Evidence(results))


def judge_all(claims: Iterable[Claim], evidence: Evidence) -> list[Verdict]:
    """Return the verdict on each claim, and which of them stand among all."""
    found = [judge_claim(claim, evidence) for claim in claims]
    found = [replace(_with_chance(one), p_value=p_value_of(one, evidence)) for one in found]
    tested = [one for one in found if one.testable]
    # a claim without a verdict counts among the tests, and survives none
    stand = surviving([1.0 if math.isnan(one.p_value) else one.p_value for one in tested])
    names = {one.claim.id for one, stands in zip(tested, stand, strict=True) if stands}
    return [replace(one, stands=one.claim.id in names) for one in found]


def _with_chance(verdict: Verdict) -> Verdict:
    """Return a verdict that says what would decide its claim, if it hangs on many comparisons."""
    parts = verdict.comparisons
    deviations = [one.deviation for one in parts if one.deviation > 0]
    if verdict.word != Word.NOT_DECIDED or len(parts) < 2 or not deviations:
        return verdict
    whole = chance(verdict.claim, parts, float(np.median(deviations)))
    if whole is None or whole.runs_needed is None:
        return verdict
    together = "One" if verdict.claim.rule == "somewhere" else "All"
    said = (
        f"{together} of {len(parts)} comparisons would show in 80 % of cases with about "
        f"{whole.runs_needed:,} runs a cell, if the claim is true."
    )
    return replace(verdict, reason=f"{verdict.reason} {said}")


def p_value_of(verdict: Verdict, evidence: Evidence) -> float:
    """Return the smallest level of all looks at which a decision would still be made at its look.

    A claim that needs all of its comparisons has the largest of their p values, by the same rule.
    """
    claim = verdict.claim
    if verdict.word not in DECIDED or not verdict.testable:
        return math.nan
    evidence = evidence.meant_for(claim)
    if verdict.look is not None:
        evidence = evidence.until(verdict.look)
    at_level = AtLevel(evidence)

    def given(level: float) -> bool:
        return _judged(claim, at_level.at(level)).word == verdict.word

    return smallest_level(given, paper().level["planned"])


def judge_claim(claim: Claim, evidence: Evidence) -> Verdict:
    """Return the verdict on one claim: that of the first look that decided it, else of the last.

    Seeds that are added later sharpen the estimate and change no verdict, however often one looks.
    """
    if claim.rule == "untested":
        return Verdict(claim, Word.NOT_TESTED, f"{claim.why[0].upper()}{claim.why[1:]}.")
    evidence = evidence.meant_for(claim)
    ledger = evidence.ledger(claim)
    choice = evidence.choice(claim, claim.benchmark)
    if choice:  # the verdict would be of runs that do not belong together
        reason = f"{benchmark_name(claim.benchmark)}: {choice}."
        return Verdict(claim, Word.NOT_DECIDED, reason, ledger=ledger)
    looks = evidence.looks_of(claim)
    for place, look in enumerate(looks[:-1], start=1):
        verdict = _at_look(claim, evidence.until(look))
        if verdict.word in DECIDED:
            more = f"Decided at look {place} of {len(looks)}; later runs change no verdict."
            reason = f"{_reason(verdict)} {more}"
            return replace(verdict, reason=reason, ledger=ledger, look=look)
    verdict = _at_look(claim, evidence)
    return replace(
        verdict,
        reason=_reason(verdict),
        ledger=ledger,
    )


def _at_look(claim: Claim, evidence: Evidence) -> Verdict:
    """Return the verdict on one claim, unless runs that have no value could turn it."""
    verdict = _judged(claim, evidence)
    lost = runs_without_value(verdict.comparisons)
    if not lost or verdict.word not in DECIDED:
        return verdict
    for fill in fills(claim, verdict.comparisons):
        if _judged(claim, Filled(evidence, fill)).word != verdict.word:
            without = f"{count(sum(lost.values()), 'run')} without a value could turn it"
            reason = f"Not decided: {without} ({verdict.word} without them). {_reason(verdict)}"
            return replace(verdict, word=Word.NOT_DECIDED, reason=reason)
    return verdict


def _reason(verdict: Verdict) -> str:
    # of comparisons of which one is enough, the others need not be open too
    needed = () if verdict.claim.rule == "somewhere" else verdict.comparisons
    return reason_of(verdict.word, verdict.reason, verdict.deciding, needed)


def _judged(claim: Claim, evidence: Evidence) -> Verdict:
    """Return the verdict on one claim by its rule alone, with a reason only if it is not tested.

    Of many verdicts on one claim the last is told: its reason takes longer than all decisions.
    """
    findings = rule_of(claim)(claim, evidence, claim.benchmark)
    comparisons = [finding for finding in findings if isinstance(finding, Comparison)]
    missing = [finding for finding in findings if isinstance(finding, Missing)]
    if claim.rule == "somewhere":
        return _any_holds(claim, comparisons, missing)
    return _all_hold(claim, comparisons, missing)


def _all_hold(
    claim: Claim, comparisons: Sequence[Comparison], missing: Sequence[Missing]
) -> Verdict:
    """Judge a claim that every comparison has to bear out and any one can refute."""
    found = tuple(comparisons)
    # corrected, since any one of many comparisons could refute the claim by chance
    against = holm([one.against_p for one in found])
    refuting = [one for one, p in zip(found, against, strict=True) if p < one.level]
    if refuting:
        worst = min(refuting, key=lambda one: one.against_p)
        return Verdict(claim, Word.CONTRADICTED, "", found, worst)
    if missing or not found:
        return _not_tested(claim, found, missing)
    # not corrected, since all have to hold: an intersection-union test (Berger 1982)
    undecided = [one for one in found if not one.supports]
    weakest = min(undecided or found, key=_clearance)
    if not undecided:
        return Verdict(claim, Word.SUPPORTED, "", found, weakest)
    return Verdict(claim, Word.NOT_DECIDED, "", found, weakest)


def _any_holds(
    claim: Claim, comparisons: Sequence[Comparison], missing: Sequence[Missing]
) -> Verdict:
    """Judge a claim that one comparison is enough for."""
    found = tuple(comparisons)
    adjusted = holm([one.support_p for one in found])
    shown = [one for one, p in zip(found, adjusted, strict=True) if p < one.level]
    if shown:
        clearest = min(shown, key=lambda one: one.support_p)
        return Verdict(claim, Word.SUPPORTED, "", found, clearest)
    if missing or not found:
        return _not_tested(claim, found, missing)
    clearest = max(found, key=_clearance)
    if all(one.against_p < one.level for one in found):
        return Verdict(claim, Word.CONTRADICTED, "", found, clearest)
    return Verdict(claim, Word.NOT_DECIDED, "", found, clearest)


def _not_tested(
    claim: Claim, comparisons: tuple[Comparison, ...], missing: Sequence[Missing]
) -> Verdict:
    if not missing:
        return Verdict(claim, Word.NOT_TESTED, f"Needs {' and '.join(claim.sweeps)}.")
    first = missing[0]
    lacks = f"{first.name}: {first.reason}" if first.name else first.reason
    reason = f"{benchmark_name(first.benchmark)}: {lacks}."
    return Verdict(claim, Word.NOT_TESTED, reason, comparisons)


def _clearance(one: Comparison) -> float:
    """Return the half-widths by which the estimate clears its threshold; the least is weakest."""
    interval = one.interval
    half = (interval.high - interval.low) / 2
    if not half > 0:  # decided by ranks or counts alone, or by equal runs
        return math.inf if one.supports else -math.inf
    away = abs(interval.estimate - one.threshold) / half
    return away if one.supports else -away


def verdict_row(verdict: Verdict) -> dict[str, object]:
    """Return the row of a verdict in the frame of `verdicts`."""
    one, ids = verdict.deciding, verdict.run_ids
    against = holm([comparison.against_p for comparison in verdict.comparisons])
    against = [p for p in against if not math.isnan(p)]
    return {
        "claim": verdict.claim.id,
        "quote": verdict.claim.quote,
        "estimand": verdict.claim.estimand,
        "verdict": verdict.word,
        "reason": verdict.reason,
        "comparison": one.name if one else None,
        "benchmark": one.benchmark if one else None,
        "unit": one.unit if one else None,
        "estimate": one.interval.estimate if one else math.nan,
        "low": one.interval.low if one else math.nan,
        "high": one.interval.high if one else math.nan,
        "threshold": one.threshold if one else math.nan,
        "level": one.level if one else math.nan,
        "p_against": min(against, default=math.nan),
        "p": verdict.p_value,
        "stands": verdict.stands,
        "n": one.runs[0] if one else pd.NA,
        "n_reference": one.runs[1] if one else pd.NA,
        "n_diverged": sum(one.diverged) if one else pd.NA,
        "n_censored": one.censored if one else pd.NA,
        "seeds_needed": one.seeds_needed if one and one.seeds_needed else pd.NA,
        "detectable": one.detectable if one else math.nan,
        "ledger": verdict.ledger.text,
        "sweeps": ", ".join(verdict.claim.sweeps),
        "runs_sha256": runs_sha256(ids) if ids else None,
        "claims_sha256": paper().sha256,
    }
