"""The code version changes with every edit that can change a result, and with no other."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.store.training_code import PACKAGES, TrainingCode

ROOT = Path(__file__).parents[3]

LOADED = """
import json, sys
from trainers import *
from trainers.config import *
train(RunConfig(
    activation=ActivationConfig(sys.argv[1]),
    network=NetworkConfig(sys.argv[2]),
    data=DataConfig("digits", train_images=32),
    recipe=Recipe(epochs=1, batch_size=32),
))
print(json.dumps([
    name for name, module in sys.modules.items()
    if name.startswith(("polyneuron.", "trainers."))
    and not module.__file__.endswith("__init__.py")
]))
"""

BESIDE = {
    *("polyneuron.show", "polyneuron.parameter_groups"),
}
"""Modules that `import polyneuron` loads, and no training uses."""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignored)
    return tmp_path


@pytest.mark.parametrize(
    ("activation", "network"),
    [("polyneuron_r", "lenet5"), ("polyneuron", "lenet5"), ("ensemble", "resnet20")],
)
def test_every_module_that_a_training_loads_is_reached(activation: str, network: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOADED, activation, network],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert len(loaded) > 40
    assert loaded - TrainingCode(ROOT).modules <= BESIDE


def test_an_edit_of_any_file_inside_changes_its_hash(copied: Path) -> None:
    before = TrainingCode(copied).hashes
    assert {"trainers/loop.py", "polyneuron/basis.py", "trainers/networks/lenet.py"} <= set(before)
    assert "polyneuron/kernels/relu/device.py" in before
    assert "polyneuron/kernels/relu/relu.hpp" in before
    for name in before:
        with (copied / name).open("a") as file:
            file.write("\nEDITED = 1\n")
    after = TrainingCode(copied).hashes
    assert after.keys() == before.keys()
    assert not [name for name in before if after[name] == before[name]]


def test_an_edit_of_what_no_training_uses_changes_nothing(copied: Path) -> None:
    before = TrainingCode(copied).hashes
    with (copied / "polyneuron/show.py").open("a") as file:
        file.write("\nEDITED = 1\n")
    assert TrainingCode(copied).hashes == before


def test_docstrings_comments_and_layout_change_nothing(copied: Path) -> None:
    before = TrainingCode(copied).hashes
    path = copied / "trainers/schedule.py"
    text = path.read_text()
    marker = "def rate_factor(recipe: Recipe, epoch: int) -> float:\n"
    assert marker in text
    edited = text.replace(marker, f"# A comment.\n\n{marker}    'Another docstring.'\n\n")
    path.write_text(edited.replace("The schedule", "Another schedule"))
    assert TrainingCode(copied).hashes == before
    path.write_text(edited.replace("epoch > drop", "epoch >= drop"))
    assert TrainingCode(copied).hashes != before


def test_a_name_is_followed_through_an_init(copied: Path) -> None:
    """A module that only `__init__` names is no part, until a module inside asks for its name."""
    (copied / "polyneuron/idle.py").write_text("def idle():\n    return 1\n")
    with (copied / "polyneuron/__init__.py").open("a") as file:
        file.write("\nfrom polyneuron.idle import idle\n")
    assert "polyneuron.idle" not in TrainingCode(copied).modules
    with (copied / "trainers/step.py").open("a") as file:
        file.write("\nfrom polyneuron import idle\n")
    assert "polyneuron.idle" in TrainingCode(copied).modules
    assert "polyneuron" not in TrainingCode(copied).modules


def test_what_only_type_checkers_import_is_no_part(copied: Path) -> None:
    (copied / "polyneuron/idle.py").write_text("Idle = int\n")
    with (copied / "trainers/step.py").open("a") as file:
        file.write("\nif TYPE_CHECKING:\n    from polyneuron.idle import Idle\n")
    assert "polyneuron.idle" not in TrainingCode(copied).modules
