from pathlib import Path

import pytest

from analysis.store.errors import StoreError
from sweeps.store.paths import SweepPaths


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    paths = SweepPaths(tmp_path, "a")
    paths.create()
    paths.spec.touch()
    with pytest.raises(StoreError, match=r"the name 'a' is taken.*--name"):
        SweepPaths(tmp_path, "a").create()


def test_a_folder_of_another_kind_is_no_sweeps(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.tex").touch()
    with pytest.raises(StoreError, match=r"the name 'a' is taken.*--name"):
        SweepPaths(tmp_path, "a").create()


def test_a_start_that_was_killed_before_there_was_a_sweep_takes_no_name(tmp_path: Path) -> None:
    paths = SweepPaths(tmp_path, "a")
    paths.create()
    paths.lock.touch()
    paths.tables.mkdir()
    (paths.folder / ".spec.json.123").touch()
    paths.check_free()
    paths.create()


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write to the results folder"):
        SweepPaths(tmp_path / "file", "a").create()


def test_a_hint_has_the_root_where_the_command_would_look_elsewhere(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SWEEPS_ROOT", raising=False)
    assert SweepPaths(Path("results").resolve(), "x").hint("resume") == "`sweeps resume x`"
    elsewhere = SweepPaths(tmp_path / "my results", "a b#c")
    expected = f"`sweeps stop 'a b#c' --root '{tmp_path}/my results'`"
    assert elsewhere.hint("stop") == expected
    monkeypatch.setenv("SWEEPS_ROOT", str(tmp_path / "my results"))
    assert elsewhere.hint("resume", "--set ...") == "`sweeps resume 'a b#c' --set ...`"
