"""Each extra installs what its part imports: other packages are hidden from it."""

import importlib.util
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

PARTS = {
    "activations": """
from polyneuron import make_activation, penalties
import torch
penalties(torch.nn.Sequential(make_activation("polyneuron_r")))
""",
    "analysis": "import_all('analysis')",
    "train": "import_all('polyneuron', 'trainers')",
    "sweep": "import_all('analysis', 'polyneuron', 'trainers', 'sweeps')",
}

HIDING = """
import importlib, pkgutil, sys
hidden = set(sys.argv[1].split(","))

class Hiding:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Hiding)

def import_all(*packages):
    for package in map(importlib.import_module, packages):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            # Tests for activations and stores of one's own need pytest.
            if "testing" not in found.name and not found.name.endswith("__main__"):
                importlib.import_module(found.name)
"""


def installed_by(requirements: list[str]) -> set[str]:
    """Return the distributions that pip installs for requirements, by their canonical names."""
    found: set[str] = set()
    pending = [Requirement(text) for text in requirements]
    seen: set[str] = set()
    while pending:
        wanted = pending.pop()
        if str(wanted) in seen:
            continue
        seen.add(str(wanted))
        try:
            needs = metadata.requires(wanted.name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(canonicalize_name(wanted.name))
        for one in map(Requirement, needs):
            extras = wanted.extras or {""}
            if one.marker is None or any(one.marker.evaluate({"extra": e}) for e in extras):
                pending.append(one)
    return found


def requirements_of(extra: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    found, pending = list(project["dependencies"]), [extra]
    while pending:
        for text in project["optional-dependencies"][pending.pop()]:
            one = Requirement(text)
            if one.name == project["name"]:
                pending.extend(one.extras)
            else:
                found.append(text)
    return found


def carried_by_ray() -> set[str]:
    """Return the packages that Ray's own has inside it."""
    spec = importlib.util.find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    folders = Path(spec.origin).parent.glob("*/*/")
    return {folder.name for folder in folders if folder.parent.name == "thirdparty_files"}


@pytest.mark.parametrize("extra", PARTS)
def test_an_extra_installs_what_its_part_imports(extra: str) -> None:
    installed = installed_by(requirements_of(extra))
    ours = {"analysis", "polyneuron", "sweeps", "trainers"}
    if "ray" in installed:
        installed |= carried_by_ray()
    hidden = [
        module
        for module, owners in metadata.packages_distributions().items()
        if module not in ours and not {canonicalize_name(owner) for owner in owners} & installed
    ]
    assert "pytest" in hidden
    code = HIDING + PARTS[extra]
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(hidden)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
