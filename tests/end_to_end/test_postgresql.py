"""A sweep whose study lies on a real PostgreSQL server."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

import analysis

SPEC = """
name: on-a-server
data: {name: digits, train_images: 200}
recipe: {epochs: 2}
activation: relu
space: {learning_rate: {log: [1e-4, 1e6]}}
search: {algorithm: tpe, trials: 4}
seeds: 1
concurrency: 1
"""


def program(name: str) -> str:
    found = shutil.which(name) or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None
    )
    if found is None:
        pytest.skip(f"no PostgreSQL server here: {name} is not installed")
    return found


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server of our own on a free port; yields its address, password and all."""
    initdb, postgres = program("initdb"), program("postgres")
    pytest.importorskip("psycopg")
    password = secrets.token_hex(16)
    # The server refuses to run as root.
    user = "postgres" if os.getuid() == 0 else None
    if user is not None and user not in {entry.pw_name for entry in pwd.getpwall()}:
        pytest.skip("no PostgreSQL server here: root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        (folder / "password").write_text(password)
        if user is not None:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)
        make = [initdb, "-D", f"{folder}/data", "-U", "sweeps", "-A", "scram-sha-256"]
        make += [f"--pwfile={folder}/password", "--no-sync"]
        subprocess.run(make, check=True, capture_output=True, user=user, cwd=folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        start = [postgres, "-D", f"{folder}/data", "-p", str(port), "-h", "127.0.0.1"]
        start += ["-k", str(folder)]
        with subprocess.Popen(start, user=user, cwd=folder, stderr=subprocess.DEVNULL) as process:
            url = f"postgresql://sweeps:{password}@127.0.0.1:{port}/postgres"
            _wait_for(url)
            yield url
            # The fast shutdown; a SIGTERM waits until the last client, we among them, is gone.
            process.send_signal(signal.SIGINT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str) -> None:
    import psycopg

    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.1)
        else:
            return


def sweeps(folder: Path, *arguments: str, url: str | None) -> subprocess.CompletedProcess[str]:
    surroundings = {name: value for name, value in os.environ.items() if name != "SWEEPS_STUDY_URL"}
    if url is not None:
        surroundings["SWEEPS_STUDY_URL"] = url
    command = [sys.executable, "-m", "sweeps", *arguments]
    return subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=400
    )


@dataclass
class Watched:
    """A sweep's end, and what was seen of its temporary files, Ray's among them, as it ran."""

    folder: Path
    output: str
    seen: set[Path]
    with_password: set[Path]


@pytest.fixture(scope="module")
def finished(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("served")
    (folder / "spec.yaml").write_text(SPEC)
    # Short: Ray's sockets lie there.
    temporary = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    watched = Watched(folder, "", set(), set())
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(1) as thread:
        patch.setenv("TMPDIR", str(temporary))
        sweep = thread.submit(sweeps, folder, "run", "spec.yaml", url=server)
        while not sweep.done():
            look_for(password_of(server), temporary, watched)
            time.sleep(0.2)
    done = sweep.result()
    assert done.returncode == 0, done.stderr
    watched.output = done.stdout + done.stderr
    yield watched
    shutil.rmtree(temporary, ignore_errors=True)


def look_for(password: bytes, temporary: Path, watched: Watched) -> None:
    for folder, _, names in os.walk(temporary):
        for file in (Path(folder, name) for name in names):
            with contextlib.suppress(OSError):  # gone meanwhile, or a socket
                content = file.read_bytes() if file.is_file() else b""
                watched.seen.add(file)
                if password in content:
                    watched.with_password.add(file)


def password_of(server: str) -> bytes:
    return server.split(":")[2].partition("@")[0].encode()


def test_the_study_is_on_the_server_and_agrees_with_the_store(
    server: str, finished: Watched
) -> None:
    folder = finished.folder
    trials = analysis.load(folder / "results").trials.set_index("trial")
    url = server.replace("postgresql://", "postgresql+psycopg://")
    study = optuna.load_study(study_name="on-a-server", storage=url)
    assert len(study.trials) == 4
    for one in study.trials:
        status = trials.loc[one.number, "status"]
        assert one.state is {"completed": TrialState.COMPLETE}.get(status, TrialState.FAIL)
        assert one.value == (trials.loc[one.number, "objective"] if one.value else None)
        if status == "completed":
            assert set(one.intermediate_values) == {1, 2}
    assert not (folder / "results" / "on-a-server" / "study.db").exists()


def test_the_password_is_in_no_file_and_no_output(server: str, finished: Watched) -> None:
    password = password_of(server)
    assert password not in finished.output.encode()
    files = [file for file in finished.folder.rglob("*") if file.is_file()]
    assert not [str(file) for file in files if password in file.read_bytes()]
    assert len(finished.seen) > 10, "Ray's logs were looked at while the sweep ran"
    assert not finished.with_password


def test_a_resume_needs_the_same_server(server: str, finished: Watched) -> None:
    folder = finished.folder
    lost = sweeps(folder, "extend", "on-a-server", "--trials", "+1", url=None)
    assert (lost.returncode, "set SWEEPS_STUDY_URL as it was" in lost.stderr) == (2, True)
    more = sweeps(folder, "extend", "on-a-server", "--trials", "+1", url=server)
    assert more.returncode == 0, more.stderr
    assert len(analysis.load(folder / "results").trials) == 5


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (
            "postgresql://sweeps:secret@127.0.0.1:1/none",
            "no study in postgresql+psycopg://sweeps:**",
        ),
        ("oracel://sweeps:secret@127.0.0.1/none", "SWEEPS_STUDY_URL names no database"),
        ("nonsense secret", "SWEEPS_STUDY_URL names no database"),
    ],
)
def test_a_server_that_is_not_there_is_named_without_its_password(
    tmp_path: Path, sweeps_here: Callable, monkeypatch: pytest.MonkeyPatch, url: str, words: str
) -> None:
    pytest.importorskip("psycopg")
    (tmp_path / "spec.yaml").write_text(SPEC)
    monkeypatch.setenv("SWEEPS_STUDY_URL", url)
    done = sweeps_here(tmp_path, "run", "spec.yaml")
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert "secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "results" / "on-a-server").exists()
