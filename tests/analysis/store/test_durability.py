"""A write returns once its bytes, its name and its folder are on the disk, in that order."""

import os
from pathlib import Path

import pytest

from analysis.store.folder_store import open_store
from analysis.store.schema import EPOCHS
from analysis.store.whole_files import write_atomically

ROW = {"sweep": "a", "run_id": "r1", "epoch": 1, "val_error_percent": 5.0}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, int]]:
    """What was synced and renamed, in order: the call, the path, and its bytes or entries then."""
    noted: list[tuple[str, str, int]] = []
    sync, rename = os.fsync, Path.replace

    def noted_sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        held = path.stat().st_size if path.is_file() else len(list(path.iterdir()))
        noted.append(("fsync", str(path), held))
        sync(descriptor)

    def noted_rename(source: Path, target: Path) -> Path:
        noted.append(("rename", str(target), source.stat().st_size))
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "replace", noted_rename)
    return noted


def test_a_part_is_synced_before_its_rename_and_its_folder_after(tmp_path: Path, calls) -> None:
    writer = open_store(tmp_path / "a").writer("r1")
    writer.write(EPOCHS, [ROW])
    folder = tmp_path / "a" / "tables" / "parts"
    (part,) = folder.iterdir()
    size = part.stat().st_size
    temporary = f"{folder}/.{part.name}.{os.getpid()}"
    made = [("fsync", str(one), 1) for one in (tmp_path, tmp_path / "a", tmp_path / "a" / "tables")]
    written = [("fsync", temporary, size), ("rename", str(part), size), ("fsync", str(folder), 1)]
    assert calls == made + written, "each new folder, then the part"


def test_a_merge_syncs_the_merged_part_before_the_others_are_deleted(tmp_path: Path, calls) -> None:
    writer = open_store(tmp_path / "a").writer("r1")
    for number in (1, 2):
        writer.write(EPOCHS, [{**ROW, "epoch": number}])
    calls.clear()
    writer.merge()
    (part,) = (tmp_path / "a" / "tables" / "parts").iterdir()
    size = part.stat().st_size
    temporary = f"{part.parent}/.{part.name}.{os.getpid()}"
    assert calls == [
        ("fsync", temporary, size),
        ("rename", str(part), size),
        ("fsync", str(part.parent), 3),
    ], "the two old parts are there until the merged one is durable"


def test_a_whole_file_is_synced_in_the_same_order(tmp_path: Path, calls) -> None:
    write_atomically(tmp_path / "spec.json", b"{}")
    temporary = f"{tmp_path}/.spec.json.{os.getpid()}"
    target = ("rename", f"{tmp_path}/spec.json", 2)
    assert calls == [("fsync", temporary, 2), target, ("fsync", str(tmp_path), 1)]


def test_a_write_that_fails_leaves_the_earlier_file_and_no_other(tmp_path: Path) -> None:
    write_atomically(tmp_path / "spec.json", b"earlier")
    with pytest.raises(TypeError):
        write_atomically(tmp_path / "spec.json", None)  # type: ignore[arg-type]
    assert [file.name for file in tmp_path.iterdir()] == ["spec.json"]
    assert (tmp_path / "spec.json").read_bytes() == b"earlier"
