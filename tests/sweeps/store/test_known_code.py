"""Hashes that are kept are those that would be found, after every edit."""

import json
import shutil
from pathlib import Path

import pytest

from sweeps.store import known_code
from sweeps.store.known_code import code_hashes
from sweeps.store.training_code import PACKAGES, TrainingCode

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the packages to a folder beside an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / "code" / package, ignore=ignored)
    return tmp_path / "code"


def kept(copied: Path) -> Path:
    (file,) = (copied.parent / "cache/polyneuron-sweeps/code").glob("*.json")
    return file


def test_what_did_not_change_is_not_parsed_again(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = code_hashes(copied)
    assert found == TrainingCode(copied).hashes
    monkeypatch.setattr(known_code, "TrainingCode", None)
    assert code_hashes(copied) == found
    assert list(code_hashes(copied)) == list(found)


@pytest.mark.parametrize(
    "name", ["trainers/schedule.py", "polyneuron/kernels/relu/relu.hpp", "trainers/adam.cpp"]
)
def test_an_edit_is_seen(copied: Path, name: str) -> None:
    before = code_hashes(copied)
    with (copied / name).open("a") as file:
        file.write("\nEDITED = 1\n")
    after = code_hashes(copied)
    assert [path for path in after if after[path] != before[path]] == [name]
    assert json.loads(kept(copied).read_text())["hashes"] == after


def test_a_damaged_file_and_a_closed_folder_cost_time_alone(copied: Path) -> None:
    found = code_hashes(copied)
    kept(copied).write_text('{"content": ')
    assert code_hashes(copied) == found
    folder = kept(copied).parent
    shutil.rmtree(folder)
    folder.write_text("a file in the folder's place")
    assert code_hashes(copied) == found
