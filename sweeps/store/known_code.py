"""Hashes of the training code as they were found before: to parse all of it takes half a second."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from analysis.store.whole_files import write_atomically
from sweeps.store.training_code import KERNELS, PACKAGES, TrainingCode
from sweeps.store.user_cache import user_cache

FINDERS = (Path(__file__).with_name("training_code.py"), Path(__file__).parents[1] / "syntax.py")
"""The modules that decide what is hashed, and how."""


def code_hashes(root: Path) -> dict[str, str]:
    """Return `TrainingCode(root).hashes`, from a file of the user's cache where nothing changed.

    Args:
        root: the folder that has the packages of the training code.
    """
    content = _content(root)
    name = hashlib.sha256(str(root).encode()).hexdigest()[:16]
    file = user_cache("code") / f"{name}.json"
    with suppress(OSError, ValueError, TypeError, KeyError):  # a damaged file is made anew
        kept = json.loads(file.read_text("utf-8"))
        if kept["content"] == content:
            return {str(path): str(one) for path, one in kept["hashes"].items()}
    found = TrainingCode(root).hashes
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps({"content": content, "hashes": found}).encode())
    return found


def _content(root: Path) -> str:
    """Hash the names and bytes of all files of which the training code may consist."""
    digest = hashlib.sha256()
    sources = (file for package in PACKAGES for file in (root / package).rglob("*"))
    inside = sorted(file for file in sources if file.suffix in (".py", *KERNELS))
    for file in (*inside, *FINDERS):
        content = file.read_bytes()
        digest.update(f"{file}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
