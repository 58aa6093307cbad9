"""From the paper's claims and a store to verdicts, in plain words.

Supported, contradicted, inconclusive, or not tested: only confirmatory sweeps decide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from analysis.measures.run_sets import runs_sha256
from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Evidence
from analysis.paper.rules import RULES, Missing, Part
from analysis.printed import BENCHMARKS, number
from analysis.statistics.intervals import holm
from analysis.store.results import Results

Word = Literal["supported", "contradicted", "inconclusive", "not tested"]


@dataclass(frozen=True)
class Verdict:
    """A claim, what became of it, and the comparisons behind."""

    claim: Claim
    word: Word
    reason: str
    parts: tuple[Part, ...] = ()
    deciding: Part | None = None
    """The comparison on which the word hangs: the weakest of those that all must hold."""

    @property
    def run_ids(self) -> tuple[str, ...]:
        """All runs behind it."""
        return tuple(sorted({run_id for part in self.parts for run_id in part.run_ids}))


def verdicts(results: Results) -> pd.DataFrame:
    """Return one row a claim of the paper.

    Returns:
        `claim`, `quote`, `estimand`, `verdict`, `reason`; of the deciding comparison its name,
        benchmark, unit, `estimate` with the 95 % interval `low` to `high`, `threshold`, `level`
        of the tests, runs of both sides (`n`, `n_reference`), `n_diverged`, `n_censored`,
        `seeds_needed` a cell and `detectable` gap for 80 % power; `p_against`, the smallest of
        all comparisons' p values against the claim after Holm; `runs_sha256` of all run ids
        behind the verdict and `claims_sha256` of the claims' file.
    """
    return pd.DataFrame([_row(verdict) for verdict in judge(results)])


def judge(results: Results) -> list[Verdict]:
    """Return the verdict on every claim, in the order of the claims' file."""
    evidence = Evidence(results)
    return [judge_claim(claim, evidence) for claim in paper().claims]


def judge_claim(claim: Claim, evidence: Evidence) -> Verdict:
    """Return the verdict on one claim."""
    if claim.rule == "untested":
        return Verdict(claim, "not tested", f"{claim.why[0].upper()}{claim.why[1:]}.")
    rule = RULES[claim.rule]
    names = claim.benchmarks or [name for name in BENCHMARKS if evidence.tests(claim, name)]
    found = {name: rule(claim, evidence, name) for name in names}
    outcomes = [outcome for some in found.values() for outcome in some]
    parts = [outcome for outcome in outcomes if isinstance(outcome, Part)]
    missing = [outcome for outcome in outcomes if isinstance(outcome, Missing)]
    missing += [
        Missing("", name, "no runs that may speak on it")
        for name in claim.benchmarks
        if not found[name]
    ]
    if claim.rule == "somewhere":
        return _any_part(claim, parts, missing)
    return _all_parts(claim, parts, missing)


def _all_parts(claim: Claim, parts: Sequence[Part], missing: Sequence[Missing]) -> Verdict:
    """Judge a claim that every part has to bear out and any one can refute."""
    against = holm([part.against_p for part in parts])
    refuted = [part for part, p in zip(parts, against, strict=True) if p < part.level]
    if refuted:
        worst = min(refuted, key=lambda part: part.against_p)
        return Verdict(claim, "contradicted", _sentence(worst), tuple(parts), worst)
    if missing or not parts:
        return _not_tested(claim, parts, missing)
    weakest = min(parts, key=_clearance)
    if all(part.supports for part in parts):
        return Verdict(claim, "supported", _sentence(weakest), tuple(parts), weakest)
    open_parts = [part for part in parts if not part.supports]
    weakest = min(open_parts, key=_clearance)
    reason = _open_sentence(weakest)
    if len(open_parts) > 1:
        names = "; ".join(part.name for part in open_parts if part is not weakest)
        reason += f" Open too, of {len(parts)} comparisons: {names}."
    return Verdict(claim, "inconclusive", reason, tuple(parts), weakest)


def _any_part(claim: Claim, parts: Sequence[Part], missing: Sequence[Missing]) -> Verdict:
    """Judge a claim that one part is enough for."""
    adjusted = holm([part.support_p for part in parts])
    shown = [part for part, p in zip(parts, adjusted, strict=True) if p < part.level]
    if shown:
        clearest = min(shown, key=lambda part: part.support_p)
        return Verdict(claim, "supported", _sentence(clearest), tuple(parts), clearest)
    if missing or not parts:
        return _not_tested(claim, parts, missing)
    clearest = max(parts, key=_clearance)
    if all(part.against_p < part.level for part in parts):
        return Verdict(claim, "contradicted", _sentence(clearest), tuple(parts), clearest)
    return Verdict(claim, "inconclusive", _open_sentence(clearest), tuple(parts), clearest)


