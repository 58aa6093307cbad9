"""Hypotheses of a sweep's own, on stores with planted effects."""

import json
from pathlib import Path
from typing import Any

import pytest
from declared_sweeps import NOW, SEEDS, SIDES, entry, store, word

import analysis
from analysis.paper.hypotheses import declared_before, hypotheses_of, judge_hypotheses
from analysis.store.folder_store import open_store
from analysis.store.schema import SWEEPS


def two_kinds(new: float, old: float) -> dict[tuple[str, float], float]:
    """Both kinds at two widths that differ by far more than the kinds do."""
    return {("new", 1.0): new, ("old", 1.0): old, ("new", 2.0): new + 50, ("old", 2.0): old + 50}


@pytest.mark.parametrize(
    ("form", "new", "old", "expected"),
    [
        ({"better": {**SIDES, "by": 0.0}}, 10.0, 13.0, "supported"),
        ({"better": {**SIDES, "by": 0.0}}, 13.0, 10.0, "contradicted"),
        ({"better": {**SIDES, "by": 0.0}}, 10.0, 10.1, "not decided"),
        ({"better": {**SIDES, "by": 1.0}}, 10.0, 13.0, "supported"),
        ({"better": {**SIDES, "by": 3.0}}, 10.0, 13.0, "not decided"),
        ({"better": {**SIDES, "by": 6.0}}, 10.0, 13.0, "contradicted"),
        ({"no_gain": {**SIDES, "margin": 2.0}}, 10.0, 10.0, "supported"),
        ({"no_gain": {**SIDES, "margin": 2.0}}, 13.0, 10.0, "supported"),
        ({"no_gain": {**SIDES, "margin": 2.0}}, 5.0, 10.0, "contradicted"),
        ({"equivalent": {**SIDES, "margin": 2.0}}, 10.0, 10.0, "supported"),
        ({"equivalent": {**SIDES, "margin": 2.0}}, 15.0, 10.0, "contradicted"),
        ({"equivalent": {**SIDES, "margin": 2.0}}, 5.0, 10.0, "contradicted"),
        ({"equivalent": {**SIDES, "margin": 2.0}}, 12.0, 10.0, "not decided"),
    ],
)
@pytest.mark.parametrize("largest", [False, True])
def test_two_arms_are_judged_over_blocks_whichever_end_is_best(
    tmp_path: Path, form: dict[str, Any], new: float, old: float, expected: str, largest: bool
) -> None:
    """The blocks, which differ by 50, must not enter the deviation; -50 with the negatives."""
    means = two_kinds(new, old)
    if largest:
        means = {key: -mean for key, mean in means.items()}
    assert word(store(tmp_path, [entry("h", **form)], means, largest)) == expected


@pytest.mark.parametrize(
    ("direction", "steps", "expected"),
    [
        ("falls", (0.0, -2.0, -4.0), "supported"),
        ("rises", (0.0, -2.0, -4.0), "contradicted"),
        ("rises", (0.0, 2.0, 4.0), "supported"),
        ("falls", (0.0, 2.0, 4.0), "contradicted"),
        ("falls", (0.0, -0.1, 0.0), "not decided"),
    ],
)
@pytest.mark.parametrize("largest", [False, True])
def test_a_trend_is_about_the_metric_itself(
    tmp_path: Path, direction: str, steps: tuple[float, ...], expected: str, largest: bool
) -> None:
    means = {
        (kind, float(width)): 20 + step + (30 if kind == "new" else 0)
        for kind in ("new", "old")
        for width, step in enumerate(steps, start=1)
    }
    form = {"trend": {"of": "width", "direction": direction}}
    assert word(store(tmp_path, [entry("h", **form)], means, largest)) == expected


@pytest.mark.parametrize(
    ("diverged", "expected"),
    [(("old",), "supported"), (("new",), "contradicted"), (("old", "new"), "not decided")],
)
def test_an_arm_of_which_fewer_runs_diverge_is_more_stable(
    tmp_path: Path, diverged: tuple[str, ...], expected: str
) -> None:
    means = dict.fromkeys(two_kinds(0, 0), 10.0)
    results = store(tmp_path, [entry("h", more_stable=SIDES)], means, diverged=diverged)
    assert word(results) == expected


