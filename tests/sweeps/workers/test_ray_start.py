"""What is said where Ray does not start."""

import pytest

from sweeps.workers import cluster
from sweeps.workers.environment import ClusterError


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