def _not_tested(claim: Claim, parts: Sequence[Part], missing: Sequence[Missing]) -> Verdict:
    if not parts and all(not m.name for m in missing):
        needed = " and ".join(claim.sweeps) if claim.benchmarks else " or ".join(claim.sweeps)
        return Verdict(claim, "not tested", f"Needs {needed}.")
    first = missing[0]
    where = BENCHMARKS[first.benchmark]
    lacks = f"{first.name}: {first.reason}" if first.name else first.reason
    return Verdict(claim, "not tested", f"{where}: {lacks}.", tuple(parts))


def _clearance(part: Part) -> float:
    """Return by how many half-widths the estimate clears its threshold; least is weakest."""
    interval = part.interval
    half = (interval.high - interval.low) / 2
    if not half > 0:
        return math.inf if part.supports else -math.inf
    away = abs(interval.estimate - part.threshold) / half
    return away if part.supports else -away


def _sentence(part: Part) -> str:
    """Say what a comparison found: name, estimate, interval, runs."""
    return _found(part) + (f" {part.note[0].upper()}{part.note[1:]}." if part.note else "")


def _open_sentence(part: Part) -> str:
    """Say what a comparison that decides nothing still rules out, and what would decide it."""
    text = _sentence(part)
    low, high = part.interval.low, part.interval.high
    if part.unit != "points" or not math.isfinite(low):
        return text
    if low < 0 < high:
        beyond = number(max(-low, high))
        text += f" Gaps beyond {beyond} points are ruled out; the direction is not known."
    if part.seeds_needed is None or part.question is None:
        return text
    test, gap = part.question
    found = (
        "That there is none, if so, shows"
        if test == "no_gain"
        else f"A true gap of {number(gap)} points shows"
    )
    return f"{text} {found} in four of five cases with about {part.seeds_needed:,} runs a cell."


def _found(part: Part) -> str:
    unit = {"points": " points", "ratio": " times", "rate": ""}.get(part.unit, "")
    runs = f"{part.runs[0]} against {part.runs[1]} runs" if part.runs[1] else f"{part.runs[0]} runs"
    if any(part.diverged) and "diverged" not in part.note:
        sides = part.diverged if part.runs[1] else part.diverged[:1]
        runs += f", {' and '.join(map(str, sides))} diverged"
    digits = 3 if part.unit == "" else 2
    estimate = number(part.interval.estimate, digits)
    text = f"{BENCHMARKS[part.benchmark]}, {part.name}: {estimate}{unit}"
    if math.isfinite(part.interval.low):
        low, high = (number(x, digits) for x in (part.interval.low, part.interval.high))
        text += f" (95 % interval {low} to {high}, {runs})"
    else:
        text += f" ({runs})"
    if part.level < paper().level["planned"]:
        text += f", judged at {100 * part.level:g} % since seeds were added after a look"
    return text + "."


def _p_against(verdict: Verdict) -> float:
    return min(holm([part.against_p for part in verdict.parts]), default=math.nan)


def _row(verdict: Verdict) -> dict[str, object]:
    part = verdict.deciding
    ids = verdict.run_ids
    row: dict[str, object] = {
        "claim": verdict.claim.id,
        "quote": verdict.claim.quote,
        "estimand": verdict.claim.estimand,
        "verdict": verdict.word,
        "reason": verdict.reason,
        "comparison": part.name if part else None,
        "benchmark": part.benchmark if part else None,
        "unit": part.unit if part else None,
        "estimate": part.interval.estimate if part else math.nan,
        "low": part.interval.low if part else math.nan,
        "high": part.interval.high if part else math.nan,
        "threshold": part.threshold if part else math.nan,
        "level": part.level if part else math.nan,
        "p_against": _p_against(verdict),
        "n": part.runs[0] if part else pd.NA,
        "n_reference": part.runs[1] if part else pd.NA,
        "n_diverged": sum(part.diverged) if part else pd.NA,
        "n_censored": part.censored if part else pd.NA,
        "seeds_needed": part.seeds_needed if part and part.seeds_needed else pd.NA,
        "detectable": part.detectable if part else math.nan,
        "sweeps": ", ".join(verdict.claim.sweeps),
        "runs_sha256": runs_sha256(ids) if ids else None,
        "claims_sha256": paper().sha256,
    }
    return row
