"""A container's part in the Ray cluster: `head`, `worker`, or `health`, the check of either.

Standard library alone: the check runs often, and Ray takes a second to import.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HEAD = ("head", 6379)
NODE_PORT = 6380
"""Where every node's raylet listens. Fixed, so that the check meets this one, not the raylet of
a local cluster that somebody started beside it."""
OBJECT_STORE_BYTES = 200_000_000
"""Below the containers' shm_size; sweeps pass little through Ray's object store."""
PATIENCE_SECONDS = 300.0
"""The time for which a worker waits for the head, before it gives up and is started again."""


def main() -> None:
    """Become the node that the first argument names, or check that it lives."""
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role == "head":
        make_token(token_path())
        start("--head", f"--port={HEAD[1]}", "--include-dashboard=false", "--num-cpus=0")
    elif role == "worker":
        wait_for(token_path().exists, "the head's token")
        wait_for(lambda: answers(*HEAD), "the head's port")
        cpus = os.environ.get("SWEEPS_WORKER_CPUS", "1")
        start(f"--address={HEAD[0]}:{HEAD[1]}", f"--num-cpus={cpus}")
    elif role == "health":
        sys.exit(0 if answers(socket.gethostname(), NODE_PORT) else 1)
    else:
        sys.exit("usage: ray_node.py head|worker|health")


def token_path() -> Path:
    """Where this cluster's token lies, as Ray is told."""
    return Path(os.environ["RAY_AUTH_TOKEN_PATH"])


def make_token(path: Path) -> None:
    """Make the cluster's token, for its owner's eyes alone; one that is there stays."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces a token that is there.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()


def answers(host: str, port: int) -> bool:
    """Return True if something accepts connections at the address."""
    try:
        socket.create_connection((host, port), timeout=5.0).close()
    except OSError:
        return False
    return True


def wait_for(ready: Callable[[], bool], what: str, patience: float = PATIENCE_SECONDS) -> None:
    """Wait until `ready`, or exit and say what never came."""
    deadline = time.monotonic() + patience
    while not ready():
        if time.monotonic() > deadline:
            sys.exit(f"waited {patience:g} s for {what} in vain; is the service `head` up?")
        time.sleep(min(1.0, patience))


def start(*arguments: str) -> None:
    """Become `ray start`, which ends when a process of its node does."""
    fixed = (f"--node-manager-port={NODE_PORT}", f"--object-store-memory={OBJECT_STORE_BYTES}")
    os.execvp("ray", ["ray", "start", *arguments, *fixed, "--disable-usage-stats", "--block"])


if __name__ == "__main__":
    main()
