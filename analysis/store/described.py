"""What results hold, in a few lines: for a prompt, and as HTML for a notebook."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

import pandas as pd

SHOWN_SWEEPS = 20
"""Sweeps that are listed; the others are counted."""

Line = tuple[str, str, str, str, str]
"""A sweep's name, benchmark, trials, runs by status, and lowest error of a completed run."""


def described(path: str, lines: Sequence[Line], damaged: int) -> str:
    """Return the sweeps as text, a line each."""
    shown = [
        f"  {name}: {benchmark}, {trials}, {runs}" + (f", {best}" if best else "")
        for name, benchmark, trials, runs, best in lines[:SHOWN_SWEEPS]
    ]
    more = [f"  and {len(lines) - SHOWN_SWEEPS} more"] if len(lines) > SHOWN_SWEEPS else []
    lost = [f"  {damaged} damaged: see .damaged"] if damaged else []
    head = f"Results of {len(lines)} sweep{'' if len(lines) == 1 else 's'} in {path}"
    return "\n".join([head, *shown, *more, *lost])


def described_as_html(path: str, lines: Sequence[Line], damaged: int) -> str:
    """Return the sweeps as a table; names come from elsewhere and are escaped."""
    heads = "".join(f"<th>{one}</th>" for one in ("sweep", "benchmark", "trials", "runs", "best"))
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>"
        for line in lines[:SHOWN_SWEEPS]
    )
    rest = described(path, lines, damaged).splitlines()
    notes = "<br>".join(
        escape(one.strip()) for one in (rest[0], *rest[1 + min(len(lines), SHOWN_SWEEPS) :])
    )
    return f"<p>{notes}</p><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def sweep_lines(sweeps: Sequence[str], trials: pd.DataFrame, runs: pd.DataFrame) -> list[Line]:
    """Return a line for each sweep."""
    lines = []
    for name in sweeps:
        mine = runs[runs["sweep"] == name]
        counts = mine["status"].value_counts()
        statuses = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
        errors = mine.loc[mine["status"] == "completed", "last_val_error_percent"]
        best = f"lowest error {errors.min():.2f} %" if errors.notna().any() else ""
        count = int((trials["sweep"] == name).sum())
        benchmarks = " and ".join(sorted(set(mine["benchmark"].dropna().astype(str))))
        lines.append(
            (
                name,
                benchmarks or "no runs yet",
                f"{count} trial{'' if count == 1 else 's'}",
                f"runs: {statuses or 'none'}",
                best,
            )
        )
    return lines


def with_parameters(trials: pd.DataFrame) -> pd.DataFrame:
    """Add a column for each parameter that the trials drew; a table's own column stays."""
    drawn = [json.loads(text) if isinstance(text, str) else {} for text in trials["params_json"]]
    names = [
        name for name in dict.fromkeys(key for one in drawn for key in one) if name not in trials
    ]
    columns = {name: _typed([one.get(name) for one in drawn], trials.index) for name in names}
    return trials.assign(**columns)


def _typed(values: Sequence[object], index: pd.Index) -> pd.Series:
    """Return whole numbers as nullable integers, other numbers as floats, and words as such."""
    there = [value for value in values if value is not None]
    column = pd.Series(list(values), index, dtype=object)
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in there):
        return column
    whole = all(isinstance(value, int) for value in there)
    return column.astype("Int64" if whole else "float64")
