import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from analysis.statistics.importance import importances


def trials(n: int = 40) -> pd.DataFrame:
    """Write trials whose error depends on the rate alone."""
    rng = np.random.default_rng(0)
    rate = 10 ** rng.uniform(-4, -1, n)
    return pd.DataFrame(
        {
            "learning_rate": rate,
            "s": rng.integers(3, 10, n),
            "activation": rng.choice(["apl", "swish"], n),
            "lambda_sum": np.where(np.arange(n) % 2, np.nan, 0.1),
            "mean": 2 + np.abs(np.log10(rate / 1e-3)),
        }
    )


COLUMNS = ["learning_rate", "s", "activation", "lambda_sum"]


def test_the_parameter_that_matters_is_the_most_important():
    pytest.importorskip("optuna", reason="importance is Optuna's")
    found = importances(trials(), COLUMNS)
    assert found.index[0] == "learning_rate"
    assert found.iloc[0] > 0.6
    assert found.sum() == pytest.approx(1)
    assert "lambda_sum" not in found, "half of the trials have none"


def test_few_trials_and_a_single_parameter_say_nothing():
    with pytest.raises(ValueError, match=r"10 complete trials .* there are 9 and 3"):
        importances(trials(9), COLUMNS)
    with pytest.raises(ValueError, match="there are 40 and 1"):
        importances(trials(), ["s"])


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModuleNotFoundError, match="pip install optuna"):
        importances(trials(), COLUMNS)


def test_the_report_itself_needs_no_optuna():
    code = "import sys, analysis.reporting.sections; print('optuna' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
