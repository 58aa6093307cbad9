"""What a sweep is doing now, as one value, and how it looks in a terminal or in a log."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from sweeps.study import OpenTrial

ENDED = ("completed", "pruned", "diverged", "error", "interrupted")
SYMBOLS = {"lambda_sum": "λ_sum", "lambda_prod": "λ_prod", "learning_rate": "lr"}
"""The paper's letters, where a name would fill the line."""


@dataclass
class RunningTrial:
    """A trial that a worker has now."""

    number: int
    params: Mapping[str, object]
    run: int = 0
    epoch: int = 0
    val_error_percent: float | None = None


@dataclass
class SweepView:
    """A sweep at one moment."""

    name: str
    total: int
    seeds: int
    epochs: int
    started_at: float = field(default_factory=time.time)
    stopped_at: float | None = None
    """When its last trial ended, where no driver runs it any more."""
    counts: dict[str, int] = field(default_factory=dict)
    running: dict[int, RunningTrial] = field(default_factory=dict)
    best: tuple[int, float, float | None, Mapping[str, object]] | None = None
    """Number, objective, its standard error and parameters of the best trial."""
    notes: list[str] = field(default_factory=list)
    fraction_before: float = 0.0
    """Share of the sweep that an earlier driver did."""

    @property
    def done(self) -> int:
        """Trials that ended, however they did."""
        return sum(self.counts.values())

    def update(self, trial: OpenTrial, status: str) -> None:
        """Take in a trial's start, epoch or end."""
        if status not in ENDED:
            shown = self.running.setdefault(trial.number, RunningTrial(trial.number, trial.params))
            shown.run = int(trial.result.get("run", 0))
            shown.epoch = int(trial.result.get("epoch", 0))
            shown.val_error_percent = trial.result.get("val_error_percent")
            return
        self.running.pop(trial.number, None)
        self.counts[status] = self.counts.get(status, 0) + 1
        objective = trial.result.get("objective")
        if objective is not None and (self.best is None or objective < self.best[1]):
            error = trial.result.get("objective_standard_error")
            self.best = (trial.number, objective, error, trial.params)

    @property
    def complete(self) -> bool:
        """Whether every trial ran to an end of its own."""
        return self.done - self.counts.get("interrupted", 0) >= self.total

    def restart(self, total: int, seeds: int, counts: dict[str, int]) -> None:
        """Begin again with a new driver, to which `counts` trials have their end already."""
        self.total, self.seeds, self.counts = total, seeds, counts
        self.running.clear()
        self.notes.clear()
        self.started_at, self.stopped_at = time.time(), None
        self.fraction_before = self.fraction()

    def fraction(self) -> float:
        """Share of the sweep's epochs that are behind it."""
        epochs = self.seeds * self.epochs
        under_way = sum(one.run * self.epochs + one.epoch for one in self.running.values())
        return min(1.0, (self.done + under_way / epochs) / max(1, self.total))

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time left from the time that the part behind took; None before any."""
        fraction = self.fraction()
        gained = fraction - self.fraction_before
        return (now - self.started_at) * (1 - fraction) / gained if gained > 0 else None


def render(view: SweepView, now: float) -> RenderableType:
    """Draw the view for a terminal."""
    head = Text.assemble((view.name, "bold"), "  ", counts_text(view))
    bar = Table.grid(padding=(0, 2))
    bar.add_row(ProgressBar(total=1.0, completed=view.fraction(), width=30), time_text(view, now))
    table = Table(box=None, padding=(0, 1), header_style="dim")
    for title in ("trial", "seed", "epoch", "error %", "parameters"):
        table.add_column(title, justify="left" if title == "parameters" else "right")
    for one in sorted(view.running.values(), key=lambda one: one.number):
        table.add_row(
            str(one.number),
            f"{one.run + 1}/{view.seeds}",
            f"{one.epoch}/{view.epochs}",
            "–" if one.val_error_percent is None else f"{one.val_error_percent:.2f}",
            params_text(one.params),
        )
    notes = [Text(note, style="yellow") for note in view.notes]
    return Group(head, bar, best_text(view), *([table] if view.running else []), *notes)


def counts_text(view: SweepView) -> Text:
    """Count the trials by status, as `5/12 done · 2 running · 1 diverged`."""
    parts = [f"{view.done}/{view.total} trials done", f"{len(view.running)} running"]
    parts += [f"{n} {status}" for status, n in view.counts.items() if status != "completed"]
    return Text(" · ".join(parts))


def best_text(view: SweepView) -> Text:
    """Say which trial is the best so far."""
    if view.best is None:
        return Text("best: none yet", style="dim")
    number, objective, error, params = view.best
    return Text(
        f"best: trial {number}, {interval_text(objective, error)}  {params_text(params)}",
        style="green",
    )


def interval_text(objective: float, standard_error: float | None) -> str:
    """Write an objective with its standard error, as `1.66 ± 0.04 %`."""
    spread = "" if standard_error is None else f" ± {standard_error:.2f}"
    return f"{objective:.2f}{spread} %"


def params_text(params: Mapping[str, object]) -> str:
    """Write a trial's parameters on one line."""
    return "  ".join(
        f"{SYMBOLS.get(key, key)}={value_text(value)}" for key, value in params.items()
    )


def value_text(value: object) -> str:
    """Write a parameter's value as briefly as it stays recognisable."""
    if not isinstance(value, float):
        return str(value)
    if value and not 0.01 <= abs(value) < 1e4:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return f"{value:.2g}"


def time_text(view: SweepView, now: float) -> str:
    """Say how long the sweep has run and how long it will."""
    spent = duration_text((view.stopped_at or now) - view.started_at)
    under_way = view.stopped_at is None and view.done < view.total
    left = view.seconds_left(now) if under_way else None
    return f"{spent} spent" + ("" if left is None else f", about {duration_text(left)} left")


def duration_text(seconds: float) -> str:
    """Write a duration as people say it: `42 s`, `3 min 20 s`, `5 h 12 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class LiveView:
    """Shows the view while a sweep runs: redrawn in place, or a line a trial in a log."""

    def __init__(self, view: SweepView, console: Console) -> None:
        self._view = view
        self._console = console
        self._live: Live | None = None

    def __enter__(self) -> LiveView:
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=lambda: render(self._view, time.time()),
                console=self._console,
                refresh_per_second=4,
                transient=True,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, trial: OpenTrial, status: str) -> None:
        """Take in a change, and print a line for each trial that ended."""
        self._view.update(trial, status)
        if status in ENDED and self._live is None:
            self._console.print(self._line(trial, status), soft_wrap=True, highlight=False)

    def _line(self, trial: OpenTrial, status: str) -> str:
        objective = trial.result.get("objective")
        error = trial.result.get("objective_standard_error")
        value = "" if objective is None else f" {interval_text(objective, error)}"
        reason = str(trial.result.get("error") or "")
        left = time_text(self._view, time.time())
        return (
            f"[{self._view.done}/{self._view.total}] trial {trial.number} {status}{value}"
            f"{': ' + reason if reason else ''}  ({params_text(trial.params)}; {left})"
        ).replace("[", r"\[")
