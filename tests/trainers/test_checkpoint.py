import hashlib
import io

import pytest
import torch

from trainers.checkpoint import (
    VERSION,
    DamagedCheckpointError,
    RunFolder,
    pack_records,
    read,
    unpack_records,
    write,
)
from trainers.records import EpochRecord, Event, RunRecord, Snapshot

RECORDS = [
    Event("start", 0),
    Snapshot(1, "act1", 0, (-1.0, 1.0), (0.0, 1.0), (0.1, 0.2), 0.5, None, (0.0,), (0.3,), -1, 2.0),
    EpochRecord(1, 1e-3, 0.1, float("inf"), 2.0, 3.0, 4.0, 0.0, 0.0, 1.5, 1.25, 100.0, 0),
    RunRecord(
        "diverged", 30, 1, "why", 2.0, None, None, 61706, 4, 0.5, 0.1, 1.5, 0.25, 0.02, 0.03, 2.5,
        "00ff", "cpu", False, b"\x00\xff\x80", 17, "act1",
    ),
]  # fmt: skip


def write_hashed(path, payload):
    """Write any payload under a header that fits."""
    digest = hashlib.sha256(payload).hexdigest()
    path.write_bytes(f"polyneuron-sweeps checkpoint {VERSION} {digest}\n".encode() + payload)


def test_records_come_back_equal_through_a_file(tmp_path):
    write(tmp_path / "a.ckpt", {"waiting": pack_records(RECORDS)})
    assert unpack_records(read(tmp_path / "a.ckpt")["waiting"]) == RECORDS


def test_tensors_come_back_equal_with_their_layout(tmp_path):
    weight = torch.randn(6, 3, 5, 5).to(memory_format=torch.channels_last)
    write(tmp_path / "a.ckpt", {"net": {"weight": weight}, "step": 3})
    content = read(tmp_path / "a.ckpt")
    assert torch.equal(content["net"]["weight"], weight)
    assert content["net"]["weight"].stride() == weight.stride()
    assert content["step"] == 3


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.7, 0.9999])
def test_one_changed_bit_is_noticed(tmp_path, share):
    path = tmp_path / "a.ckpt"
    write(path, {"net": torch.zeros(1000)})
    content = bytearray(path.read_bytes())
    content[int(share * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedCheckpointError, match=r"header|version|hash"):
        read(path)


@pytest.mark.parametrize("size", [0, 1, 50, 120, 1000])
def test_a_cut_off_file_is_noticed(tmp_path, size):
    path = tmp_path / "a.ckpt"
    write(path, {"net": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DamagedCheckpointError, match=r"header|hash"):
        read(path)


def test_another_version_is_named(tmp_path):
    path = tmp_path / "a.ckpt"
    write(path, {})
    header, _, payload = path.read_bytes().partition(b"\n")
    newer = header.replace(f" {VERSION} ".encode(), f" {VERSION + 1} ".encode())
    path.write_bytes(newer + b"\n" + payload)
    with pytest.raises(
        DamagedCheckpointError, match=f"its version is {VERSION + 1}, not {VERSION}"
    ):
        read(path)


def test_a_file_with_code_in_it_is_refused(tmp_path):
    class Code:
        def __reduce__(self):
            return print, ("run by the pickle",)

    write(tmp_path / "a.ckpt", {"net": Code()})
    with pytest.raises(DamagedCheckpointError, match="more than tensors"):
        read(tmp_path / "a.ckpt")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9])
def test_an_archive_cut_before_it_was_hashed_is_damaged(tmp_path, share):
    path = tmp_path / "a.ckpt"
    write(path, {"net": torch.zeros(1000)})
    payload = path.read_bytes().partition(b"\n")[2]
    write_hashed(path, payload[: int(share * len(payload))])
    with pytest.raises(DamagedCheckpointError, match=r"no archive of torch"):
        read(path)


@pytest.mark.parametrize("content", [[1], 3, None])
def test_an_archive_of_anything_but_names_is_damaged(tmp_path, content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_hashed(tmp_path / "a.ckpt", buffer.getvalue())
    with pytest.raises(DamagedCheckpointError, match="no names and values"):
        read(tmp_path / "a.ckpt")


def test_an_empty_archive_with_a_right_hash_gives_way_to_the_one_before(tmp_path):
    folder = RunFolder(tmp_path)
    folder.save(1, {"epoch": 1})
    write_hashed(tmp_path / "epoch-00002.ckpt", b"")
    content, damaged = folder.latest()
    assert content == {"epoch": 1}
    assert len(damaged) == 1
    assert "epoch-00002.ckpt" in damaged[0]


def test_only_the_last_two_are_kept(tmp_path):
    folder = RunFolder(tmp_path / "run")
    for epoch in (8, 9, 10, 11):
        folder.save(epoch, {"epoch": epoch})
    assert sorted(path.name for path in folder.folder.iterdir()) == [
        "epoch-00010.ckpt",
        "epoch-00011.ckpt",
    ]
    assert folder.latest() == ({"epoch": 11}, [])


def test_a_damaged_one_is_set_aside_once(tmp_path):
    folder = RunFolder(tmp_path)
    for epoch in (1, 2):
        folder.save(epoch, {"epoch": epoch})
    (tmp_path / "epoch-00002.ckpt").write_bytes(b"torn")
    content, damaged = folder.latest()
    assert content == {"epoch": 1}
    assert damaged == ["epoch-00002.ckpt: it has no header; set aside as epoch-00002.ckpt.damaged"]
    assert folder.latest() == ({"epoch": 1}, [])


def test_what_a_killed_writer_left_is_swept_up(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "tmpabc.part").write_bytes(b"half a checkpoint")
    assert folder.latest() == (None, [])
    assert not list(tmp_path.iterdir())


def test_the_end_replaces_the_checkpoints(tmp_path):
    folder = RunFolder(tmp_path)
    folder.save(1, {"epoch": 1})
    assert folder.final() is None
    folder.finish({"record": 1})
    assert folder.final() == {"record": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["final.ckpt"]


def test_a_damaged_end_falls_back(tmp_path):
    folder = RunFolder(tmp_path)
    folder.finish({"record": 1})
    (tmp_path / "final.ckpt").write_bytes(b"torn")
    assert folder.final() is None
    assert folder.latest() == (None, [])


def test_clearing_a_folder_that_is_not_there(tmp_path):
    RunFolder(tmp_path / "nowhere").clear()
    assert not (tmp_path / "nowhere").exists()
