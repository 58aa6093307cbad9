"""A report that follows its sweeps, written anew whenever the store has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from analysis.measures.values import UNFINISHED
from analysis.reporting.report import USUAL, report
from analysis.store.results import Results, load

EVERY_SECONDS = 30.0


def watch(
    path: str | Path,
    sweeps: Sequence[str] | None,
    out: str | Path,
    formats: Sequence[str] = USUAL,
    every_seconds: float = EVERY_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Results, list[Path]]]:
    """Write the report into `out` now and after each change, until every trial has ended.

    Until then the page asks the browser to load it again.

    Yields:
        The results of each report, and the paths of its files.

    Raises:
        StoreError: no store there, or no such sweep.
        ValueError: an unknown format.
    """
    before: object = None
    while True:
        results = load(path, sweeps)
        finished, now = _finished(results), _state(results)
        if now != before or finished:
            again = None if finished else every_seconds
            yield results, report(results, out, formats, refresh_seconds=again)
            before = now
        if finished:
            return
        sleep(every_seconds)


def _finished(results: Results) -> bool:
    """Return True once every planned trial has a status that no resume changes."""
    trials, planned = results.trials, results.sweeps["trials_planned"]
    ended = ~trials["status"].isin(UNFINISHED)
    return bool(planned.notna().all() and ended.sum() >= planned.sum() and ended.all())


def _state(results: Results) -> object:
    """Return a value that changes when a run begins, goes on or ends."""
    runs, trials = results.runs, results.trials
    words = [tuple(frame["status"].astype(str)) for frame in (runs, trials)]
    return (*words, tuple(runs["epochs_done"].fillna(-1)))
