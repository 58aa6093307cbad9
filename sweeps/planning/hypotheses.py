"""The power of a sweep's own hypotheses, before it starts."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from analysis.printed import short
from analysis.statistics.power import Test, detectable_gap, power_of, seeds_needed
from sweeps.spec.hypotheses import HypothesisSection
from sweeps.spec.search_space import grid
from sweeps.spec.sections import SweepSpec
from sweeps.view.columns import Column, table_of

WANTED_POWER = 0.8
_WANTED = f"{100 * WANTED_POWER:.0f} %"
HARDEST = 12
"""Characters in which a question is read over several lines."""


def hypotheses_table(spec: SweepSpec, deviation: float | None, width: int) -> list[RenderableType]:
    """Show what the seeds of a sweep can decide of each hypothesis.

    Args:
        spec: of the sweep.
        deviation: between seeds of one configuration, in the metric's unit; None: not known.
        width: characters of a line.
    """
    if not spec.hypotheses:
        return []
    lines = [_line(one, spec, deviation) for one in spec.hypotheses]
    columns = [
        Column("hypothesis", [one.name for one in spec.hypotheses]),
        Column("power", [line.power for line in lines], right=True),
        Column("runs", [str(line.runs) for line in lines], rank=1, right=True),
        Column(f"{_WANTED} at", [line.needed for line in lines], rank=2, right=True),
        Column("asks", [Text(line.asks, style="dim") for line in lines], rank=3, least=HARDEST),
    ]
    known = "" if deviation is not None else "; –: the seed-to-seed deviation is not known yet"
    text = (
        "power: probability that these seeds decide the hypothesis, if it is true: no difference"
        " where none is claimed, twice the gap that is asked for where there is one; runs: of an"
        f" arm; {_WANTED} at: runs of an arm that give this power{known}"
    )
    return [Text(), table_of(columns, width), Text(text, style="dim")]


@dataclass(frozen=True)
class _Line:
    runs: int
    power: str
    needed: str
    asks: str


def _line(one: HypothesisSection, spec: SweepSpec, deviation: float | None) -> _Line:
    arm = one.sides[0] if one.sides else {}
    asked = {**one.where, **arm}
    blocks = sum(all(point.get(k) == v for k, v in asked.items()) for point in grid(spec))
    runs = max(1, blocks) * len(spec.seeds)
    question = _question(one)
    notes = [_asks(one, runs, deviation)]
    if len(spec.seeds) < one.minimum_runs:
        notes.append(f"needs {one.minimum_runs} seeds")
    power = needed = "–"
    if deviation is not None and question is not None:
        power = f"{100 * power_of(*question, deviation, runs):.0f} %"
        runs_needed = seeds_needed(*question, deviation, WANTED_POWER)
        needed = "–" if runs_needed is None else f"{runs_needed:,}"
    return _Line(runs, power, needed, "; ".join(filter(None, notes)))


def _question(one: HypothesisSection) -> tuple[Test, float] | None:
    if one.no_gain is not None:
        return "no_gain", one.no_gain.margin
    if one.equivalent is not None:
        return "equivalence", one.equivalent.margin
    return ("difference", one.better.by) if one.better is not None and one.better.by else None


def _asks(one: HypothesisSection, runs: int, deviation: float | None) -> str:
    question = _question(one)
    if question is not None:
        words = {"difference": "a gap beyond", "no_gain": "a gain below"}
        return f"{words.get(question[0], 'within ±')} {short(float(question[1]))}"
    if one.better is None or deviation is None or runs < 2:
        return ""
    gap = detectable_gap("difference", deviation, runs, WANTED_POWER)
    return f"a gap of {short(gap)} shows with {_WANTED}"
