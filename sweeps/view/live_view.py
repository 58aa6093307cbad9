"""How a sweep looks: redrawn in place in a terminal, plain lines in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sweeps.view.progress import ENDED, Best, RunningTrial, SweepView

if TYPE_CHECKING:
    from sweeps.search.study import OpenTrial

SYMBOLS = {"lambda_sum": "λ_sum", "lambda_prod": "λ_prod", "learning_rate": "lr"}
"""The paper's letters, where a name would fill the line."""
STYLES = {
    "completed": "green",
    "pruned": "cyan",
    "diverged": "yellow",
    "error": "red",
    "interrupted": "magenta",
    "running": "bold",
}
TAKEN, TAKEN_WIDE = 43, 55
"""Columns of a running trial's line that its parameters leave to the rest."""
SIDES: Mapping[bool, Literal["left", "right"]] = {False: "left", True: "right"}
"""Whether the parameters' columns are aligned to the right, as numbers are, or are one text."""
BLOCKS = "▁▂▃▄▅▆▇█"
USUAL_WIDTH, WIDE = 80, 110
"""Columns of a terminal; from WIDE on, the errors of a run are drawn as a curve."""
REDRAW_SECONDS = 0.25
PUBLISH_SECONDS = 1.0
LOG_SECONDS = 60.0
"""How often a log says that something is still going on."""
SILENT_SECONDS = 120.0
"""After so long without a word a running trial is worth a warning, see `silent_text`."""


