"""What Ray starts on one machine, and what is said where it does not start."""

from typing import Any

import pytest
from ray._private import node, parameter
from ray.tune.execution import class_cache

from sweeps.workers import cluster, own_cluster
from sweeps.workers.environment import ClusterError
from sweeps.workers.own_cluster import few_daemons, waiting_processes


def test_a_start_that_takes_too_long_is_not_blamed_on_the_installation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def late(**_: object) -> None:
        raise RuntimeError("The current node timed out during startup. Some of the raylet failed.")

    monkeypatch.setattr(cluster.ray, "init", late)
    with (
        pytest.raises(ClusterError, match=r"not start in time, .* Try again when it is less so$"),
        cluster._ray(None),
    ):
        pass


def test_daemons_that_one_machine_has_no_use_for_are_not_started() -> None:
    usual, server = parameter.RayParams, node.Node.start_api_server
    with few_daemons():
        wanted = parameter.RayParams(num_cpus=2)
        assert (wanted.no_monitor, wanted.include_log_monitor) == (True, False)
        node.Node.start_api_server(None, include_dashboard=False, raise_on_failure=False)
    assert parameter.RayParams is usual
    assert node.Node.start_api_server is server


def test_workers_need_no_environment_of_their_own() -> None:
    """Ray starts a process for each environment; those that wait have none."""

    class Trainable:
        pass

    usual = class_cache._ActorClassCache().get(Trainable)
    assert usual._default_options["runtime_env"]
    with waiting_processes():
        cache = class_cache._ActorClassCache()
        made = cache.get(Trainable)
        assert not made._default_options.get("runtime_env")
        assert cache.get(Trainable) is made


def test_a_ray_without_these_parts_starts_as_it_does_by_itself() -> None:
    place: Any = type("Place", (), {})
    with own_cluster._replaced(place, "gone", 1), own_cluster._replaced(None, "gone", 1):
        assert not hasattr(place, "gone")
