"""The sweep of own_function.yaml in Ray Tune: with seeds, pruning and a resume."""

from pathlib import Path

import numpy as np
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from train_mine import train

STEPS, SEEDS, TRIALS = 8, 3, 12
FOLDER = Path("with_ray_tune").resolve()


def trainable(config):
    """Train each seed in turn, and report the mean over the seeds begun at each step."""
    curves = np.full((SEEDS, STEPS), np.nan)
    for seed in range(SEEDS):

        def report(epoch, accuracy, seed=seed, **_):
            curves[seed, epoch - 1] = accuracy
            begun = curves[: seed + 1, epoch - 1]
            error = begun.std(ddof=1) / len(begun) ** 0.5 if len(begun) > 1 else float("nan")
            tune.report({"accuracy": begun.mean(), "standard_error": error})

        train(config, seed, report)


if __name__ == "__main__":
    space = {
        "loss": tune.choice(["hinge", "log_loss", "modified_huber"]),
        "alpha": tune.loguniform(1e-6, 1e-2),
        "rate": tune.loguniform(0.003, 0.3),
    }
    if tune.Tuner.can_restore(str(FOLDER / "own")):
        tuner = tune.Tuner.restore(str(FOLDER / "own"), trainable, resume_unfinished=True)
    else:
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": 1}),
            param_space=space,
            tune_config=tune.TuneConfig(
                metric="accuracy",
                mode="max",
                num_samples=TRIALS,
                search_alg=OptunaSearch(seed=0),
                scheduler=ASHAScheduler(max_t=SEEDS * STEPS, grace_period=2, reduction_factor=3),
            ),
            run_config=tune.RunConfig(name="own", storage_path=str(FOLDER)),
        )
    best = tuner.fit().get_best_result(scope="last")
    print(best.metrics["accuracy"], best.metrics["standard_error"], best.config)
