"""Rows that the driver writes: each column from one field, none lost under another name."""

import dataclasses
from datetime import UTC, datetime

import pytest

from analysis.store.schema import SWEEPS, TRIALS
from analysis.store.statuses import Status
from sweeps.driver.rows import sweep_row, trial_row
from sweeps.search.open_trials import OpenTrial, TrialOutcome
from sweeps.spec.reading import parse_spec
from sweeps.store.columns import check_fields

BEGUN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def open_trial(outcome: TrialOutcome | None = None) -> OpenTrial:
    given_at = BEGUN.timestamp()
    return OpenTrial(3, {"s": 5}, "c0ffee", given_at, None, search_seconds=0.25, outcome=outcome)


def test_a_trial_s_row_has_every_column_of_its_table() -> None:
    assert set(trial_row("x", open_trial(TrialOutcome(Status.ERROR)))) == set(TRIALS.schema.names)


def test_a_sweep_s_row_has_every_column_of_its_table() -> None:
    spec = parse_spec({"name": "x", "search": "grid", "data": "digits"})
    assert set(sweep_row(spec, 1)) == set(SWEEPS.schema.names)


def test_a_trial_s_row_is_its_outcome() -> None:
    outcome = TrialOutcome(
        Status.PRUNED,
        seeds_done=1,
        epochs_done=7,
        error="not among the best",
        queue_seconds=0.5,
        also={"parameters": 40.0},
    )
    row = trial_row("x", open_trial(outcome))
    told = {name: value for name, value in vars(outcome).items() if name in row}
    assert set(vars(outcome)) - set(told) == {"also"}
    assert {name: row[name] for name in told if name != "started_at"} == {
        name: value for name, value in told.items() if name != "started_at"
    }
    assert row["also_json"] == '{"parameters": 40.0}'
    assert (row["trial"], row["config_id"], row["params_json"]) == (3, "c0ffee", '{"s": 5}')
    assert row["started_at"] == BEGUN
    assert row["ended_at"] > BEGUN


def test_a_running_trial_has_no_end() -> None:
    row = trial_row("x", open_trial())
    assert (row["status"], row["ended_at"]) == ("running", None)


def test_a_renamed_field_is_an_error_and_not_a_null() -> None:
    fields = [("status", str), ("epoch_secs", float), ("text", str)]
    renamed = dataclasses.make_dataclass("Outcome", fields)
    message = r"Outcome\.epoch_secs has no column in the table trials"
    with pytest.raises(TypeError, match=message):
        check_fields(renamed, TRIALS, besides=("text",))
