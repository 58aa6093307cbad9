"""What a driver is told that may not join a cluster."""

import os
import subprocess
import sys
from pathlib import Path

JOIN = """
from sweeps import ray_environment
ray_environment.prepare()
from sweeps.spec import ResourcesSection
from sweeps.tuning import cluster
try:
    with cluster("127.0.0.1:9", ResourcesSection()):
        pass
except ray_environment.ClusterError as error:
    print(error)
"""


def test_a_driver_without_a_token_is_told_so(tmp_path: Path) -> None:
    # A process of its own, since Ray looks for the token once a process.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-c", JOIN]
    ended = subprocess.run(
        command, env={**kept, "HOME": str(tmp_path)}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert "no Ray cluster at 127.0.0.1:9" in ended.stdout
    assert "no authentication token was found" in ended.stdout
