"""The script that containers start: its token, its waiting, its check."""

import concurrent.futures
import runpy
import socket
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPT = Path(__file__).parents[2] / "docker" / "ray_node.py"


@pytest.fixture(scope="module")
def ray_node() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(SCRIPT)))


@pytest.fixture
def listening() -> socket.socket:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_the_token_is_long_and_for_its_owner_alone(
    ray_node: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "auth_token"
    ray_node.make_secret(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(bytes.fromhex(path.read_text())) >= 32
    assert list(tmp_path.iterdir()) == [path]


def test_a_token_outlives_later_starts(ray_node: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "auth_token"
    ray_node.make_secret(path)
    first = path.read_text()
    ray_node.make_secret(path)
    assert path.read_text() == first


def test_tokens_of_different_clusters_differ(ray_node: SimpleNamespace, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one", "other")]
    for path in paths:
        ray_node.make_secret(path)
    assert paths[0].read_text() != paths[1].read_text()


def test_nodes_that_start_together_agree_on_one_whole_token(
    ray_node: SimpleNamespace, tmp_path: Path
) -> None:
    def start(path: Path) -> str:
        ray_node.make_secret(path)
        return path.read_text()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for attempt in range(20):
            seen = set(pool.map(start, [tmp_path / str(attempt)] * 8))
            assert [len(token) for token in seen] == [64]
    assert len(list(tmp_path.iterdir())) == 20


def test_waiting_ends_when_there_is_an_answer(
    ray_node: SimpleNamespace, listening: socket.socket
) -> None:
    address = listening.getsockname()
    ray_node.wait_for(lambda: ray_node.answers(*address), "the server", patience=5.0)


def test_waiting_in_vain_says_for_what(ray_node: SimpleNamespace, listening: socket.socket) -> None:
    address = listening.getsockname()
    listening.close()
    with pytest.raises(SystemExit, match=r"waited 0\.1 s for the head's port in vain"):
        ray_node.wait_for(lambda: ray_node.answers(*address), "the head's port", patience=0.1)


@pytest.mark.parametrize("arguments", [[], ["tail"], ["head", "worker"]])
def test_an_unknown_part_is_refused(arguments: list[str]) -> None:
    command = [sys.executable, "-S", str(SCRIPT), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, env={})
    assert ended.returncode == 1
    assert ended.stderr == "usage: ray_node.py head|worker|health\n"


@pytest.mark.parametrize(("healthy", "status"), [({"node", "gcs"}, 0), ({"node"}, 1), ({"gcs"}, 1)])
def test_a_node_is_healthy_while_its_raylet_and_the_gcs_serve(
    ray_node: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, healthy: set[str], status: int
) -> None:
    places = {ray_node.NODE_PORT: "node", 7000: "gcs"}
    known = ray_node.main.__globals__
    monkeypatch.setitem(known, "serves", lambda host, port, token: places[port] in healthy)
    monkeypatch.setenv("RAY_ADDRESS", "there:7000")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    monkeypatch.setattr(sys, "argv", ["ray_node.py", "health"])
    with pytest.raises(SystemExit) as ended:
        ray_node.main()
    assert ended.value.code == status


def test_a_server_that_is_not_there_or_speaks_otherwise_is_not_healthy(
    ray_node: SimpleNamespace, listening: socket.socket
) -> None:
    def refuse() -> None:
        connection, _ = listening.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.close()

    address = listening.getsockname()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(refuse)
        assert not ray_node.serves(*address, "0" * 64)
    listening.close()
    assert not ray_node.serves(*address, "0" * 64)


def test_the_databases_login_has_the_password_that_the_database_has(
    ray_node: SimpleNamespace, tmp_path: Path
) -> None:
    ray_node.make_login(tmp_path)
    password = (tmp_path / "postgres_password").read_text()
    assert (tmp_path / "pgpass").read_text() == f"postgres:5432:*:*:{password}"
    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}
