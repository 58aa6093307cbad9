"""A Ray cluster: started on this machine for one sweep, or joined at an address."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import _raylet
from ray._private import worker as ray_worker

from analysis.program import program
from sweeps.search.databases import without_study_url
from sweeps.spec.sections import ResourcesSection
from sweeps.workers.environment import ClusterError, check_answers
from sweeps.workers.own_cluster import few_daemons, waiting_processes
from sweeps.workers.places import Machines
from sweeps.workers.token import check_token, local_token, private_folder

NEEDED = ("raylet", "gcs_server")
JOIN_SECONDS = 30.0
"""How long to wait for a cluster's machines: a head alone may have no CPU to offer."""


@contextmanager
def cluster(address: str | None, resources: ResourcesSection) -> Iterator[None]:
    """Start Ray here, or join the cluster at an address.

    Raises:
        ClusterError: there is no cluster, or a trial does not fit into it.
    """
    if address is None:
        with local_token(), few_daemons(), _ray(None), waiting_processes():
            _check_room(resources, 0)
            yield
        return
    check_answers(address)
    check_token()
    with _ray(address):
        _check_room(resources, JOIN_SECONDS)
        yield


@contextmanager
def _ray(address: str | None) -> Iterator[None]:
    # Ray keeps the token of an earlier cluster of this process.
    _raylet.AuthenticationTokenLoader.instance().reset_cache()  # type: ignore[attr-defined]
    try:
        # Ray gives our environment to its daemons, and the study's address may hold a password.
        with without_study_url():
            ray.init(
                address=address or "local",
                # Ray's own is /tmp/ray, in which everybody may write. One inside ours: Ray opens
                # the folder that it is given to all.
                _temp_dir=None if address else str(private_folder() / "ray"),
                include_dashboard=False if address is None else None,
                # Lines of Ray's would break into the live view; see `_log_to`.
                configure_logging=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except Exception as error:  # Ray raises a plain one where a part of it starts too late
        place = f"at {address}" if address else "on this machine"
        reason = str(error).strip().splitlines()[0].rstrip(".")
        if address is not None and "connect" in reason.lower():
            # The address answered a moment ago: Ray calls a wrong token a failed connection.
            reason = "it answers and refuses us: is RAY_AUTH_TOKEN_PATH that of its own token?"
        if address is None and "timed out" in reason:
            reason = "Ray did not start in time, as on a busy machine. Try again when it is less so"
            raise ClusterError(f"no Ray cluster {place}: {reason}") from None
        raise ClusterError(f"no Ray cluster {place}: {reason}. Try `{program()} doctor`") from None
    try:
        yield
    finally:
        if not ended_daemons():  # else Ray would wait for them for a minute
            ray.shutdown()


def ended_daemons() -> list[str]:
    """Name the daemons that this process started, without which Ray cannot go on, and that died.

    Ray itself notices the loss of its GCS after a minute.
    """
    # Ray types it as None, the value before `ray.init`.
    node: Any = ray_worker._global_node
    dead = [] if node is None else node.dead_processes()
    return [name for name, _ in dead if name in NEEDED]


def offered() -> Machines:
    """Return what all machines of the cluster have together."""
    resources = ray.cluster_resources()
    return Machines(resources.get("CPU", 0.0), resources.get("GPU", 0.0))


def _check_room(resources: ResourcesSection, patience: float) -> None:
    """Check that one trial fits; wait `patience` seconds for machines to join."""
    deadline = time.monotonic() + patience
    while True:
        there = offered()
        if there.cpus >= resources.cpus and there.gpus >= resources.gpus:
            return
        if time.monotonic() > deadline:
            raise ClusterError(
                f"a trial asks for {resources.cpus:g} CPUs and {resources.gpus:g} GPUs, and the"
                f" cluster has {there.cpus:g} and {there.gpus:g}; ask for less in `resources`"
            )
        time.sleep(0.5)
