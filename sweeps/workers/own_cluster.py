"""A Ray cluster of one sweep on one machine, without what only shared clusters have a use for.

Beside its control store and its raylet, `ray.init` starts an autoscaler's monitor, a reader of the
workers' logs and a dashboard: Python processes that import Ray, a second and a half of processor
time before the first trial. Ray has no arguments that leave them out. Ray Tune gives each worker
environment variables of the driver, which on one machine it has anyway, and for which Ray starts a
process of its own in place of one that already waits. A Ray that has not these parts any more
starts as it does by itself.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray._private import node, parameter


@contextmanager
def few_daemons() -> Iterator[None]:
    """Have `ray.init` start neither monitor nor reader of logs nor dashboard."""
    # Any: Ray types the first, a truth value, as a text.
    wanted: dict[str, Any] = {"include_log_monitor": False, "no_monitor": True}
    fewer = functools.partial(parameter.RayParams, **wanted)
    with (
        _replaced(parameter, "RayParams", fewer),
        _replaced(node.Node, "start_api_server", lambda *_, **__: None),
    ):
        yield


@contextmanager
def waiting_processes() -> Iterator[None]:
    """Have Ray Tune put workers into processes that wait for work."""
    # Half a second of imports, which Ray's start need not wait for.
    from ray.tune.execution import class_cache

    with _replaced(getattr(class_cache, "_ActorClassCache", None), "get", _actor_class):
        yield


def _actor_class(cache: Any, trainable: type) -> Any:
    """Make the actor class of a trainable once, with the environment that processes have."""
    known = cache._cache
    if trainable not in known:
        known[trainable] = ray.remote(trainable)
    return known[trainable]


@contextmanager
def _replaced(place: Any, name: str, replacement: object) -> Iterator[None]:
    original = getattr(place, name, None)
    if original is None:
        yield
        return
    setattr(place, name, replacement)
    try:
        yield
    finally:
        setattr(place, name, original)
