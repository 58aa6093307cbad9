"""Sweeps that declare hypotheses of their own, with planted values of their runs."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import analysis
from analysis.paper.hypotheses import judge_hypotheses
from analysis.store.declarations import DECLARED, declaration
from analysis.store.folder_store import open_store
from analysis.store.schema import EVENTS, RUNS, SWEEPS, TRIALS

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SEEDS = 8
SIDES = {"arm": {"kind": "new"}, "than": {"kind": "old"}}


def entry(name: str, where: dict[str, Any] | None = None, **form: Any) -> dict[str, Any]:
    """A hypothesis as a resolved specification has it."""
    kept = {"where": where or {}, "minimum_runs": 5, "max_seeds": SEEDS}
    absent = dict.fromkeys(("better", "no_gain", "equivalent", "trend", "more_stable"))
    return {"name": name, **absent, **kept, **form}


def store(
    root: Path,
    entries: list[dict[str, Any]],
    means: dict[tuple[str, float], float],
    largest: bool = False,
    scatter: float = 1.0,
    diverged: tuple[str, ...] = (),
    known_runs: int = 0,
    reused: bool = False,
    drawn: Callable[[], float | None] | None = None,
) -> analysis.Results:
    """A sweep over `kind` and `width` whose runs have exactly these means and this deviation.

    `drawn` gives each run's deviation instead, in the order of trials and seeds; None: it diverged.
    """
    deviations = np.linspace(-1, 1, SEEDS)
    deviations *= scatter / deviations.std(ddof=1)
    spec = {"seeds": list(range(SEEDS)), "hypotheses": entries}
    sweep = {
        "sweep": "own",
        "benchmark": "mine:train",
        "trainer": "mine:train",
        "purpose": "confirmatory",
        "search": "grid",
        "early_stopping": "none",
        "metric": "score",
        "direction": "max" if largest else "min",
        "trials_planned": len(means),
        "seeds": SEEDS,
        "spec_json": json.dumps(spec),
        "created_at": NOW,
    }
    trials, runs = [], []
    for trial, ((kind, width), mean) in enumerate(means.items()):
        key = {"sweep": "own", "trial": trial, "config_id": f"{trial:016d}"}
        params = {"kind": kind, "width": width}
        trials.append({**key, "params_json": json.dumps(params), "status": "completed"})
        for seed, deviation in enumerate(deviations):
            lost = kind in diverged and seed % 2 == 0
            if drawn is not None:
                deviation = drawn()
                lost = deviation is None
            runs.append(
                {
                    **key,
                    "run_id": f"{trial:016d}-s{seed}",
                    "seed": seed,
                    "benchmark": "mine:train",
                    "status": "diverged" if lost else "completed",
                    "metric_value": None if lost else mean + float(deviation),
                    "code_version": "1",
                    "epochs_done": 0,
                    "reused_from": "earlier" if reused else None,
                    "started_at": NOW,
                    "ended_at": NOW,
                }
            )
    event = {"sweep": "own", "run_id": "", "at": NOW, "kind": DECLARED}
    event["detail"] = declaration(entries, known_runs)
    writer = open_store(root / "own", None).writer("driver")
    writer.write_all([(SWEEPS, [sweep]), (TRIALS, trials), (RUNS, runs), (EVENTS, [event])])
    return analysis.load(root)


def word(results: analysis.Results) -> str:
    (verdict,) = judge_hypotheses(results, "own")
    return str(verdict.word)
