"""The drawing of a sweep: its view as lines and tables of rich, and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from analysis.printed import (
    MISSING,
    brief_column,
    brief_parameters,
    brief_symbol,
    count,
    duration,
    rate,
)
from analysis.store.metric import Metric
from analysis.store.statuses import Status
from sweeps.view.progress import Best, RunningTrial, SweepView

STYLES = {
    Status.COMPLETED: "green",
    Status.PRUNED: "cyan",
    Status.DIVERGED: "yellow",
    Status.ERROR: "red",
    Status.INTERRUPTED: "magenta",
    Status.RUNNING: "bold",
}
TAKEN, TAKEN_WIDE = 43, 55
"""Columns of a running trial's line that its parameters leave to the rest."""
BLOCKS = "▁▂▃▄▅▆▇█"
EXPLAINED = 60
"""Columns of a terminal from which on the best error says what its ± is."""
BAR = 12
"""Columns of a running trial's bar with its gap."""
NARROW, USUAL_WIDTH, WIDE = 70, 80, 110
"""Columns of a terminal; below NARROW parameters have the place of a trial's bar, and from WIDE on
the errors of a run are drawn as a curve."""
SILENT_SECONDS = 120.0
"""After so long without an epoch a running trial is worth a warning, see `silent_texts`."""


