"""The best trial of a sweep, and its network as a file of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import analysis
from analysis.store.contract import Row
from analysis.store.errors import StoreError
from analysis.store.metric import metric_of
from analysis.store.statuses import Status
from sweeps.driver.preparation import stored_spec
from sweeps.spec.search_space import configure
from sweeps.store.paths import SweepPaths
from sweeps.view.overview import best_of
from sweeps.view.progress import Best
from trainers import RunConfig


@dataclass(frozen=True)
class BestRun:
    """The run of the best trial that ended with the smallest error."""

    trial: Best
    run: RunConfig
    error_percent: float
    seeds: int
    """Completed runs of the trial, of which this is the best."""
    checkpoints: Path
    """The folder in which the sweep that trained the run has its end."""


def best_trial(results: analysis.Results, name: str) -> Best:
    """Return the best trial of a sweep.

    Raises:
        StoreError: no trial has completed.
    """
    trial = best_of(results.trials, metric_of(results.sweeps.iloc[0]))
    if trial is None:
        raise StoreError(f"no trial of {name!r} has completed yet: there is no best one")
    return trial


def best_run(root: Path, name: str) -> BestRun:
    """Return the best trial's best run.

    Raises:
        StoreError: no such sweep, no trial has completed, or a training function of the user's own
            trained it.
    """
    results = analysis.load(root, [name])
    trial = best_trial(results, name)
    spec = stored_spec(SweepPaths(root, name))
    if spec.trainer is not None:
        raise StoreError(
            f"--export writes a network of this program's own; what {spec.trainer.name} keeps is"
            f" in {SweepPaths(root, name).checkpoints}, in a folder a run"
        )
    runs = results.runs
    (config_id,) = results.trials.loc[results.trials["trial"] == trial.trial, "config_id"]
    own = runs[(runs["config_id"] == config_id) & (runs["status"] == Status.COMPLETED)]
    chosen = own.sort_values(["last_val_error_percent", "seed"]).iloc[0]
    configuration = configure(spec, trial.params)
    return BestRun(
        trial,
        RunConfig.of(configuration, int(chosen["seed"])),
        float(chosen["last_val_error_percent"]),
        len(own),
        _checkpoints(root, name, chosen.to_dict()),
    )


def export_best(best: BestRun, out: Path) -> None:
    """Write the best run's network to a file that `trainers.trained.load_network` reads.

    Raises:
        StoreError: the sweep's checkpoints are gone.
        DataUnavailableError: the run's images, whose statistics the network needs, are not there.
        OSError: the file cannot be written.
    """
    from trainers.checkpoint import RunFolder
    from trainers.trained import export_network

    ended = RunFolder(best.checkpoints).final()
    if ended is None:
        raise StoreError(
            f"the weights of this run are not in {best.checkpoints} any more: train it again with"
            " another root or name"
        )
    export_network(out, best.run, ended["net"])


def _checkpoints(root: Path, name: str, run: Row) -> Path:
    trained_by = run["reused_from"]
    sweep = str(trained_by) if isinstance(trained_by, str) else name
    return SweepPaths(root, sweep).checkpoints / str(run["run_id"])
