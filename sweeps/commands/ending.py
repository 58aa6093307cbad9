"""The end of a command that trains: its trials, how to go on, and a message to who left."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sweeps.commands.guardian import leave_last_line, may_be_there, tell_guardian
from sweeps.commands.notification import notify
from sweeps.commands.terminal import INTERRUPTED, console, errors, say
from sweeps.store.paths import SweepPaths
from sweeps.workers.environment import CutOffError

if TYPE_CHECKING:
    from sweeps.driver.continuation import Request


def go_on(root: Path, name: str, request: Request, address: str | None, notice: str | None) -> None:
    """Go on with a sweep as it is asked for."""
    from sweeps.driver.continuation import continue_sweep

    work = functools.partial(continue_sweep, root, name, request, console, address)
    to_the_end(root, name, work, notice)


def to_the_end(root: Path, name: str, work: Callable[[], bool], notice: str | None) -> None:
    """Do a sweep's work, then print its trials; after an interrupt, print how to go on.

    Args:
        root: of all sweeps.
        name: of the sweep.
        work: returns False after an interrupt.
        notice: a command of the user's for the message at the end.
    """
    paths = SweepPaths(root, name)
    tell_guardian(paths.spec, paths.hint("resume"))
    with _notified(root, name, notice):
        try:
            complete = work()
            print_trials(root, name)
        except KeyboardInterrupt:
            complete = False
        except CutOffError as error:
            safe = f"What is done is safe; go on with {paths.hint('resume')}"
            how = safe if may_be_there(paths.spec) else "Nothing was trained yet"
            line = f"error: {error}. {how}"
            if not leave_last_line(line):
                say(errors, line, "red")
            raise typer.Exit(1) from error
        if not complete:
            begun = may_be_there(paths.spec)
            how = f"go on with {paths.hint('resume')}" if begun else "nothing was trained yet"
            say(errors, f"interrupted; {how}", "yellow")
            raise typer.Exit(INTERRUPTED)


def print_trials(root: Path, name: str) -> None:
    """Print the trials of a sweep, the best first, and the commands that come next."""
    from sweeps.view.overview import trials_summary

    # not cropped: a command that is cut off at the edge does not run
    console.print(trials_summary(root, name, console.width), crop=False)


@contextmanager
def _notified(root: Path, name: str, notice: str | None) -> Iterator[None]:
    """Tell the user at the end of the body how it ended, by a command of the user's."""
    try:
        yield
    except typer.Exit as stop:
        if stop.exit_code == INTERRUPTED:
            _tell(notice, name, "interrupted", f"{name} was interrupted")
        else:
            _tell(notice, name, "failed", f"{name} was cut off: {stop.__cause__}")
        raise
    except Exception as error:
        _tell(notice, name, "failed", f"{name} failed: {error}")
        raise
    if notice:
        from sweeps.view.drawing import best_text
        from sweeps.view.overview import sweep_view

        view = sweep_view(root, name)
        # A spent budget ends a sweep early, and is no interrupt.
        state = "complete" if view.complete else "stopped"
        counted = f"{view.done} of {view.total} trials"
        text = f"{name} is {state}: {counted}, {best_text(view.best).plain}"
        _tell(notice, name, state, text)


def _tell(notice: str | None, name: str, state: str, message: str) -> None:
    trouble = notify(notice, name, state, message) if notice else ""
    if trouble:
        say(errors, f"warning: {trouble}", "yellow")
