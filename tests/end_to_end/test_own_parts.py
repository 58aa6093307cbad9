"""Networks of one's own and of torchvision, under Ray: stopped, resumed and reported."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import analysis

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"

# Networks that learn nothing at a rate of 1e-7 are pruned once another has reached the rung.
SPEC = """
name: own
question: Which width suits a network of one's own on images of one's own?
network: my_models:mlp
data: folder:images
data_options: {side: 8}
recipe: {epochs: 60, optimizer: sgd, schedule: cosine}
space:
  activation: relu
  width: {grid: [16, 32]}
  learning_rate: {grid: [1e-2, 1e-7]}
search: grid
seeds: 2
early_stopping: {rule: asha, grace_epochs: 2}
"""

# A ResNet-18 learns little in so few steps: which trials are pruned is left open.
RESNET18 = """
name: own
question: Does a ResNet-18 train with other activations in the place of its ReLUs?
network: torchvision:resnet18
replace: [ReLU]
data: {name: digits, train_images: 32, validation: held_out, held_out_images: 32}
recipe: {epochs: 2, batch_size: 16, optimizer: sgd, schedule: cosine}
space:
  activation: {grid: [relu, swish]}
search: grid
seeds: 2
early_stopping: {rule: asha, grace_epochs: 1}
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sweeps", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True)


def end(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode in (0, 130), errors
    return output


@pytest.mark.parametrize(
    ("spec", "benchmark", "question", "count"),
    [
        (SPEC, "my_models:mlp/folder:images", "Which width suits", 4),
        (RESNET18, "torchvision:resnet18/digits", "train with other activations", 2),
    ],
    ids=["mlp", "resnet18"],
)
def test_it_goes_on_where_it_was_stopped(
    tmp_path: Path, spec: str, benchmark: str, question: str, count: int
) -> None:
    shutil.copy(EXAMPLES / "own_network" / "my_models.py", tmp_path)
    shutil.copy(EXAMPLES / "image_folder" / "write_digits.py", tmp_path)
    subprocess.run([sys.executable, tmp_path / "write_digits.py"], check=True)
    (tmp_path / "own.yaml").write_text(spec)
    running = start(tmp_path, "run", "own.yaml")
    checkpoints = tmp_path / "results" / "own" / "checkpoints"
    while running.poll() is None and not any(checkpoints.glob("**/*.ckpt")):
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGINT)
    end(running)
    stopped = analysis.load(tmp_path / "results").trials
    assert "interrupted" in set(stopped["status"]), stopped
    end(start(tmp_path, "resume", "own"))
    results = analysis.load(tmp_path / "results")
    trials = results.trials.set_index("trial")
    assert len(trials) == count
    ends = {"completed", "pruned"}
    assert set(trials["status"]) == ends or (spec is RESNET18 and set(trials["status"]) <= ends)
    # The code of the copy reaches the runs, and each of them has each of its epochs once.
    runs = results.runs
    assert set(runs["benchmark"]) == {benchmark}
    whole = trials.index[trials["status"] == "completed"]
    done = runs[(runs["status"] == "completed") & runs["trial"].isin(whole)]
    assert done.groupby("trial").size().to_dict() == dict.fromkeys(whole, 2)
    epochs = results.epochs.groupby("run_id")["epoch"].apply(list)
    assert all(found == list(range(1, len(found) + 1)) for found in epochs)
    report = end(start(tmp_path, "report", "own"))
    assert question in (tmp_path / report.splitlines()[0]).read_text("utf-8")
