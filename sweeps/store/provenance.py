"""The training code and the versions of the packages that produced a result."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from functools import lru_cache
from pathlib import Path

PACKAGES = ("torch", "torchvision", "numpy", "ray", "optuna", "pandas", "pyarrow")
TRAINING_PACKAGES = ("polyneuron", "trainers")
SOURCES = (".py", ".cpp", ".hpp")


def versions() -> dict[str, str]:
    """Return the versions of Python, the platform and each package that can change a result."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in ("polyneuron-sweeps", *PACKAGES):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


@lru_cache
def code_version() -> str:
    """Return the package's version and a hash of the training code's source files."""
    digest = hashlib.sha256(json.dumps(code_files(), sort_keys=True).encode())
    return f"{versions()['polyneuron-sweeps']}+{digest.hexdigest()[:12]}"


def code_files() -> dict[str, str]:
    """Return a hash of each source file of the training code, by its path."""
    root = Path(__file__).parents[2]
    files = (file for name in TRAINING_PACKAGES for file in sorted((root / name).rglob("*")))
    return {
        file.relative_to(root).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()[:12]
        for file in files
        if file.suffix in SOURCES
    }
