"""The GPU's benchmark as far as it goes without one: all that it times is run once, on the CPU."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))
import gpu
import speed
import speed_table


@pytest.fixture(autouse=True)
def _small_and_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def once(rivals: dict[str, gpu.Operator], seconds: float) -> dict[str, float]:
        return {name: float(rival() is not rivals) for name, rival in rivals.items()}

    for name, value in {
        "DEVICE": "cpu",
        "BATCH": 4,
        "BATCHES": 32,  # the plain script takes 128 images at a time
        "in_graphs": once,
        "by_the_clock": once,
    }.items():
        monkeypatch.setattr(gpu, name, value)
    monkeypatch.setattr(speed, "LARGE", (2, 16, 4, 4))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_row_can_be_measured_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row for rows_of in gpu.GROUPS.values() for row in speed.printed(rows_of())]
    assert {row.group for row in rows} == set(gpu.GROUPS)
    assert len({(row.operator, row.rival) for row in rows}) == len(rows)
    machine: dict[str, str | int] = {"device": "H", "torch": "2", "cuda": "13", "triton": "3"}
    (tmp_path / "speed_gpu.json").write_text(json.dumps(speed.table(machine, rows, 1)))
    shown = speed_table.speed_tables(tmp_path)
    aimed_at = [row for row in rows if row.target is not None]
    # Every time is 1 here, but for a byte's.
    missed = [row for row in aimed_at if row.ratio > row.target]
    assert shown.count("(missed)") == len(missed) > 0
    assert shown.count("\n|") == 1 + len(aimed_at)
    assert "*H, CUDA 13, Triton 3, torch 2;" in shown


def test_without_a_gpu_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    gpu.main([])
    assert capsys.readouterr().out == "no GPU here\n"


def test_an_unknown_group_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        gpu.main(["--only", "everything"])
    assert "invalid choice: 'everything'" in capsys.readouterr().err
