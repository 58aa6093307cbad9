"""Checkpoints of a run: atomic, checked, versioned; the last two are kept.

A file is one header line with a SHA-256, then the content as `torch.save` writes it. The hash is
our own because torch does not check the checksums of its archive.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import pickle
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from trainers.durable import UNFINISHED, durable_file
from trainers.records import EpochRecord, Event, Record, RunRecord, Snapshot

VERSION = 3
"""Raised when the content's meaning changes; a file of another version counts as damaged."""

KEEP = 2
"""Checkpoints of a run: should the newest be damaged, the one before it is there."""

_MAGIC = "polyneuron-sweeps checkpoint"
_RECORDS: Mapping[str, Callable[..., Record]] = {
    kind.__name__: kind for kind in (EpochRecord, Snapshot, Event, RunRecord)
}


class DamagedCheckpointError(Exception):
    """A checkpoint file was altered or cut off, or is of another version."""


def pack_records(records: Iterable[Record]) -> str:
    """Turn records into text: torch's pickler asks for each number whether it is a tensor."""
    packed = []
    for record in records:
        fields = {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
        plain = {k: {"hex": v.hex()} if isinstance(v, bytes) else v for k, v in fields.items()}
        packed.append({"kind": type(record).__name__, "fields": plain})
    return json.dumps(packed)


def unpack_records(packed: str) -> list[Record]:
    """Turn the text from `pack_records` into equal records."""
    return [
        _RECORDS[entry["kind"]](**{name: _value(value) for name, value in entry["fields"].items()})
        for entry in json.loads(packed)
    ]


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"])
    return tuple(value) if isinstance(value, list) else value


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write `content`, of tensors and plain values, so that `path` is the old file or the new."""
    buffer = io.BytesIO()
    torch.save(dict(content), buffer)
    payload = buffer.getbuffer()
    header = f"{_MAGIC} {VERSION} {hashlib.sha256(payload).hexdigest()}\n"
    with durable_file(path) as file:
        file.write(header.encode())
        file.write(payload)


def read(path: Path) -> dict[str, Any]:
    """Read a file that `write` wrote, with its tensors on the CPU.

    Raises:
        DamagedCheckpointError: the file is cut off, altered, of another version, or not ours.
    """
    header, _, payload = path.read_bytes().partition(b"\n")
    words = header.decode(errors="replace").rsplit(" ", 2)
    if len(words) != 3 or words[0] != _MAGIC:
        raise DamagedCheckpointError("it has no header")
    if words[1] != str(VERSION):
        raise DamagedCheckpointError(f"its version is {words[1]}, not {VERSION}")
    if words[2] != hashlib.sha256(payload).hexdigest():
        raise DamagedCheckpointError("its content does not match its hash")
    try:
        content: dict[str, Any] = torch.load(
            io.BytesIO(payload), map_location="cpu", weights_only=True
        )
    except pickle.UnpicklingError:
        raise DamagedCheckpointError("it holds more than tensors and plain values") from None
    except (EOFError, KeyError, OSError, RuntimeError, ValueError):
        # The hash fits, so the file was written whole, and what was written is no checkpoint.
        raise DamagedCheckpointError("its content is no archive of torch") from None
    if not isinstance(content, dict):
        raise DamagedCheckpointError("it holds no names and values")
    return content


class RunFolder:
    """The files of one run: `epoch-00012.ckpt`, and `final.ckpt` once it has ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def clear(self) -> None:
        """Delete the run's files."""
        for path in self.folder.glob("*.*") if self.folder.is_dir() else ():
            path.unlink(missing_ok=True)

    def save(self, epoch: int, content: Mapping[str, Any]) -> None:
        """Write the checkpoint after `epoch` and delete all but the last two."""
        write(self.folder / f"epoch-{epoch:05d}.ckpt", content)
        # Deleted last: a crash before leaves one too many.
        for old in self._checkpoints()[:-KEEP]:
            old.unlink(missing_ok=True)

    def finish(self, content: Mapping[str, Any]) -> None:
        """Write the run's end and delete its checkpoints, which are of no more use."""
        write(self.folder / "final.ckpt", content)
        for old in self._checkpoints():
            old.unlink(missing_ok=True)

    def final(self) -> dict[str, Any] | None:
        """Return the content of the run's end, or None if it has not ended."""
        path = self.folder / "final.ckpt"
        return self._newest([path])[0] if path.exists() else None

    def latest(self) -> tuple[dict[str, Any] | None, list[str]]:
        """Return the newest sound checkpoint, or None, and a line on each damaged one.

        A damaged file is set aside as `<name>.damaged`.
        """
        for leftover in self.folder.glob(f"*{UNFINISHED}"):
            leftover.unlink(missing_ok=True)
        return self._newest(self._checkpoints())

    def _checkpoints(self) -> list[Path]:
        # The epoch has leading zeros, so the order of names is that of epochs.
        return sorted(self.folder.glob("epoch-*.ckpt"))

    def _newest(self, paths: list[Path]) -> tuple[dict[str, Any] | None, list[str]]:
        damaged: list[str] = []
        for path in reversed(paths):
            try:
                return read(path), damaged
            except DamagedCheckpointError as error:
                # Not deleted: it may tell what damaged it.
                aside = path.with_name(f"{path.name}.damaged")
                path.replace(aside)
                damaged.append(f"{path.name}: {error}; set aside as {aside.name}")
        return None, damaged
