"""The device of a run: naming, process-wide settings, memory, synchronisation."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Iterator

import torch

from polyneuron import keep_freed_memory
from trainers.config import Execution


def resolve_device(name: str) -> torch.device:
    """Return the device called `cpu`, `cuda` or `cuda:N`.

    Raises:
        ValueError: there is no such device here.
    """
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device={name!r} is no device; use 'cpu', 'cuda' or 'cuda:N'") from None
    if device.type == "cpu":
        return torch.device("cpu")
    if device.type != "cuda":
        raise ValueError(f"device={name!r} is not supported; use 'cpu', 'cuda' or 'cuda:N'")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (device.index or 0) >= count:
        choice = f"'cuda:0' to 'cuda:{count - 1}' or 'cpu'" if count else "'cpu'"
        raise ValueError(f"device={name!r}: this machine has {count} CUDA devices; use {choice}")
    return torch.device("cuda", device.index or 0)


def captures_steps(device: torch.device) -> bool:
    """Return True if a training step can be captured in a graph on this device."""
    return device.type == "cuda"


def device_name(device: torch.device) -> str:
    """Return `cpu`, or the GPU's product name."""
    return "cpu" if device.type == "cpu" else torch.cuda.get_device_name(device)


def tf32_allowed(device: torch.device) -> bool:
    """Return True if float32 products or convolutions may be rounded to TF32 on this device."""
    if device.type == "cpu":
        return False
    convolutions = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
    return "tf32" in (torch.backends.cuda.matmul.fp32_precision, convolutions)


def peak_megabytes(device: torch.device) -> float:
    """Return the peak of allocated memory on a GPU, of resident memory on a CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    # Linux counts kilobytes, macOS bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def is_out_of_memory(error: BaseException) -> bool:
    """Return True if memory ran out; on the CPU torch raises a plain RuntimeError for it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, which names the size asked for."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def synchronize(device: torch.device) -> None:
    """Wait for the device, so that a clock read next counts its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextlib.contextmanager
def settings(execution: Execution, device: torch.device) -> Iterator[None]:
    """Set threads and determinism for the length of a run; a worker process has many runs."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark = torch.backends.cudnn.benchmark
    if execution.threads is not None:
        torch.set_num_threads(execution.threads)
    if execution.deterministic and device.type == "cuda":
        # cuBLAS reads this when it first makes a handle on the device.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if device.type == "cpu":
        keep_freed_memory()
    _set_determinism(execution.deterministic)
    # The fastest of cuDNN's algorithms, found by timing, may be another one in the next run.
    torch.backends.cudnn.benchmark = device.type == "cuda" and not execution.deterministic
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _set_determinism(strict)
        torch.backends.cudnn.benchmark = benchmark


def _set_determinism(strict: bool) -> None:
    # Not where nothing changes: the call imports torch's compiler, which takes a second.
    if torch.are_deterministic_algorithms_enabled() != strict:
        torch.use_deterministic_algorithms(strict)
