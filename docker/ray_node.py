"""A container's part in the Ray cluster: `head`, `worker`, or `health`, the check of either.

Standard library alone: the check runs often, and Ray takes a second to import.

The check asks the node's raylet and the cluster's GCS what gRPC's health checking protocol asks,
grpc.health.v1.Health/Check. A process that stands still accepts connections, but answers nothing.
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
from typing import BinaryIO

HEAD = ("head", 6379)
NODE_PORT = 6380
"""Where every node's raylet listens. Fixed, so that the check meets this one, not the raylet of
a local cluster that somebody started beside it."""
OBJECT_STORE_BYTES = 200_000_000
"""Below the containers' shm_size; sweeps pass little through Ray's object store."""
PATIENCE_SECONDS = 300.0
"""The time for which a worker waits for the head, before it gives up and is started again."""
ANSWER_SECONDS = 4.0
"""The time that a server has for its answer: the check asks two within the 10 s that it has."""

# HTTP/2, RFC 9113: the kinds of frames and the flags that one question needs.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RESET, SETTINGS, GO_AWAY = 0, 1, 3, 4, 7
END_STREAM, END_HEADERS = 1, 4
POST_HTTP = b"\x83\x86"
"""`:method: POST` and `:scheme: http`, by their numbers in RFC 7541's table."""
EMPTY_MESSAGE = bytes(5)
SERVING = b"\x08\x01"
"""The end of the answer: field 1 of the message, the status, is 1."""


def main() -> None:
    """Become the node that the first argument names, or check that it lives."""
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role == "head":
        make_secret(token_path())
        make_login(token_path().parent)
        start("--head", f"--port={HEAD[1]}", "--dashboard-host=0.0.0.0", "--num-cpus=0")
    elif role == "worker":
        wait_for(token_path().exists, "the head's token")
        wait_for(lambda: answers(*HEAD), "the head's port")
        cpus = os.environ.get("SWEEPS_WORKER_CPUS", "1")
        start(f"--address={HEAD[0]}:{HEAD[1]}", f"--num-cpus={cpus}")
    elif role == "health":
        asked = ((socket.gethostname(), NODE_PORT), gcs())
        sys.exit(0 if all(serves(host, port, token()) for host, port in asked) else 1)
    else:
        sys.exit("usage: ray_node.py head|worker|health")


def token_path() -> Path:
    """Where this cluster's token lies, as Ray is told."""
    return Path(os.environ["RAY_AUTH_TOKEN_PATH"])


def token() -> str:
    """Return the cluster's token, as Ray finds it."""
    given = os.environ.get("RAY_AUTH_TOKEN")
    return (given or token_path().read_text()).strip()


def gcs() -> tuple[str, int]:
    """Return where the GCS listens: KubeRay has a variable for it, compose names the host."""
    host, _, port = os.environ.get("RAY_ADDRESS", "").rpartition(":")
    return (host, int(port)) if host else HEAD


def make_login(folder: Path) -> None:
    """Make the database's password, and the file in which its clients look for it."""
    make_secret(folder / "postgres_password")
    make_secret(
        folder / "pgpass", f"postgres:5432:*:*:{(folder / 'postgres_password').read_text()}"
    )


def make_secret(path: Path, text: str | None = None) -> None:
    """Make a file for its owner's eyes alone, of 256 random bits unless a text is given.

    One that is there stays.
    """
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)  # mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32) if text is None else text)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link never replaces a secret that is there.
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


def serves(host: str, port: int, token: str) -> bool:
    """Return True if a gRPC server answers that it serves."""
    try:
        with (
            socket.create_connection((host, port), timeout=ANSWER_SECONDS) as connection,
            connection.makefile("rb") as stream,
        ):
            connection.sendall(_question(token))
            return _serving(stream)
    except OSError:
        return False


def _question(token: str) -> bytes:
    fields = {
        ":path": "/grpc.health.v1.Health/Check",
        ":authority": "ray",
        "content-type": "application/grpc",
        "te": "trailers",
        "authorization": f"Bearer {token}",
    }
    # Literals without a table, whose lengths below 127 take a byte (RFC 7541, 6.2.2).
    texts = (text.encode() for pair in fields.items() for text in pair)
    coded = [bytes([len(text)]) + text for text in texts]
    block = b"".join(
        b"\0" + name + value for name, value in zip(coded[::2], coded[1::2], strict=True)
    )
    return (
        PREFACE
        + _frame(SETTINGS, 0, 0, b"")
        + _frame(HEADERS, END_HEADERS, 1, POST_HTTP + block)
        + _frame(DATA, END_STREAM, 1, EMPTY_MESSAGE)
    )


def _frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + content


def _serving(stream: BinaryIO) -> bool:
    """Read frames up to the answer, or to an end without one."""
    while len(head := stream.read(9)) == 9:
        kind, flags, content = head[3], head[4], stream.read(int.from_bytes(head[:3]))
        if kind == DATA:
            return content.endswith(SERVING)
        if kind in (RESET, GO_AWAY) or (kind == HEADERS and flags & END_STREAM):
            return False
    return False


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
