"""What is true in the worlds of each rule, and which verdicts are wrong there.

A truth is named by the effect: none, between none and the margin, at the margin, beyond it. At the
margin "supported" alone is wrong. A claim that two things differ is wrong either way where they
are equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
from array_worlds import (
    CONFLICT,
    DIVERGED,
    MISSING,
    ArrayEvidence,
    Kind,
    Law,
    Rng,
    drawn,
    ended,
    equal,
    heavy,
    normal,
    processes,
    scattered,
    worst,
)

from analysis.measures.cells import Key
from analysis.paper.claims import Claim, paper
from analysis.paper.verdicts import Verdict, judge_claim
from analysis.paper.words import Word

CLAIMS = {claim.id: claim for claim in paper().claims}

YES, NO = (Word.SUPPORTED,), (Word.CONTRADICTED,)
ANY = (*YES, *NO)

ERROR, SECONDS = "val_error_percent", "log_epoch_seconds"
MARGIN = paper().margin["lenet5/mnist"]


@dataclass(frozen=True)
class Truth:
    """The laws of all arms, and the words that are wrong under them."""

    wrong: tuple[Word, ...]
    laws: Mapping[str, Mapping[Key, Law]]
    """By metric."""


@dataclass(frozen=True)
class Scene:
    """A claim in its worlds."""

    claim: Claim
    truths: Mapping[str, Truth]
    candidate: Key
    reference: Key
    """The arms whose runs are lost, diverge or scatter."""
    kinds: tuple[str, ...] = ()
    """Beside plain worlds."""
    shown: str = ""
    """The truth under which the kinds are tried, and the most looks; empty: the first."""
    seeds: int = 20
    looks: tuple[int, ...] = (1, 5, 20)


def scene(claim: str, candidate: Key, reference: Key, **parts) -> Scene:
    """Return the scene of a claim whose level is spent over all seeds of the scene."""
    made = Scene(CLAIMS[claim], candidate=candidate, reference=reference, **parts)
    made = replace(made, shown=made.shown or next(iter(made.truths)))
    few = min(made.claim.minimum_runs, 5 if made.seeds < 40 else 29)
    chosen = replace(made.claim, max_seeds=made.seeds, minimum_runs=few, minimum_candidate_runs=0)
    return replace(made, claim=chosen)


KINDS: Mapping[str, tuple[Kind | None, Kind | None]] = {
    "plain": (None, None),
    "heavy tails": (None, None),
    "both scatter": (scattered, scattered),
    "one scatters": (scattered, None),
    "candidate's worst lost": (worst(MISSING), None),
    "reference's worst lost": (None, worst(MISSING)),
    "candidate's worst in conflict": (worst(CONFLICT), None),
    "candidate's worst diverge": (worst(DIVERGED), None),
    "reference's worst diverge": (None, worst(DIVERGED)),
    "equal values": (equal, equal),
    "candidate all diverged": (ended(DIVERGED), None),
    "all diverged": (ended(DIVERGED), ended(DIVERGED)),
    "processes, 2 % shared": (None, None),
    "processes, 5 % shared": (None, None),
    "processes, 10 % shared": (None, None),
}
"""What becomes of the runs of the candidate and of the reference."""

NOTHING = ("equal values", "candidate all diverged", "all diverged")
"""Kinds in which nothing can be known, and any decision is wrong."""

NOISE = {
    "heavy tails": heavy,
    **{f"processes, {share} % shared": processes(share / 100, 0.03) for share in (2, 5, 10)},
}

LOSSES = tuple(kind for kind in KINDS if "worst" in kind)
USUAL = ("heavy tails", "both scatter", "one scatters", *LOSSES, *NOTHING)


@dataclass(frozen=True)
class Case:
    """A cell of the table: worlds of one scene, truth, kind and number of looks."""

    claim: str
    truth: str
    kind: str
    looks: int
    wrong: tuple[Word, ...] = field(default=())


def judged(case: Case, rng: Rng) -> Verdict:
    """Return the verdict in one world of a case."""
    place = SCENES[case.claim]
    acts = dict(zip((place.candidate, place.reference), KINDS[case.kind], strict=True))
    laws = place.truths[case.truth].laws
    if case.kind == "all diverged":
        acts = dict.fromkeys(next(iter(laws.values())), ended(DIVERGED))
    acts = {key: act for key, act in acts.items() if act is not None}
    worlds = drawn(laws, place.seeds, rng, NOISE.get(case.kind, normal), acts)
    return judge_claim(place.claim, ArrayEvidence(worlds, place.seeds, case.looks))


def cases() -> list[Case]:
    """Return all cells, most looks where a wrong verdict is most likely."""
    return [
        Case(name, truth, kind, looks, ANY if kind in NOTHING else found.wrong)
        for name, place in SCENES.items()
        for truth, found in place.truths.items()
        for kind in ("plain", *place.kinds)
        if kind == "plain" or truth == place.shown
        for looks in _looks(place, truth, kind)
    ]


def _looks(place: Scene, truth: str, kind: str) -> tuple[int, ...]:
    if kind == "plain" and truth == place.shown:
        return place.looks
    return place.looks[:1] if kind in NOTHING else place.looks[:2][-1:]


def seeds_spent(verdict: Verdict) -> int:
    """Return the planned runs of an arm at the look that a verdict is of; 0 without comparisons."""
    arms = [arm for one in verdict.comparisons for arm in one.candidate]
    return arms[0].looks[-1][1] if arms else 0


def _laws(means: Mapping[Key, float], deviation: float = 0.1, metric: str = ERROR):
    return {metric: {key: Law(mean, deviation) for key, mean in means.items()}}


def _gaps(keys, own: Key, gaps: Mapping[Key, float], metric: str = ERROR, deviation: float = 0.1):
    """Return laws in which each arm errs by its gap more than `own`, which errs 2 %."""
    return _laws({own: 2.0, **{key: 2.0 + gaps.get(key, 0.0) for key in keys}}, deviation, metric)


def _better_pair() -> Scene:
    own, other = ("polyneuron_r",), ("polyneuron",)
    gaps = {"none": 0.0, "gain of 0.05": 0.05, "gain of 0.10": 0.1, "gain of 0.20": 0.2}
    truths = {
        name: Truth(NO if gap else ANY, _gaps([other], own, {other: gap}))
        for name, gap in gaps.items()
    }
    truths["loss of 0.05"] = Truth(YES, _gaps([other], own, {other: -0.05}))
    claim = "relaxed_beats_polyneuron_on_lenet5"
    return scene(claim, own, other, truths=truths, kinds=USUAL, shown="none", looks=(1, 5, 2, 20))


def _best_of_five() -> Scene:
    own, others = ("polyneuron_r",), [(n,) for n in ("relu", "swish", "apl", "polyneuron")]
    clear = dict.fromkeys(others, 0.5)
    truths = {
        "none": Truth(ANY, _gaps(others, own, {})),
        "one rival equal": Truth(YES, _gaps(others, own, clear | {("apl",): 0.0})),
        "best by 0.10": Truth(NO, _gaps(others, own, dict.fromkeys(others, 0.1))),
    }
    claim = "relaxed_best_on_lenet5"
    return scene(claim, own, ("apl",), truths=truths, kinds=USUAL[:-3], shown="one rival equal")


def _no_gain(claim: str, keys, own: Key, others, focus: Key, **parts) -> Scene:
    """No gain of any other arm over `own`: others err by their gain less."""
    margin = dict.fromkeys(others, -MARGIN)
    clear = dict.fromkeys(others, 0.4)
    truths = {
        "none": Truth(NO, _gaps(keys, own, {})),
        "half a margin": Truth(NO, _gaps(keys, own, dict.fromkeys(others, -MARGIN / 2))),
        "one at the margin": Truth(YES, _gaps(keys, own, clear | _same_level(focus, others))),
        "all at the margin": Truth(YES, _gaps(keys, own, margin)),
        "two margins": Truth(YES, _gaps(keys, own, dict.fromkeys(others, -2 * MARGIN))),
    }
    return scene(claim, focus, own, truths=truths, **parts)


def _same_level(focus: Key, others) -> dict[Key, float]:
    """Return the gaps of the focus, and of the other blocks of its level, at the margin."""
    return {key: -MARGIN for key in others if key[:2] == focus[:2]}


def _improved() -> Scene:
    own, others = ("polyneuron",), [("relu",), ("swish",), ("apl",)]
    claim = "improved_or_comparable_polyneuron_on_lenet5"
    return _no_gain(claim, others, own, others, ("apl",), kinds=USUAL, shown="one at the margin")


def _no_gain_above() -> Scene:
    others = [("polyneuron", k, s) for k in (4, 5) for s in (3, 5)]
    keys = [("polyneuron", 3, 5), *others]
    base, focus = ("polyneuron", 3, 3), ("polyneuron", 5, 3)
    return _no_gain("no_gain_above_k3", keys, base, others, focus)


def _best_choice() -> Scene:
    own = (3, 3)
    others = [(3, 1), (3, 2), (3, 4), (3, 5), (5, 3)]
    clear = dict.fromkeys(others, 0.4)
    between = dict.fromkeys(others, -MARGIN / 2) | {(3, 1): 0.1}
    truths = {
        "half a margin": Truth(NO, _gaps(others, own, between)),
        "one at the margin": Truth(YES, _gaps(others, own, clear | {(5, 3): -MARGIN})),
        "cheaper as good": Truth(YES, _gaps(others, own, clear | {(3, 1): 0.0})),
    }
    return scene("three_points_of_order_three", (5, 3), own, truths=truths)


def _somewhere() -> Scene:
    own = ("polyneuron_r", 0.0)
    others = [("polyneuron_r", level) for level in (1e-3, 1e-2, 1e-1)]
    truths = {
        "none": Truth(YES, _gaps(others, own, {})),
        "half a margin": Truth(YES, _gaps(others, own, dict.fromkeys(others, MARGIN / 2))),
        "all at the margin": Truth(YES, _gaps(others, own, dict.fromkeys(others, MARGIN))),
        "one at two margins": Truth(NO, _gaps(others, own, {others[-1]: 2 * MARGIN})),
    }
    claim = "lambda_prod_hinders"
    parts = {"truths": truths, "kinds": USUAL[:-3], "shown": "all at the margin"}
    return scene(claim, own, others[-1], **parts)


def _reported() -> Scene:
    own, far = ("relu",), paper().tolerance["lenet5/mnist"]
    printed = paper().table1["lenet5/mnist"]
    others = {(name,): value for name, value in printed.items()}
    shares = {"none": (0.0, NO), "half": (0.5, NO), "at it": (1.0, YES), "two": (2.0, YES)}
    truths = {
        f"{name} of the tolerance": Truth(wrong, _laws(others | {own: printed["relu"] + by * far}))
        for name, (by, wrong) in shares.items()
    }
    parts = {"truths": truths, "kinds": USUAL, "shown": "at it of the tolerance"}
    return scene("printed_error_relu_on_lenet5", own, ("apl",), **parts)


RATES = (3e-4, 1e-3, 3e-3, 1e-2)


def _steeper() -> Scene:
    names = ("relu", "swish", "polyneuron", "polyneuron_r")

    def laws(rises: Mapping[str, float]):
        means = {
            (name, rate): 2 + rises.get(name, 0.0) * math.log10(rate / 3e-4)
            for name in names
            for rate in RATES
        }
        return _laws(means)

    clear = dict.fromkeys(names[:2], -0.5)
    truths = {
        "none": Truth(ANY, laws({})),
        "one candidate as steep": Truth(YES, laws(clear)),
        "steeper by 0.1": Truth(NO, laws({"polyneuron_r": 0.1})),
    }
    focus, other = ("polyneuron", 1e-2), ("polyneuron_r", 1e-2)
    parts = {"truths": truths, "kinds": ("heavy tails", *LOSSES), "shown": "one candidate as steep"}
    claim = "error_rises_faster_with_rate_polyneuron_r"
    return scene(claim, focus, other, **parts, looks=(1, 5))


def _even_order() -> Scene:
    keys = [(k, 3) for k in range(1, 6)]
    truths = {
        "none": Truth(ANY, _laws(dict.fromkeys(keys, 2.0))),
        "k = 2 alone": Truth(YES, _laws(dict.fromkeys(keys, 2.0) | {(2, 3): 2.6})),
        "both by 0.10": Truth(NO, _laws(dict.fromkeys(keys, 2.0) | {(2, 3): 2.1, (4, 3): 2.1})),
        "as many diverge": Truth(ANY, {ERROR: dict.fromkeys(keys, Law(2.0, 0.1, 0.2))}),
    }
    kinds = ("heavy tails", "one scatters", *LOSSES[:3])
    parts = {"truths": truths, "kinds": kinds, "shown": "k = 2 alone"}
    return scene("even_order_hurts_on_lenet5", (4, 3), (5, 3), **parts)


def _slower() -> Scene:
    own, other = ("polyneuron",), ("polyneuron_r",)
    ratios = {"none": (1.0, ANY), "2 % slower": (1.02, NO), "2 % faster": (0.98, YES)}
    truths = {
        name: Truth(wrong, _laws({own: math.log(ratio), other: 0.0}, 0.03, SECONDS))
        for name, (ratio, wrong) in ratios.items()
    }
    kinds = (*NOISE, *NOTHING)
    return scene("relaxed_computes_less", own, other, truths=truths, kinds=kinds, shown="none")


def _slower_by_a_margin() -> Scene:
    keys = [("polyneuron", 3), ("polyneuron", 5)]
    truths = {
        name: Truth(wrong, _laws({keys[0]: 0.0, keys[1]: math.log(ratio)}, 0.03, SECONDS))
        for name, (ratio, wrong) in {
            "5 % slower": (1.05, YES),
            "10 % slower": (1.10, ANY),
            "20 % slower": (1.20, NO),
        }.items()
    }
    return scene("more_points_are_slower", keys[1], keys[0], truths=truths, looks=(1, 5))


def _mean_of(claim: str, means: Mapping[str, tuple[float, tuple[Word, ...]]], deviation: float):
    """Return a scene about the mean of measures, each of which has the same law."""
    chosen = CLAIMS[claim]
    keys = [(name,) for name in chosen.activations]
    measures = (*chosen.measures, *chosen.also_below)
    truths = {
        name: Truth(wrong, {m: dict.fromkeys(keys, Law(mean, deviation)) for m in measures})
        for name, (mean, wrong) in means.items()
    }
    kinds = ("heavy tails", "candidate's worst lost", "equal values")
    shown = next(name for name in truths if "margin" in name)
    parts = {"truths": truths, "kinds": kinds, "shown": shown}
    return scene(claim, keys[0], ("none",), **parts)


def _pulled() -> Scene:
    levels = (0.0, 1e-3, 1e-2, 1e-1)
    limit = math.log(0.9)
    truths = {
        name: Truth(
            wrong,
            _laws({(x,): share * limit * i / 3 for i, x in enumerate(levels)}, 0.1, "log_span"),
        )
        for name, (share, wrong) in {
            "none": (0.0, YES),
            "half of the margin": (0.5, YES),
            "at the margin": (1.0, YES),
            "beyond the margin": (2.0, NO),
        }.items()
    }
    parts = {"truths": truths, "kinds": ("heavy tails", "one scatters", *LOSSES[:3])}
    claim = "lambda_prod_pulls_to_zero"
    return scene(claim, (1e-1,), (0.0,), **parts, shown="at the margin")


def _scatter() -> Scene:
    keys = [(a, 0.0) for a in (0.0, 1e-3, 1e-2, 1e-1, 1.0)] + [(1e-2, b) for b in (1e-3, 1e-1)]

    def laws(ratio: float, diverging: float = 0.0):
        own = {(0.0, 0.0): Law(2.0, 0.1 * ratio, diverging)}
        return {ERROR: dict.fromkeys(keys, Law(2.0, 0.1, diverging)) | own}

    truths = {
        "ratio 1": Truth(YES, laws(1.0)),
        "ratio at the margin 1.5": Truth(YES, laws(1.5)),
        "ratio 2": Truth(NO, laws(2.0)),
        "as many diverge": Truth(YES, laws(1.0, 0.2)),
    }
    parts = {"truths": truths, "kinds": ("heavy tails", *LOSSES[:3])}
    return scene("no_penalty_inconsistent", keys[0], keys[1], **parts)


def _starts(claim: str, rates: Mapping[str, tuple[float, float, tuple[Word, ...]]]) -> Scene:
    random, relu_like = (("polyneuron", init, 3) for init in ("random", "relu_like"))
    truths = {
        name: Truth(wrong, {ERROR: {random: Law(20, 1, first), relu_like: Law(20, 1, second)}})
        for name, (first, second, wrong) in rates.items()
    }
    return scene(claim, random, relu_like, truths=truths, seeds=60)


def _straight() -> Scene:
    laws = {"tail_bend": {("polyneuron",): Law(0.01, 0.001)}}
    claim = "tails_of_polyneuron_are_linear"
    truths = {"half of the runs beyond": Truth(ANY, laws)}
    return scene(claim, ("polyneuron",), ("none",), truths=truths, looks=(1,))


SCENES: Mapping[str, Scene] = {
    one.claim.id: one
    for one in (
        _better_pair(),
        _best_of_five(),
        _improved(),
        _no_gain_above(),
        _best_choice(),
        _somewhere(),
        _reported(),
        _steeper(),
        _even_order(),
        _slower(),
        _slower_by_a_margin(),
        _mean_of(
            "places_stay_without_lambda_prod",
            {"at the margin": (0.25, YES), "below it": (0.2, NO), "above it": (0.3, YES)},
            0.1,
        ),
        _mean_of(
            "tails_of_relaxed_bend",
            {"at the margin": (0.01, YES), "below it": (0.008, YES), "above it": (0.012, NO)},
            0.004,
        ),
        _mean_of(
            "most_change_is_early",
            {"at the margin": (0.5, YES), "above it": (0.52, NO)},
            0.1,
        ),
        _straight(),
        _pulled(),
        _scatter(),
        _starts(
            "relu_like_start_is_stable_polyneuron",
            {
                "10 % diverge": (0.6, 0.1, YES),
                "as many diverge": (0.05, 0.05, YES),
                "5 % diverge": (0.6, 0.05, NO),
            },
        ),
        _starts(
            "random_start_is_unstable_polyneuron",
            {"10 % diverge": (0.1, 0.0, YES), "none diverge": (0.0, 0.0, YES)}
            | {"15 % diverge": (0.15, 0.0, NO)},
        ),
    )
}


def covers(case: Case, verdict: Verdict) -> list[bool]:
    """Return whether each interval at a single look holds the truth, where that is known."""
    if case.looks > 1 or case.kind != "plain":
        return []
    truth = estimates_without_noise(case.claim, case.truth)
    known = ((one.interval, truth.get(one.name, math.nan)) for one in verdict.comparisons)
    return [
        bool(one.low <= value <= one.high) for one, value in known if math.isfinite(value + one.low)
    ]


@cache
def estimates_without_noise(claim: str, truth: str) -> Mapping[str, float]:
    """Return the true estimates by comparison; none for scatter and counts, which are all noise."""
    place = SCENES[claim]
    if place.claim.rule in ("scatter", "stable_start", "unstable_start", "straight"):
        return {}
    laws = {
        metric: {key: replace(law, deviation=1e-9) for key, law in arms.items()}
        for metric, arms in place.truths[truth].laws.items()
    }
    worlds = drawn(laws, place.seeds, np.random.default_rng(0))
    found = judge_claim(place.claim, ArrayEvidence(worlds, place.seeds)).comparisons
    return {one.name: one.interval.estimate for one in found}


def streams(case: Case, worlds: range) -> Iterator[Rng]:
    """Yield the draws of some worlds of a case, which its name and their numbers fix."""
    name = [ord(letter) for letter in f"{case.claim}{case.truth}{case.kind}"]
    for number in worlds:
        yield np.random.default_rng(np.random.SeedSequence([*name, case.looks, number]))
