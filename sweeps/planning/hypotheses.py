"""The power of a sweep's own hypotheses, before it starts."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from analysis.printed import short
from analysis.statistics.power import Test, detectable_gap, power_of, seeds_needed
from sweeps.spec.hypotheses import HypothesisSection
from sweeps.spec.search_space import grid
from sweeps.spec.sections import SweepSpec

WANTED_POWER = 0.8


def hypotheses_table(spec: SweepSpec, deviation: float | None) -> list[RenderableType]:
    """Show what the seeds of a sweep can decide of each hypothesis.

    Args:
        spec: of the sweep.
        deviation: between seeds of one configuration, in the metric's unit; None: not known.
    """
    if not spec.hypotheses:
        return []
    table = Table(box=None, padding=(0, 1), header_style="bold", pad_edge=False)
    table.add_column("hypothesis", no_wrap=True)
    table.add_column("runs an arm", justify="right", no_wrap=True)
    table.add_column("power", justify="right", no_wrap=True)
    table.add_column(f"runs an arm for {100 * WANTED_POWER:.0f} %", justify="right", no_wrap=True)
    table.add_column("asks", overflow="fold")
    for one in spec.hypotheses:
        table.add_row(one.name, *_cells(one, spec, deviation))
    text = (
        "power: probability that these seeds decide the hypothesis, if it is true: no difference"
        " where none is claimed, twice the gap that is asked for where there is one"
    )
    return [Text(), table, Text(text, style="dim")]


def _cells(one: HypothesisSection, spec: SweepSpec, deviation: float | None) -> list[str]:
    arm = one.sides[0] if one.sides else {}
    asked = {**one.where, **arm}
    blocks = sum(all(point.get(k) == v for k, v in asked.items()) for point in grid(spec))
    runs = max(1, blocks) * len(spec.seeds)
    question = _question(one)
    notes = [_asks(one, runs, deviation)]
    if len(spec.seeds) < one.minimum_runs:
        notes.append(f"needs {one.minimum_runs} seeds")
    if deviation is None and question is not None:
        notes.append("seed-to-seed deviation unknown")
    power = needed = "–"
    if deviation is not None and question is not None:
        power = f"{100 * power_of(*question, deviation, runs):.0f} %"
        runs_needed = seeds_needed(*question, deviation, WANTED_POWER)
        needed = "–" if runs_needed is None else f"{runs_needed:,}"
    return [str(runs), power, needed, "; ".join(filter(None, notes))]


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
    return f"a gap of {short(gap)} shows with {100 * WANTED_POWER:.0f} %"
