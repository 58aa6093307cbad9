"""Kernels are compiled once, kept, and done without where there is no compiler."""

import concurrent.futures
import ctypes
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from polyneuron import PolyNeuronR
from polyneuron.kernels import compiler, cpu
from polyneuron.kernels.compiler import KernelWarning

SWISH = {"FUNCTION": "Swish", "STORAGE": "Float32"}


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
        compiler.warn_of_plain_formulas,
        cpu._library,
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


def test_another_function_source_or_processor_is_another_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ["/bin/sh", "-DFUNCTION=Swish"]
    first = compiler._digest(command)
    assert compiler._digest(["/bin/sh", "-DFUNCTION=Relu"]) != first
    monkeypatch.setattr(compiler, "_processor", lambda: "flags: none")
    assert compiler._digest(command) != first


def test_several_processes_at_once_each_find_a_whole_file(cache: Path) -> None:
    code = "from polyneuron.kernels.compiler import library; "
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
