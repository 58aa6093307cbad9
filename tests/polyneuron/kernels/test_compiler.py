"""Kernels are compiled once, kept, and done without where there is no compiler."""

import concurrent.futures
import ctypes
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from polyneuron import PolyNeuronR
from polyneuron.kernels import choice
from polyneuron.kernels.backend import KernelWarning, warn_of_plain_formulas
from polyneuron.kernels.cpp import backend, compiler

SWISH = {"FUNCTION": "Swish", "HEADER": '"swish/swish.hpp"', "STORAGE": "Float32"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give each test a cache of its own, and a process that has compiled nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    forget()
    yield tmp_path / "polyneuron-sweeps" / "kernels"
    forget()


def forget() -> None:
    for cached in (
        compiler.library,
        compiler._compiler,
        warn_of_plain_formulas,
        backend._library,
        choice._first,
    ):
        cached.cache_clear()


def test_it_is_compiled_once_and_kept(cache: Path) -> None:
    assert isinstance(compiler.library("pointwise.cpp", **SWISH), ctypes.CDLL)
    (path,) = cache.iterdir()
    written = path.stat().st_mtime_ns
    forget()
    assert compiler.library("pointwise.cpp", **SWISH) is not None
    assert path.stat().st_mtime_ns == written
    assert list(cache.iterdir()) == [path]


@pytest.fixture
def gcc(tmp_path: Path) -> Path:
    """A file in the place of a compiler, which is not run."""
    path = tmp_path / "gcc-12"
    path.write_text("version 12.1")
    return path


def test_another_function_or_processor_is_another_file(
    gcc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = str(compiler.KERNELS / "cpp" / "pointwise.cpp")
    command = [str(gcc), "-DFUNCTION=Swish", source]
    first = compiler._digest(command)
    assert compiler._digest(command) == first
    assert compiler._digest([str(gcc), "-DFUNCTION=Relu", source]) != first
    monkeypatch.setattr(compiler, "_processor", lambda: "flags: none")
    assert compiler._digest(command) != first


@pytest.mark.parametrize("source", ["cpp/lanes.hpp", "cpp/norm.cpp", "swish/swish.hpp"])
def test_another_source_is_another_file(
    source: str, gcc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / "kernels"
    shutil.copytree(compiler.KERNELS, copied, ignore=shutil.ignore_patterns("*.py*"))
    monkeypatch.setattr(compiler, "KERNELS", copied)
    first = compiler._digest([str(gcc)])
    (copied / source).write_text("// changed\n" + (copied / source).read_text())
    assert compiler._digest([str(gcc)]) != first


def test_a_source_elsewhere_counts_as_well(gcc: Path, tmp_path: Path) -> None:
    source = tmp_path / "own.cpp"
    source.write_text("// first\n")
    first = compiler._digest([str(gcc)], source)
    source.write_text("// second\n")
    assert compiler._digest([str(gcc)], source) != first


def test_another_compiler_is_another_file(gcc: Path) -> None:
    other = gcc.with_name("clang-17")
    shutil.copy2(gcc, other)  # alike to the date: only the command tells them apart
    assert compiler._digest([str(other)]) != compiler._digest([str(gcc)])


@pytest.mark.parametrize("change", ["size", "date"])
def test_an_updated_compiler_is_another_file(change: str, gcc: Path) -> None:
    """An update keeps the compiler's path; often it keeps a link's path to another version."""
    link = gcc.with_name("g++")
    link.symlink_to(gcc)
    first, date = compiler._digest([str(link)]), gcc.stat().st_mtime_ns
    if change == "size":
        gcc.write_text("version 12.1.1")
        os.utime(gcc, ns=(date, date))
    else:
        os.utime(gcc, ns=(date, date + 10**9))
    assert compiler._digest([str(link)]) != first


def test_several_processes_at_once_each_find_a_whole_file(cache: Path) -> None:
    code = "from polyneuron.kernels.cpp.compiler import library; "
    code += f"assert library('pointwise.cpp', **{SWISH}) is not None"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        done = list(
            pool.map(lambda _: subprocess.run([sys.executable, "-c", code]).returncode, range(3))
        )
    assert done == [0, 0, 0]
    assert [path.suffix for path in cache.iterdir()] == [".so"]


def test_a_folder_that_cannot_be_written_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    monkeypatch.setattr(compiler.tempfile, "gettempdir", lambda: str(tmp_path))
    assert compiler.library("pointwise.cpp", **SWISH) is not None


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("no-such-compiler", "no C.. compiler found; install g.. or name one in CXX"),
        ("false", "/false: exit status 1"),
    ],
)
def test_without_a_compiler_the_formulas_run_and_say_so_once(
    command: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(3, 4, requires_grad=True)
    module = PolyNeuronR()
    expected = module(x)
    forget()
    monkeypatch.setenv("CXX", command)
    with pytest.warns(KernelWarning, match=f"as plain formulas, several times slower: .*{reason}"):
        y = module(x)
    torch.testing.assert_close(y, expected)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        PolyNeuronR(s=5)(x).sum().backward()
    assert x.grad is not None
