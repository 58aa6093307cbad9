"""Kernels are compiled once, kept, and done without where there is no compiler."""

import concurrent.futures
import ctypes
import multiprocessing
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

FORK = multiprocessing.get_context("fork")
"""A process that has loaded no kernel yet, without importing torch again."""
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
        compiler._process_folder,
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
    with concurrent.futures.ProcessPoolExecutor(3, FORK) as pool:
        assert list(pool.map(_loads, range(3))) == [True] * 3
    assert [path.suffix for path in cache.iterdir()] == [".so"]


def _loads(number: int) -> bool:
    return compiler.library("pointwise.cpp", **SWISH) is not None


def test_a_folder_that_cannot_be_written_is_not_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    monkeypatch.setattr(compiler.tempfile, "tempdir", str(tmp_path))
    assert compiler.library("pointwise.cpp", **SWISH) is not None
    assert len(list(tmp_path.glob("polyneuron-kernels-*/*.so"))) == 1


NOBODY = 65534


def plant(folder: Path) -> Path:
    """Put a library of somebody else's making in the place of a small one of ours."""
    ours = folder.parents[1] / "ours.cpp"
    ours.write_text('extern "C" int ours() { return 1; }')
    assert compiler.library(ours) is not None
    source = folder.parents[1] / "planted.cpp"
    source.write_text('extern "C" int planted() { return 1; }')
    (path,) = folder.glob("*.so")
    library = folder.parents[1] / "planted.so"
    subprocess.run(["g++", "-shared", "-fPIC", "-o", library, source], check=True)
    return library.replace(path)


def loads_planted(folder: Path) -> bool:
    """Load the small library in a process of its own, since none loads one name twice."""
    with concurrent.futures.ProcessPoolExecutor(1, FORK) as pool:
        return pool.submit(_loads_planted, folder).result()


def _loads_planted(folder: Path) -> bool:
    forget()
    compiler.tempfile.tempdir = str(folder.parents[1])
    found = compiler.library(folder.parents[1] / "ours.cpp")
    assert hasattr(found, "ours") or hasattr(found, "planted")
    return hasattr(found, "planted")


def test_a_library_of_the_users_own_is_loaded_as_it_is(cache: Path) -> None:
    plant(cache)
    assert loads_planted(cache)


@pytest.mark.parametrize("mode", [0o707, 0o770])
def test_a_folder_in_which_others_can_write_is_not_loaded_from(mode: int, cache: Path) -> None:
    path = plant(cache)
    content = path.read_bytes()
    cache.chmod(mode)
    assert not loads_planted(cache)
    assert path.read_bytes() == content


@pytest.mark.parametrize("way", ["open to all", "a link", "another user's"])
def test_a_file_that_others_could_have_written_is_compiled_anew(way: str, cache: Path) -> None:
    path = plant(cache)
    if way == "open to all":
        path.chmod(0o666)
    elif way == "a link":
        path.symlink_to(path.rename(cache.parent / "elsewhere.so"))
    elif os.geteuid() == 0:
        os.chown(path, NOBODY, NOBODY)
    else:
        pytest.skip("only root can give a file to another user")
    assert not loads_planted(cache)
    assert not path.is_symlink()
    assert path.stat().st_uid == os.geteuid()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_another_users_folder_is_not_loaded_from(cache: Path) -> None:
    plant(cache)
    os.chown(cache, NOBODY, NOBODY)
    assert not loads_planted(cache)


def test_a_process_without_a_cache_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    code = "from polyneuron.kernels.cpp.compiler import library; "
    code += f"assert library('pointwise.cpp', **{SWISH}) is not None"
    places = {"XDG_CACHE_HOME": str(tmp_path / "a file"), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **places}, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a file"]


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
