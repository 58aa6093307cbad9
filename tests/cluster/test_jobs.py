"""A sweep on a cluster that is reached through Ray's Jobs API alone."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
import requests

pytestmark = pytest.mark.timeout(600)
SPEC = """
name: small
network: my_models:net
data: {name: digits, train_images: 600}
recipe: {epochs: 1}
search: {algorithm: random, trials: 1}
space: {learning_rate: {log: [1e-4, 1e-2]}}
seeds: 1
"""
MODELS = """
from torch import nn

def net(activation, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(16), activation(16), nn.Linear(16, classes))
"""


def sweeps(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the product in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sweeps", *arguments],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A cluster of this machine: its Jobs API, and the variables of who may use it."""
    pytest.importorskip("aiohttp_cors", reason="ray[default] is not installed")
    place, port = tmp_path_factory.mktemp("r"), free_port()
    (place / "token").touch(0o600)
    (place / "token").write_text(secrets.token_hex(32))
    ours = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(place / "token")}
    bin_folder = Path(sys.executable).parent
    there = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "SWEEPS_ROOT": str(place / "results"),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = ["start", "--head", "--port=0", f"--dashboard-port={port}", "--num-cpus=1", "--block"]
    node = subprocess.Popen(
        [str(bin_folder / "ray"), *command, f"--temp-dir={place}"],
        env=os.environ | ours | there,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(120):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(1)
        else:
            pytest.fail("the cluster's Jobs API did not start within two minutes")
        yield f"http://127.0.0.1:{port}", ours
    finally:
        os.killpg(node.pid, signal.SIGTERM)
        node.wait()


def test_a_sweep_is_submitted_followed_and_read_from_elsewhere(
    head: tuple[str, dict[str, str]], tmp_path: Path
) -> None:
    address, ours = head
    (tmp_path / "small.yaml").write_text(SPEC)
    (tmp_path / "my_models.py").write_text(MODELS)
    at = ["--address", address]
    refused = sweeps("logs", "small", *at, folder=tmp_path, RAY_AUTH_TOKEN="0" * 64)
    assert refused.returncode == 2
    assert "Invalid authentication token" in refused.stderr
    submitted = sweeps("submit", "small.yaml", *at, "--follow", folder=tmp_path, **ours)
    assert submitted.returncode == 0, submitted.stdout + submitted.stderr
    rows = sweeps("results", "small", "--csv", *at, folder=tmp_path, **ours).stdout.splitlines()
    assert [row.split(",")[0] for row in rows] == ["sweep", "small"]
    stopped = sweeps("stop", "small", *at, folder=tmp_path, **ours)
    assert (stopped.returncode, "nobody runs" in stopped.stdout) == (2, True)
    assert sweeps("resume", "small", *at, folder=tmp_path, **ours).returncode == 0


def test_what_the_jobs_api_needs_is_named_where_it_is_not_installed(tmp_path: Path) -> None:
    # A module of this name that cannot be imported stands for one that is not there.
    code = "import sys; sys.modules['aiohttp'] = None; from sweeps.commands.cli import app; app()"
    ended = subprocess.run(
        [sys.executable, "-c", code, "logs", "x", "--address", "http://127.0.0.1:9"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "pip install 'polyneuron-sweeps[jobs]'" in ended.stderr


def test_a_connection_lost_while_following_is_said_in_words() -> None:
    pytest.importorskip("aiohttp", reason="ray[default] is not installed")
    from ray.job_submission import JobStatus

    from sweeps.workers.environment import ClusterError
    from sweeps.workers.jobs import Job

    class Leaving:
        """A client whose cluster answers once."""

        logs: ClassVar[list[str]] = ["trial 0 begins\n"]

        def get_job_status(self, job: str) -> JobStatus:
            return JobStatus.RUNNING

        def get_job_logs(self, job: str) -> str:
            if not self.logs:
                raise requests.exceptions.ConnectionError("refused")
            return self.logs.pop()

    lines = Job(Leaving(), "one").lines()  # type: ignore[arg-type]
    assert next(lines) == "trial 0 begins"
    with pytest.raises(ClusterError, match=r"no longer answers.*sweeps logs"):
        next(lines)
