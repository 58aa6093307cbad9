"""Order of system calls on real files: what a power cut can take depends on it."""

import os
import stat
from pathlib import Path

import pytest

from trainers import checkpoint
from trainers.durable import durable_file


@pytest.fixture
def calls(monkeypatch):
    """Records every fsync, by the path of what is synced, and every rename, and lets them pass."""
    made = []
    fsync, replace = os.fsync, Path.replace

    def recording_fsync(descriptor):
        made.append(("fsync", Path(f"/proc/self/fd/{descriptor}").resolve()))
        fsync(descriptor)

    def recording_replace(path, target):
        made.append(("rename", Path(target)))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", recording_fsync)
    monkeypatch.setattr(Path, "replace", recording_replace)
    return made


@pytest.fixture
def folder(tmp_path):
    return tmp_path.resolve()


def test_a_checkpoint_is_synced_then_renamed_then_its_folder_is_synced(calls, folder):
    path = folder / "run" / "epoch-00001.ckpt"
    checkpoint.RunFolder(path.parent).save(1, {"step": 1})
    (first, unfinished), *rest = calls
    assert (first, unfinished.parent, unfinished.suffix) == ("fsync", path.parent, ".part")
    assert rest == [("rename", path), ("fsync", path.parent)]
    assert checkpoint.read(path) == {"step": 1}


def test_all_bytes_are_on_disk_before_the_rename(calls, folder, monkeypatch):
    sizes = []
    replace = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda path, to: (sizes.append(path.stat().st_size), replace(path, to))
    )
    with durable_file(folder / "a") as file:
        file.write(b"x" * 10)
    assert sizes == [10]


def test_a_failure_leaves_the_old_file_and_nothing_else(folder):
    path = folder / "a"
    path.write_bytes(b"old")

    def write_half():
        with durable_file(path) as file:
            file.write(b"half of the n")
            raise KeyError("mid-write")

    with pytest.raises(KeyError, match="mid-write"):
        write_half()
    assert path.read_bytes() == b"old"
    assert list(folder.iterdir()) == [path]


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o002])
def test_a_file_has_the_mode_that_the_umask_leaves(umask, folder):
    before = os.umask(umask)
    try:
        with durable_file(folder / "a") as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o666 & ~umask
