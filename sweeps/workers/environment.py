"""Environment variables that Ray reads when it is imported; this module imports no Ray."""

from __future__ import annotations

import os
import socket

from analysis.store.errors import PlainError

SETTINGS = {
    # A cluster without tokens runs anybody's code.
    "RAY_AUTH_MODE": "token",
    # Our own view replaces Ray's: its tables, hints and logs fill hundreds of lines.
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Ray's default of 15 starves a sweep beside any other load of its machine.
    "RAY_worker_niceness": "0",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}


class CutOffError(PlainError, RuntimeError):
    """A sweep that had begun cannot go on now; what it has found is safe, and it can be resumed."""


ANSWER_SECONDS = 5.0
"""How long a cluster's address may take to answer."""


class ClusterError(PlainError, RuntimeError):
    """No Ray cluster could be reached or started, or it lacks what a trial needs."""


def check_answers(address: str) -> None:
    """Check that something listens at an address: Ray itself would try for ten minutes.

    Raises:
        ClusterError: nothing listens there, or the address is none.
    """
    place = address.removeprefix("ray://")
    host, colon, port = place.rpartition(":")
    if not colon:
        return  # `auto`, or a cluster's name
    if not port.isdecimal():
        raise ClusterError(f"--address takes HOST:PORT, as 10.0.0.1:6379; got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster at {address}: {error}. Is its head up, and the port that of"
            " `ray start --head`?"
        ) from None


def set_ray_variables() -> None:
    """Set the variables that the user has not set."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
