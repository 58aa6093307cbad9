from pathlib import Path

import pytest

from analysis.store.errors import StoreError
from sweeps.store.paths import SweepPaths


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    SweepPaths(tmp_path, "a").create()
    with pytest.raises(StoreError, match=r"the name 'a' is taken.*--name"):
        SweepPaths(tmp_path, "a").create()


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