def render(
    view: SweepView, now: float, width: int = USUAL_WIDTH, height: int | None = None
) -> RenderableType:
    """Draw the view for a terminal of so many columns, and lines where those are limited."""
    warnings = (*view.notes, *view.troubles, *silent_texts(view, now))
    notes = [Text(f"! {text}", style="yellow") for text in warnings]
    if view.stopping:
        text = "stopping: each worker ends its epoch; Ctrl-C again waits for none"
        notes.append(Text(f"! {text}", style="bold magenta"))
    head = [_line((view.name, "bold"), (f"  {view.subject}", "dim")), _bar(view, width)]
    head += [counts_text(view), _line(pace_text(view, now)), best_text(view.best)]
    below = [Text(), *notes] if notes else []
    lines = len(head) + sum(1 + len(note) // width for note in notes) + 5
    room = None if height is None else max(1, height - lines)
    return Group(*head, *running_table(view, width, room), *below)


def running_table(view: SweepView, width: int, room: int | None) -> list[RenderableType]:
    """Draw a line a running trial, and say how many more there are than there is room for."""
    if not view.running:
        begun = view.done or view.stopped_at is not None
        return [] if begun else [Text("\nworkers are starting", style="dim")]
    trials = sorted(view.running.values(), key=lambda one: one.number)
    shown = trials[:room]
    table = Table(box=None, padding=(0, 1), header_style="dim", pad_edge=False)
    for title in ("trial", "seed", "epoch"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, width=10)
    table.add_column("error %", justify="right", no_wrap=True)
    if width >= WIDE:
        table.add_column("by epoch", no_wrap=True, width=10)
    left = width - (TAKEN_WIDE if width >= WIDE else TAKEN)
    titles, values = parameter_columns([one.params for one in shown], left)
    for title in titles:
        table.add_column(title, justify=SIDES[len(titles) > 1], no_wrap=True)
    for one, cells in zip(shown, values, strict=True):
        table.add_row(*_running_cells(view, one, width), *cells)
    more = len(trials) - len(shown)
    return [Text(), table, *([Text(f"and {more} more running", style="dim")] if more else [])]


def parameter_columns(
    trials: Sequence[Mapping[str, Any]], left: int
) -> tuple[list[str], list[list[str]]]:
    """Lay out parameters in a column each, or as one text where the columns left are too few.

    Returns:
        Titles, and the cells of each trial.
    """
    # Who has most of them has them in the order of the specification.
    fullest_first = sorted(trials, key=len, reverse=True)
    keys = list(dict.fromkeys(key for one in fullest_first for key in one))
    cells = [[value_text(one[key]) if key in one else "–" for key in keys] for one in trials]
    widths = [max(map(len, column)) for column in zip(map(symbol, keys), *cells, strict=True)]
    if sum(2 + width for width in widths) <= left:
        return [symbol(key) for key in keys], cells
    texts = [Text(params_text(one)) for one in trials]
    for text in texts:
        text.truncate(max(1, left), overflow="ellipsis")
    return ["parameters"], [[text.plain] for text in texts]


def _running_cells(view: SweepView, one: RunningTrial, width: int) -> list[RenderableType]:
    if one.val_error_percent is None:
        cells: list[RenderableType] = [str(one.number), "", "", Text("starting", style="dim"), ""]
    else:
        cells = [
            str(one.number),
            f"{one.run + 1}/{view.seeds}",
            f"{one.epoch}/{view.epochs}",
            ProgressBar(total=view.epochs, completed=one.epoch, width=10),
            f"{one.val_error_percent:.2f}",
        ]
    return [*cells, Text(curve(one.errors), style="cyan")] if width >= WIDE else cells


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
    counts = {status: view.counts.get(status, 0) for status in ENDED}
    counts["running"] = len(view.running)
    shown = {s: n for s, n in counts.items() if n or s in ("completed", "running")}
    parts = [Text(f"{n} {status}", style=STYLES[status]) for status, n in shown.items()]
    return Text(" · ").join(parts)


def pace_text(view: SweepView, now: float) -> str:
    """Say how long the sweep has run, how fast it goes and how long it will."""
    parts = [time_text(view, now)]
    seconds = view.seconds_at_work(now)
    if seconds is not None:
        ended = view.done - view.done_before
        parts += [rate_text(ended / seconds, "trials")] if ended else []
        parts.append(rate_text((view.epochs_heard - 1) / seconds, "epochs"))
    return " · ".join(parts)


def rate_text(per_second: float, noun: str) -> str:
    """Write a rate by the minute, or by the hour where that is more than one."""
    if per_second * 60 >= 1:
        return f"{per_second * 60:.3g} {noun}/min"
    return f"{per_second * 3600:.2g} {noun}/h"


def time_text(view: SweepView, now: float) -> str:
    """Say how long the sweep has run and how long it will."""
    spent = duration_text((view.stopped_at or now) - view.started_at)
    left = view.seconds_left(now) if view.done < view.total else None
    return f"{spent} spent" + ("" if left is None else f" · about {duration_text(left)} left")


def silent_texts(view: SweepView, now: float) -> list[str]:
    """Name the running trials of which nothing was heard for far longer than an epoch takes."""
    seconds = view.seconds_at_work(view.last_epoch_at or now)
    usual = seconds * len(view.running) / view.epochs_heard if seconds else 0.0
    limit = max(SILENT_SECONDS, 5 * usual)
    return [
        f"trial {one.number} has reported nothing for {duration_text(now - one.heard_at)}"
        for one in view.running.values()
        if now - one.heard_at > limit
    ]


def best_text(best: Best | None) -> Text:
    """Say which trial is the best so far."""
    if best is None:
        return Text("best: none yet", style="dim")
    value = interval_text(best.objective, best.standard_error)
    return _line(f"best: trial {best.trial}, {value}  {params_text(best.params)}", style="green")


def interval_text(objective: float, standard_error: float | None) -> str:
    """Write an objective with its standard error, as `1.66 ± 0.04 %`."""
    spread = "" if standard_error is None else f" ± {standard_error:.2f}"
    return f"{objective:.2f}{spread} %"


def params_text(params: Mapping[str, Any]) -> str:
    """Write a trial's parameters on one line."""
    return " ".join(
        value_text(value) if key == "activation" else f"{symbol(key)}={value_text(value)}"
        for key, value in params.items()
    )


def symbol(parameter: str) -> str:
    """Name a parameter as the paper does, where that is shorter."""
    return SYMBOLS.get(parameter, parameter)


def value_text(value: object) -> str:
    """Write a parameter's value as briefly as it stays recognisable."""
    if not isinstance(value, float):
        return str(value)
    if value and not 0.01 <= abs(value) < 1e4:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.2g}"


