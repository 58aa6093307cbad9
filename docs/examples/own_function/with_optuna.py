"""The sweep of own_function.yaml in Optuna: on two processes, with seeds, pruning and a resume."""

import multiprocessing

import numpy as np
import optuna
from train_mine import train

STEPS, SEEDS, TRIALS, STORAGE = 8, 3, 12, "sqlite:///with_optuna.db"


def objective(trial):
    """Train each seed in turn, and report the mean over the seeds begun at each step."""
    config = {
        "loss": trial.suggest_categorical("loss", ["hinge", "log_loss", "modified_huber"]),
        "alpha": trial.suggest_float("alpha", 1e-6, 1e-2, log=True),
        "rate": trial.suggest_float("rate", 0.003, 0.3, log=True),
    }
    curves = np.full((SEEDS, STEPS), np.nan)
    for seed in range(SEEDS):

        def report(epoch, accuracy, seed=seed, **_):
            curves[seed, epoch - 1] = accuracy
            step = seed * STEPS + epoch
            trial.report(np.nanmean(curves[:, epoch - 1]), step)
            if trial.should_prune():
                raise optuna.TrialPruned

        train(config, seed, report)
    last = curves[:, -1]
    trial.set_user_attr("standard_error", last.std(ddof=1) / SEEDS**0.5)
    return last.mean()


def work(process):
    """Add trials to the study until it has enough, those of earlier starts included."""
    study = optuna.create_study(
        study_name="own",
        storage=STORAGE,
        direction="maximize",
        load_if_exists=True,
        sampler=optuna.samplers.TPESampler(seed=process),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=2, reduction_factor=3),
    )
    enough = optuna.study.MaxTrialsCallback(
        TRIALS, states=(optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    )
    study.optimize(objective, callbacks=[enough])


if __name__ == "__main__":
    work_in = multiprocessing.get_context("spawn")
    processes = [work_in.Process(target=work, args=(number,)) for number in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    best = optuna.load_study(study_name="own", storage=STORAGE).best_trial
    print(best.value, best.user_attrs["standard_error"], best.params)