def test_where_leaves_out_the_other_configurations(tmp_path: Path) -> None:
    means = {**two_kinds(10.0, 13.0), ("new", 2.0): 90.0}
    form = {"better": {**SIDES, "by": 0.0}}
    one, whole = entry("one", {"width": 1.0}, **form), entry("whole", **form)
    results = store(tmp_path, [one, whole], means)
    found = {verdict.claim.id: verdict for verdict in judge_hypotheses(results, "own")}
    assert found["one"].word == "supported"
    assert found["whole"].word == "contradicted"
    assert found["one"].ledger.planned == 2 * SEEDS
    assert found["one"].claim.estimand == (
        "kind = new is better than kind = old, where width = 1.0"
    )


def test_a_configuration_without_runs_is_missing_by_name(tmp_path: Path) -> None:
    means = two_kinds(10.0, 13.0)
    del means["old", 2.0]
    results = store(tmp_path, [entry("h", better={**SIDES, "by": 0.0})], means)
    (verdict,) = judge_hypotheses(results, "own")
    assert verdict.word == "not tested"
    assert "no runs of kind = old, 2.0" in verdict.reason


@pytest.mark.parametrize(
    ("known_runs", "reused", "before"), [(0, False, True), (3, False, False), (0, True, False)]
)
def test_a_hypothesis_is_exploratory_if_runs_were_known_when_it_was_declared(
    tmp_path: Path, known_runs: int, reused: bool, before: bool
) -> None:
    one = entry("h", better={**SIDES, "by": 0.0})
    results = store(tmp_path, [one], two_kinds(10, 13), known_runs=known_runs, reused=reused)
    (verdict,) = judge_hypotheses(results, "own")
    assert declared_before(results, "own", verdict) is before
    (row,) = analysis.hypotheses(results).to_dict("records")
    assert (row["declared_before"], row["verdict"]) == (before, "supported")


def test_a_hypothesis_that_was_changed_after_the_first_run_is_exploratory(tmp_path: Path) -> None:
    one = entry("h", better={**SIDES, "by": 0.0})
    results = store(tmp_path, [one], two_kinds(10, 13))
    changed = {**one, "better": {**SIDES, "by": 0.5}}
    writer = open_store(tmp_path / "own", None).writer("driver")
    row = results.sweeps.iloc[0].to_dict()
    row = {name: row[name] for name in ("sweep", "benchmark", "trainer", "purpose", "metric")}
    spec = json.dumps({"seeds": list(range(SEEDS)), "hypotheses": [changed]})
    writer.write(SWEEPS, [{**row, "spec_json": spec, "seeds": SEEDS, "created_at": NOW}])
    again = analysis.load(tmp_path)
    (verdict,) = judge_hypotheses(again, "own")
    assert not declared_before(again, "own", verdict)


def test_a_sweep_without_hypotheses_has_none(tmp_path: Path) -> None:
    results = store(tmp_path, [], two_kinds(10, 13))
    assert hypotheses_of(results, "own") == ()
    assert judge_hypotheses(results, "own") == []
    assert analysis.hypotheses(results).empty


def test_the_report_has_the_verdict_and_when_it_was_declared(tmp_path: Path) -> None:
    one = entry("new_is_better", better={**SIDES, "by": 0.0})
    results = store(tmp_path / "root", [one], two_kinds(10, 13), scatter=0.01)
    analysis.report(results, tmp_path / "out", ["md"])
    text = (tmp_path / "out" / "report.md").read_text()
    line = next(line for line in text.splitlines() if "| kind = new is better" in line)
    assert "kind = new is better than kind = old" in line
    assert "supported" in line
    assert "before" in line
    assert "3.0000 (" in line, "as many digits as the interval has"
