"""A sweep on real containers: minutes, gigabytes, and a container engine; so only on request.

SWEEPS_TEST_CONTAINERS names the compose command: `SWEEPS_TEST_CONTAINERS="docker compose" pytest
tests/cluster`. What compose.yaml reads from the environment, as BASE_IMAGE, is passed on.
"""

import csv
import io
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = os.environ.get("SWEEPS_TEST_CONTAINERS", "")
COMPOSE_FILE = Path(__file__).parents[2] / "docker" / "compose.yaml"
START_SECONDS = 120
WORKERS = 2
SMALL = ["--set", "data=digits", "--set", "search.trials=4", "--set", "recipe.epochs=1"]

pytestmark = [
    pytest.mark.skipif(not COMMAND, reason="set SWEEPS_TEST_CONTAINERS to a compose command"),
    pytest.mark.timeout(3600),  # the first build downloads and unpacks 7 GB
]


class Cluster:
    """The containers of one project of its own, beside any that the user runs."""

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*shlex.split(COMMAND), "-f", str(COMPOSE_FILE), "-p", "sweeps-test", *arguments]
        settings = {"SWEEPS_WORKERS": str(WORKERS), "SWEEPS_DATA": "", "SWEEPS_RESULTS": ""}
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | settings)

    def on_head(self, *arguments: str) -> str:
        ended = self("exec", "-T", "head", *arguments)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    def cpus(self) -> float:
        count = "import ray; ray.init('auto'); print(ray.cluster_resources().get('CPU', 0))"
        ended = self("exec", "-T", "head", "python", "-c", count)
        return float(ended.stdout.split()[-1]) if ended.returncode == 0 else 0.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    try:
        started = cluster("up", "-d", "--build")
        assert started.returncode == 0, started.stdout + started.stderr
        deadline = time.monotonic() + START_SECONDS
        while cluster.cpus() < WORKERS:
            assert time.monotonic() < deadline, cluster("logs").stdout
            time.sleep(2)
        yield cluster
    finally:
        cluster("down", "-v")


def test_a_sweep_runs_on_every_worker_and_its_results_are_on_the_head(cluster: Cluster) -> None:
    cluster.on_head("sweeps", "run", "quickstart", "--address", "auto", *SMALL)
    hosts = "import analysis; print(*analysis.load('/results/quickstart').trials['hostname'])"
    trained_on = cluster.on_head("python", "-c", hosts).split()
    assert len(trained_on) == 4
    assert len(set(trained_on)) == WORKERS
    assert cluster.on_head("hostname").strip() not in trained_on
    runs = list(
        csv.DictReader(io.StringIO(cluster.on_head("sweeps", "results", "quickstart", "--csv")))
    )
    assert [run["status"] for run in runs] == ["completed"] * 8
    cluster.on_head("sweeps", "report", "quickstart")
    assert cluster.on_head("head", "-c", "15", "/results/quickstart/report/report.html") != ""


def test_every_worker_compiles_its_kernels(cluster: Cluster) -> None:
    code = "import polyneuron, torch; polyneuron.PolyNeuron()(torch.ones(2)).sum().backward()"
    use = ["python", "-W", "error:activations run as plain formulas", "-c", code]
    for index in range(1, WORKERS + 1):
        used = cluster("exec", "-T", "--index", str(index), "worker", *use)
        assert used.returncode == 0, used.stderr


def test_the_token_is_for_the_nodes_user_alone(cluster: Cluster) -> None:
    assert cluster.on_head("stat", "-c", "%a %U", "/token/auth_token").split() == ["600", "sweeps"]
    assert cluster.on_head("id", "-un").strip() == "sweeps"


def test_nobody_joins_without_the_token(cluster: Cluster) -> None:
    for stranger in ("RAY_AUTH_MODE=disabled", "RAY_AUTH_TOKEN=" + "0" * 64):
        look = [
            "env",
            "-u",
            "RAY_AUTH_TOKEN_PATH",
            stranger,
            "ray",
            "status",
            "--address",
            "head:6379",
        ]
        ended = cluster("exec", "-T", "head", *look)
        assert ended.returncode != 0
        assert "InvalidAuthToken" in ended.stdout + ended.stderr


def test_every_node_is_healthy_also_beside_a_local_cluster(cluster: Cluster) -> None:
    cluster.on_head("python", "-c", "import ray; ray.init('local'); ray.shutdown()")
    check = ["python", "-S", "/opt/polyneuron-sweeps/docker/ray_node.py", "health"]
    for node in (["head"], *(["--index", str(n + 1), "worker"] for n in range(WORKERS))):
        assert cluster("exec", "-T", *node, *check).returncode == 0
