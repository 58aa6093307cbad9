import numpy as np
from synthetic_store import SyntheticSweep, configuration

import analysis
from analysis.measures.trials import trials_table


def mean_over_seeds_error(values) -> float:
    return np.std(values, ddof=1) / np.sqrt(len(values))


def test_trials_are_ranked_and_have_the_standard_errors_of_their_own_seeds(tmp_path):
    """The number that the terminal prints beside the same mean, and not one of all trials."""
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
    expected = [mean_over_seeds_error(finals[trial]) for trial in (1, 0)]
    np.testing.assert_allclose(table["standard_error"][:2], expected)
    assert np.isnan(table["standard_error"][2]), "one seed has none"
    assert "learning_rate" in table.columns
    assert "s" not in table.columns, "only what was searched is shown"
