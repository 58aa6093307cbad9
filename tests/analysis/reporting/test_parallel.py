"""Lines of trials through their parameters."""

import io

import numpy as np
import pandas as pd
import pytest

from analysis.reporting.figures.parallel import _heights, parallel

TABLE = pd.DataFrame(
    {
        "trial": [0, 1, 2, 3],
        "status": ["completed", "completed", "completed", "diverged"],
        "mean": [2.0, 1.0, 90.0, np.nan],
        "activation": ["relu", "swish", "relu", "swish"],
        "learning_rate": [1e-4, 1e-3, 1e-2, 1e-2],
        "s": [np.nan, 3.0, np.nan, 5.0],
    }
)


def test_values_stand_by_their_logarithm_their_number_or_their_word() -> None:
    # 1e-12: logarithms are rounded
    assert _heights(TABLE["learning_rate"]).tolist() == pytest.approx([0, 0.5, 1, 1], abs=1e-12)
    assert _heights(TABLE["activation"]).tolist() == [0.0, 1.0, 0.0, 1.0]
    assert _heights(TABLE["s"]).fillna(-1).tolist() == [-1, 0.0, -1, 1.0]
    assert _heights(pd.Series([7, 7])).tolist() == [0.5, 0.5]


def test_the_best_trial_stands_out_and_the_data_are_all_trials() -> None:
    figure = parallel("search", TABLE, ["activation", "learning_rate", "s"])
    assert "Orange: 1 trial with the smallest error" in figure.caption
    assert "the best, 1.00 %, at Activation swish, Learning rate 0.001, s 3" in figure.panels[0].alt
    assert pd.read_csv(io.StringIO(figure.data))["trial"].tolist() == [0, 1, 2, 3]
    assert figure.panels[0].svg.count(">0.0001<") == 1


def test_a_search_without_any_error_yet_is_drawn() -> None:
    waiting = TABLE.assign(mean=np.nan)
    assert "no trial has an error" in parallel("search", waiting, ["s"]).panels[0].alt
