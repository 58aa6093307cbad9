"""What a driver is told that may not join a cluster."""

import os
import socket
import subprocess
import sys
from pathlib import Path

JOIN = """
import sys
from sweeps.workers import environment as ray_environment
ray_environment.set_ray_variables()
from sweeps.spec.sections import ResourcesSection
from sweeps.workers.cluster import cluster
try:
    with cluster(sys.argv[1], ResourcesSection()):
        pass
except ray_environment.ClusterError as error:
    print(error)
"""


def join(address: str, home: Path) -> str:
    """Join without a token, in a process of its own: Ray looks for the token once a process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-c", JOIN, address]
    ended = subprocess.run(
        command, env={**kept, "HOME": str(home)}, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_driver_without_a_token_is_told_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        told = join(address, tmp_path)
    assert f"no Ray cluster at {address}" in told
    assert "no authentication token was found" in told


def test_an_address_that_nobody_answers_is_named(tmp_path: Path) -> None:
    told = join("127.0.0.1:9", tmp_path)
    assert "no Ray cluster at 127.0.0.1:9: [Errno 111] Connection refused. Is its head up" in told
