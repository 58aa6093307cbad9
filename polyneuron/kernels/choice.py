"""The one place where a backend is chosen."""

import functools

from polyneuron.kernels import plain
from polyneuron.kernels.backend import Backend, Case, warn_of_plain_formulas
from polyneuron.kernels.cpp import backend as cpp


@functools.cache
def backends(device: str) -> tuple[Backend, ...]:
    """Backends of a type of device, the fastest first; the last one supports every case."""
    if device == "cpu":
        return cpp, plain
    if device == "cuda":
        # Here, because Triton takes long to import and is not installed everywhere.
        try:
            from polyneuron.kernels.gpu import backend as gpu
        except ImportError as error:
            warn_of_plain_formulas(f"Triton cannot be imported: {error}")
        else:
            return gpu, plain
    return (plain,)


def computes_in_cpp() -> bool:
    """True if compiled code is to be used on a CPU, where it can be compiled."""
    return backends("cpu")[0] is cpp


def backend_for(case: Case) -> Backend:
    """The fastest backend that supports a case."""
    return _first(backends(case.device.type), case)


# Kept, because every call of an activation asks, and asking each backend takes microseconds.
@functools.cache
def _first(among: tuple[Backend, ...], case: Case) -> Backend:
    return next(backend for backend in among if backend.supports(case))
