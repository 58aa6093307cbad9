"""Each line of the doctor says what is wrong and how to mend it."""

import socket
from pathlib import Path

import pytest

from sweeps.commands import doctor
from sweeps.commands.doctor import Check
from sweeps.workers import environment as ray_environment
from sweeps.workers.token import check_token


def look(subject: str, root: Path) -> Check:
    """Make one of the checks, without the cluster that another starts."""
    found = {
        "storage": lambda: doctor._attempt("storage", lambda: doctor._storage(root)),
        "study": lambda: doctor._attempt("study", lambda: doctor._study(root)),
        "token": lambda: doctor._attempt("token", check_token),
        "clock": lambda: doctor._attempt("clock", lambda: doctor._clock(root)),
        "data": lambda: doctor._data("mnist"),
        "versions": doctor._versions,
        "extras": doctor._extras,
    }
    return found[subject]()


def test_a_sound_place_is_found_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for subject in ("versions", "extras", "storage", "study", "token", "clock"):
        check = look(subject, tmp_path / "results")
        assert check.mark == "ok", check.finding
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """/proc refuses files to root as well."""
    for subject in ("storage", "study", "clock"):
        check = look(subject, Path("/proc/results"))
        assert check.mark == "mend"
        assert "cannot write in /proc" in check.finding
        assert "--root" in check.finding


def test_a_token_that_others_can_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "auth_token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    token.write_text("secret")
    token.chmod(0o644)
    check = look("token", tmp_path)
    assert (check.mark, f"chmod 600 {token}" in check.finding) == ("mend", True)
    token.chmod(0o600)
    assert look("token", tmp_path).mark == "ok"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert look("token", tmp_path).mark == "mend"


def test_a_database_that_does_not_answer_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWEEPS_STUDY_URL", "postgresql://me:secret@127.0.0.1:1/studies")
    check = look("study", tmp_path)
    assert check.mark == "mend"
    assert "127.0.0.1:1/studies" in check.finding
    assert "secret" not in check.finding


def test_a_storage_whose_clock_is_apart_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: tmp_path.stat().st_mtime + 3600)
    check = look("clock", tmp_path)
    assert (check.mark, "set both by NTP" in check.finding) == ("mend", True)


def test_missing_data_stops_no_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEPS_DATA", str(tmp_path))
    check = look("data", tmp_path)
    assert (check.mark, "SWEEPS_DATA" in check.finding) == ("note", True)


def test_an_address_that_nobody_answers_is_refused_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ray_environment.ClusterError, match=f"no Ray cluster at 127.0.0.1:{port}"):
        ray_environment.check_answers(f"127.0.0.1:{port}")
    with pytest.raises(ray_environment.ClusterError, match=r"takes HOST:PORT.*got 'head:x'"):
        ray_environment.check_answers("head:x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        ray_environment.check_answers(f"ray://127.0.0.1:{server.getsockname()[1]}")
    ray_environment.check_answers("auto")