def render(
    view: SweepView, now: float, width: int = USUAL_WIDTH, height: int | None = None
) -> RenderableType:
    """Draw the view for a terminal of `width` columns and, if given, at most `height` lines."""
    warnings = (*view.notes, *view.troubles, *silent_texts(view, now))
    notes = [Text(f"! {text}", style="yellow") for text in warnings]
    if view.company:
        notes.append(Text(view.company, style="cyan"))
    if view.stopping:
        text = "stopping: each worker ends its epoch; Ctrl-C again waits for none"
        notes.append(Text(f"! {text}", style="bold magenta"))
    head = [_line((view.name, "bold"), (f"  {view.subject}", "dim")), _bar(view, width)]
    head += [counts_text(view), _line(pace_text(view, now)), best_text(view.best, width)]
    head += front_texts(len(view.front), (view.metric, *view.also))
    below = [Text(), *notes] if notes else []
    # 5: an empty line above and below the table, its titles, "and ... more", the cursor's line.
    lines = len(head) + sum(1 + len(note) // width for note in notes) + 5
    room = None if height is None else max(1, height - lines)
    return Group(*head, *running_table(view, width, room), *below)


def running_table(view: SweepView, width: int, room: int | None) -> list[RenderableType]:
    """Draw a line a running trial, and count the trials for which there is no room."""
    if not view.running:
        begun = view.done or view.stopped_at is not None or view.stopping or view.company
        return [] if begun else [Text("\nworkers are starting", style="dim")]
    trials = sorted(view.running.values(), key=lambda one: one.number)
    shown = trials[:room]
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for title in ("trial", "seed", "epoch"):
        table.add_column(title, justify="right", no_wrap=True)
    if width >= NARROW:
        table.add_column("", no_wrap=True, width=10)
    table.add_column(view.metric.title, justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("by epoch", no_wrap=True, width=10)
    left = width - (TAKEN_WIDE if width >= WIDE else TAKEN if width >= NARROW else TAKEN - BAR)
    titles, values = parameter_columns([one.params for one in shown], left)
    add_parameter_columns(table, titles)
    for one, cells in zip(shown, values, strict=True):
        table.add_row(*_running_cells(view, one, width), *cells)
    more = len(trials) - len(shown)
    return [Text(), table, *([Text(f"and {more} more running", style="dim")] if more else [])]


def parameter_columns(
    trials: Sequence[Mapping[str, object]], left: int
) -> tuple[list[str], list[list[str]]]:
    """Lay out parameters in a column each, or as one text where `left` characters are too few.

    Returns:
        Titles, and the cells of each trial.
    """
    # The trial with the most parameters has them in the order of the specification.
    fullest_first = sorted(trials, key=len, reverse=True)
    keys = list(dict.fromkeys(key for one in fullest_first for key in one))
    known = {key: list(dict.fromkeys(one[key] for one in trials if key in one)) for key in keys}
    by_value = {key: dict(zip(known[key], brief_column(known[key]), strict=True)) for key in keys}
    cells = [[by_value[key][one[key]] if key in one else MISSING for key in keys] for one in trials]
    widths = [max(map(len, column)) for column in zip(map(brief_symbol, keys), *cells, strict=True)]
    if sum(2 + width for width in widths) <= left:
        return [brief_symbol(key) for key in keys], cells
    texts = [Text(brief_parameters(one)) for one in trials]
    for text in texts:
        text.truncate(max(1, left), overflow="ellipsis")
    return ["parameters"], [[text.plain] for text in texts]


def add_parameter_columns(table: Table, titles: Sequence[str]) -> None:
    """Add the columns that `parameter_columns` titles: right for numbers, left for one text."""
    for title in titles:
        table.add_column(title, justify="right" if len(titles) > 1 else "left", no_wrap=True)


def _running_cells(view: SweepView, one: RunningTrial, width: int) -> list[RenderableType]:
    total = view.epochs or None
    bar: RenderableType = ProgressBar(total=total, completed=one.epoch, width=10, pulse=False)
    seed, epoch, value = "", "", ""
    if not one.started:
        bar, value = Text("starting", style="dim"), "" if width >= NARROW else "starting"
    else:
        seed, epoch = f"{one.seed_index + 1}/{view.seeds_of(one)}", view.of_epochs(one.epoch)
        known = MISSING if one.value is None else view.metric.printed(one.value)
        value = known.removesuffix(" %")
    bars = [bar] if width >= NARROW else []
    cells: list[RenderableType] = [str(one.number), seed, epoch, *bars, value]
    return [*cells, Text(curve(one.values), style="cyan")] if width >= WIDE else cells


def _bar(view: SweepView, width: int) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    fraction = view.fraction()
    bar = ProgressBar(total=1.0, completed=fraction, width=min(50, max(10, width - 30)))
    grid.add_row(bar, f"{100 * fraction:.0f} %", f"{view.done}/{view.total} trials done")
    return grid


def _line(*parts: str | tuple[str, str], style: str = "") -> Text:
    return Text.assemble(*parts, style=style, no_wrap=True, overflow="ellipsis")


def counts_text(view: SweepView) -> Text:
    """Count the trials by status, as `5 completed · 1 diverged · 2 running`."""
    counts = {status: view.counts.get(status, 0) for status in Status if status.ended}
    counts[Status.RUNNING] = len(view.running)
    always = (Status.COMPLETED, Status.RUNNING)
    shown = {status: n for status, n in counts.items() if n or status in always}
    parts = [Text(f"{n} {status}", style=STYLES[status]) for status, n in shown.items()]
    return Text(" · ").join(parts)


def pace_text(view: SweepView, now: float) -> str:
    """Write the time spent, the time left and the pace."""
    parts = [time_text(view, now)]
    seconds = view.seconds_at_work(now)
    if seconds is not None:
        ended = view.done - view.done_before
        parts += [rate(ended / seconds, "trials")] if ended else []
        parts.append(rate((view.epochs_heard - 1) / seconds, "epochs"))
    return " · ".join(parts)


def time_text(view: SweepView, now: float) -> str:
    """Write the time spent and the time left."""
    spent = duration(round((view.stopped_at or now) - view.started_at))
    left = view.seconds_left(now) if view.done < view.total else None
    return f"{spent} spent" + ("" if left is None else f" · about {duration(round(left))} left")


def silent_texts(view: SweepView, now: float) -> list[str]:
    """Name the running trials that were silent for far longer than an epoch takes."""
    seconds = view.seconds_at_work(view.last_epoch_at or now)
    usual = seconds * len(view.running) / view.epochs_heard if seconds else 0.0
    limit = max(SILENT_SECONDS, 5 * usual)
    return [
        f"trial {one.number} has reported nothing for {duration(round(now - one.heard_at))}"
        for one in view.running.values()
        if now - one.heard_at > limit
    ]


def best_text(best: Best | None, width: int = WIDE) -> Text:
    """Write the best trial so far on one line, with its objective and parameters."""
    if best is None:
        return Text("best: none yet", style="dim")
    value = best.metric.printed(best.objective, best.standard_error)
    if not best.metric.is_error:
        value = f"{best.metric.name} {value}"
    explained = best.standard_error is not None and width >= EXPLAINED
    value += " (standard error)" if explained else ""
    return _line(
        f"best: trial {best.trial}, {value}  {brief_parameters(best.params)}", style="green"
    )


def front_texts(trials: int, objectives: Sequence[Metric]) -> list[Text]:
    """Count the trials on the front of several objectives in a line; no line for one objective."""
    if len(objectives) < 2:
        return []
    *names, last = (one.title.removesuffix(" %") for one in objectives)
    verb = "is" if trials == 1 else "are"
    return [
        _line(
            f"front: {count(trials, 'trial')} {verb} beaten by no other in {', '.join(names)} and"
            f" {last} together",
            style="green",
        )
    ]


def curve(values: list[float]) -> str:
    """Draw numbers as a line of blocks, the smallest lowest."""
    if not values:
        return ""
    low, high = min(values), max(values)
    step = (high - low) / (len(BLOCKS) - 1) or 1.0
    return "".join(BLOCKS[round((value - low) / step)] for value in values)
