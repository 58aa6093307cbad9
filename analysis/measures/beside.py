"""Two sweeps side by side: the trials that have the same parameters in both."""

from __future__ import annotations

import json
import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.measures.values import independent, values
from analysis.statistics.intervals import difference
from analysis.store.results import Results


def beside(results: Results, first: str, second: str) -> pd.DataFrame:
    """Return the difference of two sweeps in each trial that both have.

    A trial is in both if its parameters have the same names and values. What else differs, as the
    epochs of a run, is what is compared. Seeds of a trial are independent runs.

    Args:
        results: from `load`, with both sweeps.
        first: name of a sweep.
        second: name of another.

    Returns:
        One row per trial: its `parameters` (a dictionary), the mean validation error in percent of
        both (`mean_first`, `mean_second`) with their completed runs (`n_first`, `n_second`), and
        `difference` = second - first in points with Welch's 95 % interval (`low`, `high`). The
        interval is NaN where a side has too few runs, or where `n_shared` runs are the same in
        both, because one sweep took them over. No rows where no trial is in both.
    """
    frame = values(results, "val_error_percent", "last")
    samples = [_samples(results, frame, name) for name in (first, second)]
    common = [key for key in samples[0] if key in samples[1]]
    rows = []
    for key in common:
        one, other = (sample[key].to_numpy(float) for sample in samples)
        shared = len(samples[0][key].index.intersection(samples[1][key].index))
        gap = difference(other, one, pooled=False).interval()
        rows.append(
            {
                "parameters": dict(json.loads(key)),
                "mean_first": _mean(one),
                "n_first": len(one),
                "mean_second": _mean(other),
                "n_second": len(other),
                "n_shared": shared,
                "difference": gap.estimate,
                "low": math.nan if shared else gap.low,
                "high": math.nan if shared else gap.high,
            }
        )
    return pd.DataFrame(rows)


def _samples(results: Results, frame: pd.DataFrame, sweep: str) -> dict[str, pd.Series]:
    """Return the values of each trial, by run id, by its parameters as JSON with sorted keys."""
    trials = results.trials[results.trials["sweep"] == sweep]
    own = frame[(frame["sweep"] == sweep) & (frame["outcome"] == "measured")]
    found = {}
    for params, config_id in zip(trials["params_json"], trials["config_id"], strict=True):
        runs = independent(own[own["config_id"] == config_id])
        found[json.dumps(json.loads(params), sort_keys=True)] = runs.set_index("run_id")["value"]
    return found


def _mean(sample: npt.NDArray[np.float64]) -> float:
    return float(np.mean(sample)) if len(sample) else math.nan
