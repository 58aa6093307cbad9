"""Settling: seeds are added in blocks, to the trials that an undecided claim compares alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

import analysis
from analysis import Results
from analysis.measures.timing import TIMING
from analysis.paper.claims import Claim, paper
from analysis.paper.evidence import Evidence
from analysis.paper.hypotheses import SweepEvidence, hypotheses_of
from analysis.paper.rules import RULES
from analysis.paper.settling import Standing, standing
from analysis.paper.words import Word
from analysis.printed import count, duration
from analysis.program import program
from analysis.store.blocks import Block, added_seeds, read_blocks
from analysis.store.errors import unknown_name
from analysis.store.statuses import FINAL
from sweeps.driver.continuation import Request, continue_sweep
from sweeps.spec.errors import SpecError


@dataclass(frozen=True)
class Wish:
    """What is to be settled, and at what cost."""

    claims: tuple[str, ...] = ()
    """Their ids; empty: every claim that the sweep's runs speak on."""
    max_seeds: int | None = None
    """Of a trial; None: each claim's own."""
    budget: tuple[str, ...] = ()
    """`key=value` settings of the section `budget`."""
    accept_changes: bool = False


def settle(
    root: Path,
    name: str,
    wish: Wish,
    console: Console,
    address: str | None,
    known: Sequence[Claim] | None = None,
) -> bool:
    """Add seeds until each claim is decided or has no more room, and say how each stands.

    Args:
        root: of all sweeps.
        name: of the sweep.
        wish: which claims, and limits.
        console: for the live view and the claims.
        address: of a Ray cluster; None: this machine.
        known: claims; None: the paper's.

    Returns:
        False after an interrupt.

    Raises:
        SpecError: no such claim, or no claim is about the sweep.
        StoreError: no such sweep, or it cannot go on.
    """
    settings = tuple(f"budget.{one}" for one in wish.budget)
    request = Request(settings=settings, accept_changes=wish.accept_changes)
    results = analysis.load(root, [name])
    if pending(results) and not continue_sweep(root, name, request, console, address):
        return False
    while True:
        results = analysis.load(root, [name])
        found = standings(results, wish, paper().claims if known is None else known)
        # A claim that lost its runs to a spent budget is named at the end, too.
        wish = replace(wish, claims=tuple(one.claim.id for one in found))
        blocks = next_blocks(results, found)
        # Seeds of a block that the budget cut off come before those of another.
        if not blocks or pending(results):
            say_standings(console, found)
            return True
        for one in found:
            if not one.reason:
                text = f"{one.claim.id}: seeds {', '.join(map(str, one.next_seeds))}"
                console.print(f"{text} for {count(len(one.config_ids), 'trial')}", soft_wrap=True)
        more = replace(request, blocks=tuple(blocks))
        if not continue_sweep(root, name, more, console, address):
            return False


def pending(results: Results) -> bool:
    """Return True if some seed that a block added has no end in the store."""
    runs = results.runs[results.runs["status"].isin(FINAL)]
    ended = set(zip(runs["config_id"].astype(str), runs["seed"].astype(int), strict=True))
    added = added_seeds(read_blocks(results.sweeps["blocks_json"].iloc[0]), results.trials)
    return any((config, seed) not in ended for config, seeds in added.items() for seed in seeds)


def standings(results: Results, wish: Wish, known: Iterable[Claim]) -> list[Standing]:
    """Return how the claims stand that the sweep's runs speak on.

    Raises:
        SpecError: no such claim, or none is about the sweep.
    """
    tested = {claim.id: claim for claim in known if claim.rule in RULES}
    own: list[tuple[Claim, Evidence]] = [
        (claim, SweepEvidence(results, sweep))
        for sweep in results.names
        for claim in hypotheses_of(results, sweep)
    ]
    names = [*(claim.id for claim, _ in own), *tested]
    for one in wish.claims:
        if one not in names:
            raise SpecError(f"--claim: {unknown_name('claim', one, names)}")
    if (results.sweeps["purpose"] == TIMING).any():
        raise SpecError(
            "settle adds seeds, and those of a timing sweep are repetitions, planned before the"
            " first; start another timing sweep with more"
        )
    evidence = Evidence(results)
    benchmarks = set(results.sweeps["benchmark"].astype(str))
    chosen: list[tuple[Claim, Evidence]] = [
        (claim, evidence)
        for claim in tested.values()
        if (claim.id in wish.claims or not wish.claims) and claim.benchmark in benchmarks
    ]
    chosen += [one for one in own if one[0].id in wish.claims or not wish.claims]
    found = [standing(claim, runs, wish.max_seeds) for claim, runs in chosen]
    # claims of other sweeps on the benchmark say nothing here, unless they were asked for
    found = [one for one in found if wish.claims or one.word != Word.NOT_TESTED]
    if not found:
        raise SpecError(
            "no claim of the paper can be decided by this sweep, and it declares no hypotheses: it"
            " takes purpose: confirmatory, the benchmark of a claim and its cells;"
            f" `{program()} plan` lists what is lacking"
        )
    return found


def next_blocks(results: Results, found: Iterable[Standing]) -> list[Block]:
    """Return a block of seeds for each claim that is still open."""
    names = zip(results.trials["config_id"].astype(str), results.trials["trial"], strict=True)
    first: dict[str, int] = {}
    for config_id, trial in names:
        first.setdefault(config_id, int(trial))
    return [
        Block((one.claim.id,), {first[config]: one.next_seeds for config in one.config_ids})
        for one in found
        if not one.reason
    ]


def say_standings(console: Console, found: Iterable[Standing]) -> None:
    """Print a line for each claim: its verdict, or why it gets no more seeds."""
    for one in found:
        console.print(f"{one.claim.id}: {one.reason or one.word}", soft_wrap=True, markup=False)


def say_plan(console: Console, results: Results, found: Sequence[Standing]) -> None:
    """Print the seeds that each open claim may take, and the time of all of them."""
    say_standings(console, [one for one in found if one.reason])
    opened = [one for one in found if not one.reason]
    for one in opened:
        console.print(
            f"{one.claim.id}: open with {len(one.seeds)} seeds in {len(one.config_ids)} trials;"
            f" at most {one.room} more each, {one.expected_seeds:.1f} expected; decided by then"
            f" with a chance of {100 * one.chance:.0f} %",
            soft_wrap=True,
            markup=False,
        )
    if opened:
        most = _cost(results, [(one, float(one.room)) for one in opened])
        mean = _cost(results, [(one, one.expected_seeds) for one in opened])
        console.print(f"expected: {mean}; at most {most}", soft_wrap=True, markup=False)


def _cost(results: Results, seeds: Iterable[tuple[Standing, float]]) -> str:
    """Return runs and hours; a trial that several claims compare takes the most that one asks."""
    each: dict[str, float] = {}
    for one, more in seeds:
        for config in one.config_ids:
            each[config] = max(each.get(config, 0.0), more)
    runs = results.runs.assign(config_id=results.runs["config_id"].astype(str))
    # A training function of a user's own has steps of any length: its runs are timed whole.
    whole = runs["epoch_seconds"] * runs["epochs_planned"].max()
    times = whole.fillna(runs["train_seconds"]).groupby(runs["config_id"]).median().dropna()
    seconds = sum(more * float(times.get(config, 0.0)) for config, more in each.items())
    return f"{sum(each.values()):.0f} runs, {duration(seconds)} of training"
