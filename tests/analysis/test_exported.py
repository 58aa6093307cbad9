"""Exports: no digit is lost, and no name becomes a formula."""

import csv
import io
import json
import math

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.exported import csv_text, json_lines

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@given(st.lists(st.tuples(FINITE, st.integers(-(2**31), 2**31 - 1), TEXT), min_size=1))
@example([(0.1 + 0.2, -1, "a b#c%d?&<>\"'_$~^\\é"), (5e-324, 2, "-1"), (-1.5, 3, "=1+1")])
def test_values_survive_digit_for_digit(rows):
    frame = pd.DataFrame(rows, columns=["x", "n", "name"])
    read = list(csv.DictReader(io.StringIO(csv_text(frame), newline="")))
    assert [(float(row["x"]), int(row["n"])) for row in read] == [(x, n) for x, n, _ in rows]
    for row, (_, _, name) in zip(read, rows, strict=True):
        changed = name.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert row["name"] == (f"'{name}" if changed else name)
    lines = json_lines(frame).splitlines()
    assert [tuple(json.loads(line).values()) for line in lines] == rows


@pytest.mark.parametrize("kind", [object, "string", "category"])
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_text_of_any_kind_begins_as_a_formula(start, kind):
    name = f"{start}HYPERLINK(1)"
    frame = pd.DataFrame({name: pd.Series([name, "a"], dtype=kind), "n": [-1.5, 2]})
    read = list(csv.reader(io.StringIO(csv_text(frame), newline="")))
    assert read == [[f"'{name}", "n"], [f"'{name}", "-1.5"], ["a", "2.0"]]


def test_what_is_missing_is_empty_and_null():
    moment = pd.Timestamp("2026-01-05T09:00:00.000001Z")
    frame = pd.DataFrame(
        {
            "x": [1.5, math.nan, math.inf],
            "n": pd.array([None, 2, 3], "Int32"),
            "at": [moment, pd.NaT, moment],
            "word": pd.Categorical(["a", None, "b"]),
            "on": pd.array([True, None, False], "boolean"),
        }
    )
    found = [json.loads(line) for line in json_lines(frame).splitlines()]
    at = "2026-01-05T09:00:00.000001+00:00"
    assert found[0] == {"x": 1.5, "n": None, "at": at, "word": "a", "on": True}
    assert found[1] == {"x": None, "n": 2, "at": None, "word": None, "on": None}
    assert found[2]["x"] is None
    assert csv_text(frame).splitlines()[2] == ",2,,,"
