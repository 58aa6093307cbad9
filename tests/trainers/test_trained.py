"""A network that is exported computes elsewhere what it computed in its run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from trainers import ActivationConfig, DataConfig, Execution, Recipe, RunConfig, train
from trainers.checkpoint import RunFolder
from trainers.trained import export_network, load_network

ELSEWHERE = """
import json, sys, torch
from trainers.data import DATASETS
from pathlib import Path
from trainers.trained import load_network

net = load_network(sys.argv[1])
images = DATASETS["digits"].read(Path(), 28)
with torch.no_grad():
    guess = net(torch.from_numpy(images.val_images)).argmax(1)
wrong = guess != torch.from_numpy(images.val_labels)
print(json.dumps(100 * wrong.double().mean().item()))
"""


@pytest.mark.parametrize("normalise", ["dataset", "image"])
def test_an_exported_network_has_the_error_of_its_run(tmp_path: Path, normalise: str) -> None:
    run = RunConfig(
        activation=ActivationConfig("polyneuron_r", "channel", {"s": 5, "k": 3}),
        data=DataConfig("digits"),
        recipe=Recipe(epochs=2, normalise=normalise),
        seed=3,
        execution=Execution(threads=1, checkpoint_folder=tmp_path),
    )
    ended = train(run, report=lambda _: None)
    final = RunFolder(tmp_path / run.run_id).final()
    assert final is not None
    export_network(tmp_path / "model.pt", run, final["net"])
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path / "model.pt")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    error = json.loads(done.stdout)
    assert ended.last_val_error_percent is not None
    # The network of the run was in channels-last; sums in another order may move one image that
    # stands on the line between two digits.
    assert error == pytest.approx(ended.last_val_error_percent, abs=100 / 360)
    assert error < 80, "it has learned: ten classes by chance give 90 %"


def test_another_file_is_refused_by_its_name(tmp_path: Path) -> None:
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"other\.pt is no 'polyneuron-sweeps network 1'"):
        load_network(tmp_path / "other.pt")
