"""The training code: the source files that can change a run's result.

These are the modules that the trainer's loop reaches by imports, and the kernels' C++ sources.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from sweeps.syntax import digest, executed, hash_of

ENTRIES = ("trainers.loop", "trainers.function")
"""A run of this program's own networks, and one of a user's own training function."""
PACKAGES = ("polyneuron", "trainers")
KERNELS = (".cpp", ".hpp")

_MODULE = re.compile(r"[a-z_][\w*]*(\.[\w*]+)+(:\w+)?")
"""A module, or a name in it, in a text; `*` stands for what is computed."""


class TrainingCode:
    """The training code below a folder that has the packages `polyneuron` and `trainers`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trees: dict[str, ast.Module] = {}

    @cached_property
    def hashes(self) -> dict[str, str]:
        """A hash of each source file by its path below the root, sorted.

        Python is hashed without comments, docstrings and layout, C++ byte by byte.
        """
        paths = {name: self._path(name) for name in self.modules}
        found = {path: self._hash(name) for name, path in paths.items() if path}
        for package in PACKAGES:
            for file in (self._root / package).rglob("*"):
                if file.suffix in KERNELS:
                    found[file] = digest(file.read_bytes())
        return {file.relative_to(self._root).as_posix(): found[file] for file in sorted(found)}

    @cached_property
    def modules(self) -> frozenset[str]:
        """Names of the modules that the entries reach.

        A name that a package's `__init__` takes from elsewhere is followed to the module that
        defines it: the other names there change nothing.
        """
        reached: set[str] = set()
        waiting = list(ENTRIES)
        while waiting:
            name = waiting.pop()
            if name not in reached:
                reached.add(name)
                waiting += self._imported(name)
        return frozenset(reached)

    def _imported(self, module: str) -> Iterator[str]:
        """Yield the modules that a module imports, or names in a text."""
        for node in executed(self._tree(module)):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield from self._known(alias.name)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    yield from self._defining(node.module, alias.name)
            else:
                yield from self._in_text(_text(node))

    def _in_text(self, text: str) -> Iterator[str]:
        if not _MODULE.fullmatch(text) or not text.startswith(PACKAGES):
            return
        module, _, name = text.partition(":")
        for file in self._root.glob(module.replace(".", "/") + ".py"):
            found = ".".join(file.relative_to(self._root).with_suffix("").parts)
            yield from self._defining(found, name) if name else self._known(found)

    def _defining(self, module: str, name: str) -> Iterator[str]:
        """Yield the module that defines a name which another one imports from a module."""
        if self._path(f"{module}.{name}"):
            yield f"{module}.{name}"
        elif (path := self._path(module)) and path.name == "__init__.py":
            for node in executed(self._tree(module)):
                if isinstance(node, ast.ImportFrom) and node.module:
                    for alias in node.names:
                        if (alias.asname or alias.name) == name:
                            yield from self._defining(node.module, alias.name)
                            return
            yield module
        else:
            yield from self._known(module)

    def _known(self, module: str) -> Iterator[str]:
        if self._path(module):
            yield module

    def _path(self, module: str) -> Path | None:
        parts = module.split(".")
        if parts[0] not in PACKAGES:
            return None
        place = self._root.joinpath(*parts)
        file = place.with_suffix(".py")
        return file if file.is_file() else next(place.glob("__init__.py"), None)

    def _tree(self, module: str) -> ast.Module:
        if module not in self._trees:
            path = self._path(module)
            assert path is not None
            self._trees[module] = ast.parse(path.read_bytes())
        return self._trees[module]

    def _hash(self, module: str) -> str:
        return hash_of(self._tree(module))


def _text(node: ast.AST) -> str:
    """Return a text, with `*` for what is computed; of any other node the empty one."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "*" for part in node.values)
    return ""
