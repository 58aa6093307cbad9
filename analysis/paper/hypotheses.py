"""Hypotheses of a user's own: declared in a specification, judged as the paper's claims are.

An arm is a selection of the sweep's configurations by their parameters. Rules, looks, ledger and
levels are those of the paper's claims; the evidence is the one sweep that declared them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import pandas as pd

from analysis.measures.origins import origins
from analysis.measures.trials import drawn_parameters, metric_of_sweep, runs_of_sweep
from analysis.measures.values import At
from analysis.paper.claims import Claim
from analysis.paper.evidence import SPACE, Evidence
from analysis.paper.rules.pairs import SIDES, selection_text
from analysis.paper.sentences import OWN
from analysis.paper.verdicts import Verdict, judge_all, verdict_row
from analysis.store.declarations import DECLARED, known_before
from analysis.store.results import Results


class SweepEvidence(Evidence):
    """The runs of one sweep, whatever it trains; a smaller value is better in every arm."""

    def __init__(self, results: Results, sweep: str) -> None:
        """Take results that have the sweep."""
        super().__init__(results.only([sweep]))
        self._sweep = sweep

    @cached_property
    def runs(self) -> pd.DataFrame:
        """Rows of `runs` with each parameter's column, `value` and `outcome`."""
        frame, _ = runs_of_sweep(self.results, self._sweep)
        whole = self.results.runs.loc[frame.index]
        metric = metric_of_sweep(self.results, self._sweep)
        names = ["sweep", "run_id", "trial", "config_id", "seed", "benchmark", "outcome"]
        drawn = drawn_parameters(self.results, self._sweep).add_prefix(SPACE)
        kept = frame[names].assign(
            value=frame["value"].map(metric.badness),
            config_id=frame["config_id"].astype(str),
            status=whole["status"].astype(str),
            device=whole["device"],
            reused_from=whole["reused_from"],
            origin=origins(whole),
        )
        return kept.join(drawn, on="trial")

    def _choose(self, claim: Claim, benchmark: str) -> pd.DataFrame:
        keep = pd.Series(True, index=self.runs.index)
        for column, allowed in claim.only.items():
            keep &= self.runs[column].isin(list(allowed))
        return self.runs[keep]

    def _measured(self, metric: str, at: At) -> pd.DataFrame:
        return self.runs


def hypotheses_of(results: Results, sweep: str) -> tuple[Claim, ...]:
    """Return the hypotheses that a sweep's specification declares."""
    entries = _entries(results, sweep)
    if not entries:
        return ()
    benchmark = str(results.sweeps.set_index("sweep").loc[sweep, "benchmark"])
    drawn = drawn_parameters(results, sweep)
    parameters = [str(name) for name in drawn if drawn[name].nunique(dropna=False) > 1]
    metric = metric_of_sweep(results, sweep)
    made = (_claim(entry, benchmark, parameters, metric.largest) for entry in entries)
    unit = "points" if metric.is_percent else OWN
    return tuple(replace(one, unit=unit, sweeps=(sweep,)) for one in made)


def judge_hypotheses(results: Results, sweep: str) -> list[Verdict]:
    """Return the verdict on each hypothesis of a sweep, in the order of its specification."""
    if not (results.runs["sweep"] == sweep).any():
        return []
    found = hypotheses_of(results, sweep)
    return judge_all(found, SweepEvidence(results, sweep)) if found else []


def hypotheses(results: Results) -> pd.DataFrame:
    """Return the verdict on every hypothesis that the sweeps have declared.

    Returns:
        One row per hypothesis: `sweep`, `declared_before` (True if no run of its arms was known
        when it was declared; else the verdict is exploratory), and the columns of `verdicts`.
    """
    rows = [
        {
            "sweep": sweep,
            "declared_before": declared_before(results, sweep, verdict),
            **verdict_row(verdict),
        }
        for sweep in results.names
        for verdict in judge_hypotheses(results, sweep)
    ]
    return pd.DataFrame(rows)


def declared_before(results: Results, sweep: str, verdict: Verdict) -> bool:
    """Return True if a hypothesis was declared before any run of its arms was known.

    Runs that the sweep took over from another were known before.
    """
    runs = results.runs[results.runs["run_id"].astype(str).isin(verdict.run_ids)]
    if runs.loc[runs["sweep"] == sweep, "reused_from"].notna().any():
        return False
    events = results.events
    told = events[(events["sweep"] == sweep) & (events["kind"] == DECLARED)]
    entry = next(one for one in _entries(results, sweep) if one["name"] == verdict.claim.id)
    return known_before(told["detail"].dropna().astype(str), entry)


def _entries(results: Results, sweep: str) -> list[dict[str, Any]]:
    """Return the hypotheses of a sweep's specification."""
    row = results.sweeps.set_index("sweep").loc[sweep]
    text = row["spec_json"]
    return list(json.loads(text).get("hypotheses") or ()) if isinstance(text, str) else []


def _claim(entry: Mapping[str, Any], benchmark: str, parameters: list[str], largest: bool) -> Claim:
    rule = next(name for name in FORMS if entry.get(name))
    asked = entry[rule]
    selections = trend = None
    if rule == "trend":
        # the rule is about how bad a value is, which falls where an accuracy rises
        rises = (asked["direction"] == "rises") != largest
        trend = {"column": f"{SPACE}{asked['of']}", "rises": rises}
        estimand = f"the metric {asked['direction']} with {asked['of']}"
    else:
        sides = (asked["arm"], asked["than"])
        prefixed = ({f"{SPACE}{key}": v for key, v in side.items()} for side in sides)
        selections = dict(zip(SIDES, prefixed, strict=True))
        candidate, reference = map(selection_text, selections.values())
        estimand = FORMS[rule].format(
            arm=candidate, than=reference, by=asked.get("by", 0), margin=asked.get("margin")
        )
        estimand = estimand.replace(" by at least 0.0", "")
    if entry["where"]:
        estimand += f", where {selection_text(entry['where'])}"
    return Claim(
        id=entry["name"],
        quote="",
        estimand=estimand,
        rule=rule,
        benchmark=benchmark,
        minimum_runs=entry["minimum_runs"],
        max_seeds=entry["max_seeds"],
        only={f"{SPACE}{key}": [value] for key, value in entry["where"].items()},
        margin=asked.get("margin"),
        by=asked.get("by", 0.0),
        selections=selections,
        trend=trend,
        parameters=tuple(f"{SPACE}{name}" for name in parameters),
    )


FORMS = {
    "better": "{arm} is better than {than} by at least {by}",
    "no_gain": "{arm} gains less than {margin} over {than}",
    "equivalent": "{arm} and {than} differ by less than {margin}",
    "trend": "",
    "more_stable": "fewer runs of {arm} diverge than of {than}",
}
"""The sentence of each rule."""
