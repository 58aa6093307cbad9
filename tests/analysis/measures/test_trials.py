import numpy as np
from scipy import stats
from synthetic_store import SyntheticSweep, configuration

import analysis
from analysis.measures.trials import trials_table


def test_trials_are_ranked_and_their_intervals_share_a_deviation(tmp_path):
    sweep = SyntheticSweep("search", purpose="exploratory", seeds=2)
    finals = {0: (3.0, 3.2), 1: (2.0, 2.4), 2: (5.0,)}
    for trial, pair in finals.items():
        config = configuration(learning_rate=10.0 ** -(trial + 2))
        for seed, final in enumerate(pair):
            sweep.add_run(config, seed, np.linspace(9, final, 30), trial=trial)
    sweep.add_run(configuration(learning_rate=1e-4), 1, np.array([9.0]), status="pruned", trial=2)
    sweep.write(tmp_path)
    table = trials_table(analysis.load(tmp_path), "search")
    assert table["trial"].tolist() == [1, 0, 2], "an unfinished trial ranks behind finished ones"
    assert table["status"].tolist() == ["completed", "completed", "pruned"]
    pooled = np.sqrt((0.02 + 0.08) / 2)  # variances of (3.0, 3.2) and (2.0, 2.4), one degree each
    half = stats.t.ppf(0.975, 2) * pooled / np.sqrt(2)
    np.testing.assert_allclose(table["high"][:2] - table["mean"][:2], half)
    assert "learning_rate" in table.columns
    assert "s" not in table.columns, "only what was searched is shown"
