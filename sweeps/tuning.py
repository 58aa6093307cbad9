"""All that needs Ray: a cluster, and Ray Tune scheduling the trials of a study on it."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import ray
from ray import tune
from ray.exceptions import AuthenticationError

from sweeps.ray_environment import ClusterError
from sweeps.searcher import StudySearcher
from sweeps.spec import ResourcesSection, SweepSpec
from sweeps.store import SweepPaths
from sweeps.study import OpenTrial, Work
from sweeps.trainable import WorkerSettings, trainable

WORKER_RESTARTS = 2
"""How often a trial whose worker was lost starts again, from its runs' checkpoints."""


@contextmanager
def cluster(address: str | None, resources: ResourcesSection) -> Iterator[int]:
    """Start Ray here, or join the cluster at an address; yield how many trials fit at a time.

    Raises:
        ClusterError: with what to do.
    """
    try:
        ray.init(
            address=address or "local",
            include_dashboard=False if address is None else None,
            configure_logging=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, RuntimeError, ValueError, AuthenticationError) as error:
        place = f"at {address}" if address else "on this machine"
        reason = str(error).strip().splitlines()[0]
        raise ClusterError(f"no Ray cluster {place}: {reason}. Try `sweeps doctor`") from None
    try:
        yield _slots(resources)
    finally:
        ray.shutdown()


def tune_study(
    spec: SweepSpec,
    study: optuna.Study,
    paths: SweepPaths,
    data_root: Path,
    slots: int,
    work: Work,
    on_change: Callable[[OpenTrial, str], None],
) -> None:
    """Have Ray Tune run the trials that are left of the sweep."""
    at_a_time = slots if spec.concurrency == "auto" else min(slots, spec.concurrency)
    # Unless told, Ray Tune prepares one trial at a time, and workers wait for it.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(at_a_time)
    _log_to(paths.log)
    searcher = StudySearcher(spec, study, on_change, work)
    settings = WorkerSettings(
        spec=spec.model_dump(mode="json"),
        root=str(paths.root),
        data_root=str(data_root),
        device="cuda" if spec.resources.gpus > 0 else "cpu",
        threads=max(1, int(spec.resources.cpus)),
    )
    # An earlier driver's scratch would only be mistaken for an experiment to restore.
    shutil.rmtree(paths.ray, ignore_errors=True)
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(trainable, settings=settings),
            {"cpu": spec.resources.cpus, "gpu": spec.resources.gpus},
        ),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=work.trials,
            max_concurrent_trials=min(at_a_time, work.trials),
            reuse_actors=True,
            trial_dirname_creator=lambda trial: trial.trial_id,
        ),
        run_config=tune.RunConfig(
            name=paths.ray.name,
            storage_path=str(paths.folder),
            failure_config=tune.FailureConfig(max_failures=WORKER_RESTARTS),
            verbose=0,
        ),
    )
    try:
        tuner.fit()
    finally:
        searcher.close_open("interrupted")


def _slots(resources: ResourcesSection) -> int:
    offered = ray.cluster_resources()
    slots = int(offered.get("CPU", 0) / resources.cpus)
    if resources.gpus > 0:
        slots = min(slots, int(offered.get("GPU", 0) / resources.gpus))
    if slots < 1:
        raise ClusterError(
            f"a trial asks for {resources.cpus:g} CPUs and {resources.gpus:g} GPUs, and the cluster"
            f" has {offered.get('CPU', 0):g} and {offered.get('GPU', 0):g}; ask for less in"
            " `resources`"
        )
    return slots


def _log_to(path: Path) -> None:
    """Send what Ray has to say to a file of the sweep's folder."""
    logger = logging.getLogger("ray")
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)
