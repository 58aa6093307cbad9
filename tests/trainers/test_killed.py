"""A run that is killed again and again ends as if nothing had happened."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from recorded_run import CLOCKS

from trainers import checkpoint

AT_MOST = 30
"""Kills: of these a lucky run escapes a few by ending first."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    script = Path(__file__).with_name("killed_run.py")
    command = [sys.executable, str(script), str(folder), "0", str(AT_MOST)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    (folder / "done.json").write_text(done.stdout)
    return folder


def records(folder):
    """Return what a consumer keeps: the last record of each key, clocks left out."""
    kept = {}
    for line in (folder / "records.jsonl").read_text().splitlines():
        kind, fields = json.loads(line)
        key = tuple(fields.get(name) for name in ("kind", "epoch", "layer", "function"))
        kept[(kind, *key)] = {name: v for name, v in fields.items() if name not in CLOCKS}
    return kept


def bits(tensor):
    return tensor.contiguous().view(torch.uint8)


def final(folder):
    (path,) = (folder / "checkpoints").glob("*/final.ckpt")
    return checkpoint.read(path)


def test_it_was_killed_often_also_while_it_wrote(folder):
    done = json.loads((folder / "done.json").read_text())
    assert done["kills"] >= 20
    assert done["kills_in_write"] >= 5
    restored = (folder / "killed" / "records.jsonl").read_text().count('"kind": "restore"')
    assert restored >= 5


def test_its_parameters_are_equal_bit_for_bit(folder):
    peace, killed = final(folder / "peace")["net"], final(folder / "killed")["net"]
    assert peace.keys() == killed.keys()
    for name, value in peace.items():
        assert torch.equal(bits(value), bits(killed[name])), name


def test_its_records_are_equal_bit_for_bit(folder):
    peace, killed = records(folder / "peace"), records(folder / "killed")
    restores = {key for key in killed if key[1] == "restore"}
    assert killed.keys() - restores == peace.keys()
    assert {key: killed[key] for key in peace} == peace
    assert sum(key[0] == "EpochRecord" for key in peace) == 32
    assert sum(key[0] == "Snapshot" for key in peace) > 32


def test_it_leaves_nothing_but_its_end(folder):
    for name in ("peace", "killed"):
        (run,) = (folder / name / "checkpoints").iterdir()
        assert [path.name for path in run.iterdir()] == ["final.ckpt"]
