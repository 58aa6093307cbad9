"""The training code and the versions of the packages that produced a result."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from functools import lru_cache
from pathlib import Path

from sweeps.store.known_code import code_hashes

PACKAGES = ("torch", "torchvision", "numpy", "ray", "optuna", "pandas", "pyarrow")


@lru_cache
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
    """Return the package's version and a hash of the training code."""
    digest = hashlib.sha256(json.dumps(code_files(), sort_keys=True).encode())
    return f"{versions()['polyneuron-sweeps']}+{digest.hexdigest()[:12]}"


@lru_cache
def code_files() -> dict[str, str]:
    """Return a hash of each source file of the training code, by its path."""
    return code_hashes(Path(__file__).parents[2])
