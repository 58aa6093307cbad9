"""The share of each searched parameter in where the best trials lie. No verdict rests on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

FEWEST_TRIALS = 10
"""Fewer say nothing: the method compares the best tenth of trials, two at least, with all."""

SPREAD_OF_LOGARITHMS = 20
"""Largest over smallest value from which a parameter is taken on a logarithmic scale."""


def importances(table: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """Return each parameter's share of the importance by Optuna's PED-ANOVA, largest first.

    The importance of a parameter is the distance of its distribution among the best tenth of
    trials from that among all (Watanabe, Bansal and Hutter 2023, arXiv 2304.10255). The shares
    say where good trials lie, not what a parameter does.

    Args:
        table: one row per trial with its `mean` (NaN: not complete) and the columns.
        columns: parameters; one that some complete trial lacks does not count.

    Returns:
        Shares that sum to 1, by parameter.

    Raises:
        ModuleNotFoundError: Optuna is not installed.
        ValueError: too few complete trials, or fewer than two parameters that differ.
    """
    done = table[table["mean"].notna()]
    used = [name for name in columns if done[name].notna().all() and done[name].nunique() > 1]
    if len(done) < FEWEST_TRIALS or len(used) < 2:
        raise ValueError(
            f"importance needs {FEWEST_TRIALS} complete trials and two parameters in which they "
            f"differ: there are {len(done)} and {len(used)}"
        )
    try:
        import optuna
    except ImportError:
        raise ModuleNotFoundError("importance needs Optuna: pip install optuna") from None
    study = _study(optuna, done, used)
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    found = optuna.importance.get_param_importances(study, evaluator=evaluator, params=used)
    return pd.Series(found, dtype="float64").sort_values(ascending=False, kind="stable")


def _study(optuna: Any, done: pd.DataFrame, used: Sequence[str]) -> Any:
    """Return the trials as an Optuna study."""
    # creating a study logs a line, which has no place in a report's output
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study()
    finally:
        optuna.logging.set_verbosity(verbosity)
    distributions = {name: _distribution(optuna.distributions, done[name]) for name in used}
    for row in done.to_dict("records"):
        params = {name: row[name] for name in used}
        trial = optuna.trial.create_trial(
            params=params, distributions=distributions, value=row["mean"]
        )
        study.add_trial(trial)
    return study


def _distribution(kinds: Any, values: pd.Series) -> Any:
    if not pd.api.types.is_numeric_dtype(values):
        return kinds.CategoricalDistribution(sorted(map(str, values.unique())))
    low, high = values.min(), values.max()
    log = bool(low > 0 and high > SPREAD_OF_LOGARITHMS * low)
    if pd.api.types.is_integer_dtype(values):
        return kinds.IntDistribution(int(low), int(high), log=log)
    return kinds.FloatDistribution(float(low), float(high), log=log)
