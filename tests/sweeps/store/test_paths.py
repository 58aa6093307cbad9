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
