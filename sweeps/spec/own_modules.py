"""Modules of a user's own: the files that `module:function` reaches, their hash and their copy.

They are the files below the folder of the specification, or below the folder of Python's path from
which the module comes, that the module reaches by imports. Installed packages are not among them.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sweeps.spec.errors import SpecError
from sweeps.syntax import digest, executed, hash_of
from trainers.references import resolve

NOT_OWN = ("torchvision", "folder")
"""Words before the colon that name no module of a user's own."""

OURS = ("polyneuron", "trainers", "sweeps", "analysis")
"""Packages whose lines tell a user nothing of a failure in code of the user's own."""

_imported: dict[str, str] = {}
"""The hash of each own module's file when it was imported by this process."""


def is_own(name: object) -> bool:
    """Return True for `module:function`."""
    return isinstance(name, str) and ":" in name and name.partition(":")[0] not in NOT_OWN


class OwnModules:
    """The files that a reference reaches.

    Attributes:
        reference: as `my_models:wide_net`.
        root: the folder below which they lie; None for a function of an installed package.
        files: their paths by the names of their modules.
    """

    def __init__(self, reference: str, folder: Path) -> None:
        """Find the files.

        Raises:
            SpecError: there is no such module, or a file is no Python.
        """
        self.reference = reference
        module = reference.partition(":")[0]
        places = [folder, *(Path(entry or ".") for entry in sys.path if not _installed(entry))]
        self.root = next((one.resolve() for one in places if _file(one, module)), None)
        self.files: dict[str, Path] = {}
        self._trees: dict[str, ast.Module] = {}
        if self.root is None:
            _check_installed(reference, folder)
            return
        waiting = [module]
        while waiting:
            name = waiting.pop()
            if name not in self.files and (file := _file(self.root, name)):
                self.files[name] = file
                self._trees[name] = _parsed(file)
                waiting += [name.rpartition(".")[0], *self._imports(name)]

    @property
    def code(self) -> str:
        """Twelve hex digits that change with the code of any of the files."""
        hashes = [f"{name} {hash_of(tree)}" for name, tree in sorted(self._trees.items())]
        return digest("\n".join(hashes).encode())

    def copy_to(self, folder: Path) -> None:
        """Copy the files, each at its place below the root."""
        for file in self.files.values():
            assert self.root is not None
            target = folder / file.relative_to(self.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            # A sweep that goes on reads its modules from where the first start has copied them.
            if not (target.exists() and target.samefile(file)):
                shutil.copyfile(file, target)

    def use(self) -> None:
        """Make the modules importable in this process, as their files are now."""
        if self.root is not None:
            _use(self.root, self.files)

    def _imports(self, module: str) -> Iterator[str]:
        is_package = self.files[module].name == "__init__.py"
        for node in executed(self._trees[module]):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                parts = module.split(".") if is_package else module.split(".")[:-1]
                above = parts[: len(parts) + 1 - node.level] if node.level else []
                base = ".".join([*above, *([node.module] if node.module else [])])
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names)


def put_on_path(folder: Path) -> None:
    """Let modules in a folder be imported before others of their names."""
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))


def use_copy(folder: Path) -> None:
    """Make the modules that `copy_to` copied into a folder importable in this process."""
    files = {}
    for file in folder.rglob("*.py"):
        parts = file.relative_to(folder).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file.resolve()
    if files:
        _use(folder.resolve(), files)


def root_of(reference: str) -> Path:
    """Return the folder from which this process has imported the module of a reference."""
    module = importlib.import_module(reference.partition(":")[0])
    file = Path(module.__file__ or "").resolve()
    depth = module.__name__.count(".") + (file.name == "__init__.py")
    return file.parents[depth]


def _use(root: Path, files: Mapping[str, Path]) -> None:
    put_on_path(root)
    current = {name: f"{file} {digest(file.read_bytes())}" for name, file in files.items()}
    # What was imported earlier, from another folder or before an edit, is imported anew.
    if any(
        _imported.get(name, now) != now or _is_from_elsewhere(name, files[name])
        for name, now in current.items()
    ):
        for name in current:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
    _imported.update(current)


def imported(reference: str) -> Any:
    """Import the function of a reference.

    Raises:
        SpecError: no such function, or importing its module fails; the message names the line.
    """
    try:
        return resolve(reference)
    except ValueError as error:
        raise SpecError(str(error)) from None
    except Exception as error:  # a module of a user's own may fail in any way
        raise SpecError(f"{reference}: importing it fails: {failure(error)}") from None


def failure(error: BaseException) -> str:
    """Return an exception on one line, with the last line of code of its own that it names."""
    lines = str(error).strip().splitlines()
    text = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    frames = []
    trace = error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    own = [(file, line) for file, line in frames if not (_installed(file) or _is_ours(file))]
    return f"{text} ({own[-1][0]}:{own[-1][1]})" if own else text


def _file(root: Path, module: str) -> Path | None:
    if not module:
        return None
    place = root.joinpath(*module.split("."))
    found = (place.with_suffix(".py"), place / "__init__.py")
    return next((file.resolve() for file in found if file.is_file()), None)


def _installed(path: str) -> bool:
    """Return True for a path of Python's own library or of an installed package."""
    places = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    inside = ("site-packages", "dist-packages", "<frozen", ".zip")
    return path.startswith(places) or any(word in path for word in inside)


def _is_ours(path: str) -> bool:
    below = Path(__file__).parents[2]
    return any(Path(path).is_relative_to(below / name) for name in OURS)


def _check_installed(reference: str, folder: Path) -> None:
    module = reference.partition(":")[0]
    if module == "__main__":
        raise SpecError(
            f"{reference}: workers cannot import what a notebook or a script defines; put the"
            " function into a file beside it, as my_models.py"
        )
    try:
        found = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        found = None
    if found is None:
        file = f"{module.replace('.', '/')}.py"
        raise SpecError(f"{reference}: no module {module!r}; expected {folder / file}")


def _parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise SpecError(f"{file}:{error.lineno}: {error.msg}") from None


def _is_from_elsewhere(name: str, file: Path) -> bool:
    """Return True if a module of this name was imported from another file."""
    loaded = getattr(sys.modules.get(name), "__file__", None)
    return loaded is not None and Path(loaded).resolve() != file