def curve(values: list[float]) -> str:
    """Draw numbers as a line of blocks, the smallest lowest."""
    if not values:
        return ""
    low, high = min(values), max(values)
    step = (high - low) / (len(BLOCKS) - 1) or 1.0
    return "".join(BLOCKS[round((value - low) / step)] for value in values)


def duration_text(seconds: float) -> str:
    """Write a duration as people say it: `42 s`, `3 min 20 s`, `5 h 12 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class LiveView:
    """Shows a sweep while it runs, and publishes what it shows for other processes.

    In a terminal the view is redrawn in place; elsewhere there is a line a trial, and one a minute
    while none ends.
    """

    def __init__(
        self,
        view: SweepView,
        console: Console,
        publish: Callable[[str], None] = lambda _: None,
        stopping: Callable[[], str] = str,
    ) -> None:
        """Show a view.

        Args:
            view: kept up to date by calls.
            console: where it is shown.
            publish: is given the view as text, about every second while it changes.
            stopping: says what asked the sweep to stop, if anything did.
        """
        self._view = view
        self._stopping = stopping
        self._console = console
        self._publish = publish
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name="live view", daemon=True)
        self._live: Live | None = None
        self._changed = True
        self._published_at = self._logged_at = 0.0

    def __enter__(self) -> LiveView:
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._render,
                console=self._console,
                auto_refresh=False,
                transient=True,
            )
            self._live.start()
        self._logged_at = time.time()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        if self._live is not None:
            self._live.stop()
        self._publish_now()

    def __call__(self, trial: OpenTrial, status: str) -> None:
        """Take in a change, and print a line for each trial that ended."""
        with self._lock:
            self._view.update(trial, status)
            self._changed = True
        if status in ENDED and self._live is None:
            self._log(self._trial_line(trial, status))

    def _render(self) -> RenderableType:
        size = self._console.size
        with self._lock:
            return render(self._view, time.time(), size.width, size.height)

    def _keep_up(self) -> None:
        while not self._over.wait(REDRAW_SECONDS):
            now = time.time()
            if self._view.stopping != self._stopping():
                self._view.stopping, self._changed = self._stopping(), True
            if self._live is not None:
                self._live.refresh()
            elif now - self._logged_at > LOG_SECONDS:
                self._log(self._pulse_line(now))
            if self._changed and now - self._published_at > PUBLISH_SECONDS:
                self._publish_now()

    def _publish_now(self) -> None:
        with self._lock:
            self._changed, self._published_at = False, time.time()
            text = self._view.to_json()
        self._publish(text)

    def _log(self, text: str) -> None:
        self._logged_at = time.time()
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _trial_line(self, trial: OpenTrial, status: str) -> str:
        objective = trial.result.get("objective")
        error = trial.result.get("objective_standard_error")
        value = "" if objective is None else f" {interval_text(objective, error)}"
        reason = str(trial.result.get("error") or "")
        left = time_text(self._view, time.time())
        return (
            f"[{self._view.done}/{self._view.total}] trial {trial.number} {status}{value}"
            f"{': ' + reason if reason else ''}  ({params_text(trial.params)}; {left})"
        )

    def _pulse_line(self, now: float) -> str:
        with self._lock:
            heard = [one for one in self._view.running.values() if one.started]
            trials = ", ".join(
                f"trial {one.number} seed {one.run + 1}/{self._view.seeds}"
                f" epoch {one.epoch}/{self._view.epochs} {one.val_error_percent:.2f} %"
                for one in heard[:4]
            )
            pace = pace_text(self._view, now)
        running = f"{len(self._view.running)} running"
        return f"[{self._view.done}/{self._view.total}] {running}: {trials or 'starting'}  ({pace})"
