"""A local cluster lets nobody in: another user of the machine tries, as root can act as one."""

import json
import os
import re
import runpy
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.workers import token
from sweeps.workers.environment import ClusterError

NOBODY = 65534
CLUSTER = """
import json, os, sys, time
from sweeps.workers.environment import set_ray_variables
set_ray_variables()
from sweeps.spec.sections import ResourcesSection
from sweeps.workers.cluster import cluster
from sweeps.workers.ports import ports_of
with cluster(None, ResourcesSection()):
    import ray
    ray.get(ray.remote(lambda: 0).remote())
    print(json.dumps({
        "token": os.environ["RAY_AUTH_TOKEN_PATH"],
        "address": ray.get_runtime_context().gcs_address,
        "ports": [vars(port) for port in ports_of(os.getpid())],
    }), flush=True)
    sys.stdin.read()
"""
BECOME_NOBODY = f"""
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
"""
"""After all imports: another user may not even be allowed to read this user's Python."""
JOIN = """
import sys, ray
try:
    ray.init(sys.argv[1], log_to_driver=False)
    print("ran", ray.get(ray.remote(lambda: 1).remote()))
except Exception as error:
    print("refused", type(error).__name__)
"""
LOOK = f"""
import os, sys
{BECOME_NOBODY}
try:
    print(os.listdir(sys.argv[1]) if os.path.isdir(sys.argv[1]) else open(sys.argv[1]).read())
except OSError as error:
    print("refused", type(error).__name__)
"""
ASK = (
    f"""
import encodings.idna, http.client, json, os, sys
{BECOME_NOBODY}
"""
    + """
found = {}
for host, port in json.loads(sys.argv[1]):
    for header in ({}, {"Authorization": "Bearer " + "0" * 64}):
        for path in ("/", "/metrics", "/api/jobs/", "/get_or_create_runtime_env"):
            try:
                connection = http.client.HTTPConnection(host, port, timeout=3)
                connection.request("GET", path, headers=header)
                found[f"{port} {path}"] = connection.getresponse().status
            except (OSError, http.client.HTTPException) as error:
                found[f"{port} {path}"] = type(error).__name__
print(json.dumps(found))
"""
)


@pytest.fixture(scope="module")
def running() -> Iterator[dict]:
    """Start a cluster in a process of its own; return its token, address and ports."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-c", CLUSTER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=kept, **pipes) as process:
        line = process.stdout.readline()
        yield json.loads(line)
        process.communicate()
    assert not Path(json.loads(line)["token"]).parent.exists()


def ask(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**kept, "HOME": "/nonexistent", **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=200,
    )


as_another = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def test_the_token_and_the_folder_are_the_users_alone(running: dict) -> None:
    path = Path(running["token"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert len(bytes.fromhex(path.read_text())) >= 32


@as_another
def test_another_user_reads_neither_token_nor_folder(running: dict) -> None:
    for path in (running["token"], str(Path(running["token"]).parent)):
        assert ask(LOOK, path).stdout == "refused PermissionError\n"


@pytest.mark.parametrize(
    "environment",
    [
        {"RAY_AUTH_MODE": "disabled"},
        {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
    ],
)
def test_nobody_runs_code_without_the_token(running: dict, environment: dict[str, str]) -> None:
    """A port does not see who asks, so this process does: without the token, as anybody."""
    joined = ask(JOIN, running["address"], **environment)
    told = joined.stdout + joined.stderr
    assert re.search("refused (AuthenticationError|ConnectionError|RuntimeError)", told), told


@as_another
def test_no_port_answers_another_user(running: dict) -> None:
    """Ray's own metrics apart: they hold counts and times, and are no door."""
    host = running["address"].rpartition(":")[0]
    ports = [(host, port["number"]) for port in running["ports"]]
    assert {"gcs_server", "raylet"} <= {port["process"] for port in running["ports"]}
    asked = ask(ASK, json.dumps(ports))
    answers = json.loads(asked.stdout)
    opened = {place for place, status in answers.items() if status == 200}
    assert {place.split()[1] for place in opened} <= {"/metrics"}, answers


def test_the_check_of_a_container_finds_a_server_that_stands_still(
    running: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = runpy.run_path(str(Path(__file__).parents[2] / "docker" / "ray_node.py"))
    host, _, port = running["address"].rpartition(":")
    secret = Path(running["token"]).read_text()
    (server,) = {one["pid"] for one in running["ports"] if one["process"] == "gcs_server"}
    monkeypatch.setitem(node["serves"].__globals__, "ANSWER_SECONDS", 1.0)
    assert node["serves"](host, int(port), secret)
    os.kill(server, signal.SIGSTOP)
    try:
        assert node["answers"](host, int(port)), "the kernel accepts for it"
        assert not node["serves"](host, int(port), secret)
    finally:
        os.kill(server, signal.SIGCONT)
    assert node["serves"](host, int(port), secret)


def test_a_token_that_others_can_read_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a token"
    path.write_text("0" * 64)
    path.chmod(0o640)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    with (
        pytest.raises(ClusterError, match=f"others can read .* chmod 600 '{path}'"),
        token.local_token(),
    ):
        pass
    path.chmod(0o600)
    with token.local_token():
        assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(path)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(ClusterError, match="turns tokens off"), token.local_token():
        pass


def test_an_abandoned_folder_goes_and_a_used_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    abandoned = tmp_path / f"{token.PREFIX}abandoned"
    abandoned.mkdir()
    (abandoned / token.FILE).touch()
    monkeypatch.setattr(token.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(token, "LONGEST_PLACE", len(str(tmp_path)))
    used = token.private_folder.__wrapped__()
    another = token.private_folder.__wrapped__()
    assert set(tmp_path.iterdir()) == {used, another}


def test_a_long_folder_for_temporary_files_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token.tempfile, "tempdir", str(tmp_path / ("long" * 20)))
    assert token.private_folder.__wrapped__().parent == Path("/tmp")
