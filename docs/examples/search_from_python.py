"""A search from Python: a specification as a dict, its results as data frames."""

import sweeps

results = sweeps.run(
    {
        "name": "from-python",
        "network": "lenet5",
        "data": "digits",
        "activation": "polyneuron_r",
        "space": {"s": {"choice": [3, 5]}, "learning_rate": {"log": [1e-3, 1e-2]}},
        "recipe": {"epochs": 3, "flip": "none"},
        "seeds": 1,
        "search": {"algorithm": "tpe", "trials": 3},
    }
)
best = results.trials.nsmallest(2, "objective")
print(best[["trial", "objective", "s", "learning_rate"]])
