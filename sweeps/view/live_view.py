"""The live view of a sweep: redrawn in place in a terminal, plain lines in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.live import Live

from analysis.printed import brief_parameters
from sweeps.view.drawing import pace_text, render, time_text
from sweeps.view.in_place import NotebookView, in_place
from sweeps.view.progress import RunningTrial, SweepView

if TYPE_CHECKING:
    from sweeps.search.open_trials import OpenTrial, TrialOutcome

REDRAW_SECONDS = 0.25
PUBLISH_SECONDS = 1.0
LOG_SECONDS = 60.0
"""The time between two lines of a log while no trial ends."""


class LiveView:
    """Shows a sweep while it runs, and publishes what it shows for other processes.

    In a terminal or a notebook the view is redrawn in place; elsewhere there is a line a trial, and
    one a minute while none ends.
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
            console: where the view is shown.
            publish: is called with the view as text, about every second while it changes.
            stopping: returns the signal that asked the sweep to stop; empty before.
        """
        self._view = view
        self._stopping = stopping
        self._console = console
        self._publish = publish
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name="live view", daemon=True)
        self._live: Live | NotebookView | None = None
        self._told: set[str] = set()
        self.company: Callable[[], str] = str
        """Returns with whom the sweep shares its machines, in words; empty for nobody."""
        self._changed = True
        self._published_at = self._logged_at = 0.0

    def __enter__(self) -> LiveView:
        # Our own thread redraws, since it also publishes and logs.
        self._live = in_place(self._console, self._render)
        if self._live is not None:
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

    def __call__(self, trial: OpenTrial) -> None:
        """Take in a change of a trial; in a log, print a line for each trial that ended."""
        with self._lock:
            self._view.update(trial)
            self._changed = True
        if trial.outcome is not None and self._live is None:
            self._log(self._trial_line(trial, trial.outcome))

    def incident(self, happened: str) -> None:
        """Show what happened to a worker; in a log, print a line."""
        with self._lock:
            self._view.note_trouble(happened)
            self._changed = True
        if self._live is None:
            self._log(happened)

    def _render(self) -> RenderableType:
        size = self._console.size
        with self._lock:
            return render(self._view, time.time(), size.width, size.height)

    def _keep_up(self) -> None:
        while not self._over.wait(REDRAW_SECONDS):
            now = time.time()
            # Asked here: a signal's handler, which knows first, must take no lock.
            if self._view.stopping != self._stopping():
                self._view.stopping, self._changed = self._stopping(), True
            self._keep_company(self.company())
            if self._live is not None:
                self._live.refresh()
            elif now - self._logged_at > LOG_SECONDS:
                self._log(self._pulse_line(now))
            if self._changed and now - self._published_at > PUBLISH_SECONDS:
                self._publish_now()

    def _keep_company(self, text: str) -> None:
        if text == self._view.company:
            return
        with self._lock:
            self._view.company, self._changed = text, True
        # Sweeps that take turns would fill a log.
        if self._live is None and text and text not in self._told:
            self._told.add(text)
            self._log(text)

    def _publish_now(self) -> None:
        with self._lock:
            self._changed, self._published_at = False, time.time()
            text = self._view.to_json()
        self._publish(text)  # outside the lock: a slow disk must not hold the driver

    def _log(self, text: str) -> None:
        self._logged_at = time.time()
        self._console.print(text, soft_wrap=True, highlight=False, markup=False)

    def _trial_line(self, trial: OpenTrial, outcome: TrialOutcome) -> str:
        objective, error = outcome.objective, outcome.objective_standard_error
        printed = self._view.metric.printed
        value = "" if objective is None else f" {printed(objective, error)}"
        reason = f": {outcome.error}" if outcome.error else ""
        left = time_text(self._view, time.time())
        return (
            f"[{self._view.done}/{self._view.total}] trial {trial.number} {outcome.status}{value}"
            f"{reason}  ({brief_parameters(trial.params)}; {left})"
        )

    def _pulse_line(self, now: float) -> str:
        with self._lock:
            heard = [one for one in self._view.running.values() if one.started]
            trials = ", ".join(map(self._running_text, heard[:4]))
            pace = pace_text(self._view, now)
        running = f"{len(self._view.running)} running"
        doing = trials or self._view.company or "starting"
        return f"[{self._view.done}/{self._view.total}] {running}: {doing}  ({pace})"

    def _running_text(self, one: RunningTrial) -> str:
        view = self._view
        seed = f"seed {one.seed_index + 1}/{view.seeds_of(one)}"
        value = "" if one.value is None else f" {view.metric.printed(one.value)}"
        return f"trial {one.number} {seed} epoch {view.of_epochs(one.epoch)}{value}"
