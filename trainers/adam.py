"""Adam for float32 parameters on a CPU, all of them in one call, and the norm of many tensors."""

from __future__ import annotations

import ctypes
import functools
import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from polyneuron.kernels.cpp.compiler import library

_POINTER, _SIZE, _REAL, _INT = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_int


@functools.cache
def _library() -> ctypes.CDLL | None:
    found = library(Path(__file__).with_name("adam.cpp"))
    if found is not None:
        found.adam_update.argtypes = (*2 * (_POINTER,), _SIZE, *5 * (_REAL,), *2 * (_INT,))
        found.adam_update.restype = None
        found.norm.argtypes = (*2 * (_POINTER,), _SIZE, _POINTER)
        found.norm.restype = None
    return found


class _Known(NamedTuple):
    """A parameter that has once been found fit for the kernel, and what was looked at."""

    parameter: Tensor
    first: Tensor
    """Moments of the gradient."""
    second: Tensor
    steps: Tensor
    stride: tuple[int, ...]


class Adam(torch.optim.Adam):
    """torch's fused Adam with the same state, up to rounding, at a fraction of a call's cost.

    Parameters, gradients or moments of other dtypes, devices or layouts are left to torch.
    """

    # Torch marks these for its compiler, and imports it at the first call of one: a second, of
    # which no step of ours makes use.
    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = inspect.unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = inspect.unwrap(torch.optim.Optimizer.load_state_dict)

    # Not in the state: a copy of the optimizer finds its own.
    _known: dict[int, _Known] | None = None

    def step(self, closure: Any = None) -> Any:
        """Update all parameters that have gradients."""
        if closure is not None or not self.update():
            return super().step(closure)
        return None

    def update(self) -> bool:
        """Update all parameters in one call; False if that cannot be done, and nothing is."""
        kernels = _library()
        rows = None if kernels is None else self._rows()
        if rows is None:
            return False
        assert kernels is not None
        for group, tensors in zip(self.param_groups, rows, strict=True):
            kernels.adam_update(
                *_addresses(tensors, 5),
                len(tensors) // 5,
                group["lr"],
                group["weight_decay"],
                *group["betas"],
                group["eps"],
                group["decoupled_weight_decay"],
                torch.get_num_threads(),
            )
        return True

    def _rows(self) -> list[list[Tensor]] | None:
        """Return five tensors a parameter for each group, or None if one is torch's to update."""
        rows: list[list[Tensor]] = []
        for group in self.param_groups:
            if group["amsgrad"] or group["maximize"] or isinstance(group["lr"], Tensor):
                return None
            rows.append([])
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                known = self._fit(parameter)
                if known is None or not _is_like(gradient, known.stride):
                    return None
                rows[-1] += (parameter, gradient, known.first, known.second, known.steps)
        return rows

    def _fit(self, parameter: Tensor) -> _Known | None:
        """Return what the kernel updates with a parameter; None if it cannot."""
        if self._known is None:
            self._known = {}
        known, state = self._known.get(id(parameter)), self.state[parameter]
        if (
            known is not None
            and known.parameter is parameter
            and known.first is state.get("exp_avg")
            and known.second is state.get("exp_avg_sq")
            and known.steps is state.get("step")
            # Another memory format, given later, is another memory too.
            and known.stride == parameter.stride()
        ):
            return known
        if not _is_dense(parameter):
            return None
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter.detach())
            state["exp_avg_sq"] = torch.zeros_like(parameter.detach())
        known = _Known(
            parameter, state["exp_avg"], state["exp_avg_sq"], state["step"], parameter.stride()
        )
        if not all(_is_like(moment, known.stride) for moment in (known.first, known.second)):
            return None
        if known.steps.dtype is not torch.float32 or not known.steps.is_cpu:
            return None
        self._known[id(parameter)] = known
        return known


def norm(tensors: Sequence[Tensor]) -> Tensor:
    """Return the L2 norm of all numbers of tensors, 0-dim float64, on their device.

    The norm is finite if every number is: it is summed in float64, in which the square of a
    float32 does not overflow.
    """
    kernels = _library() if all(map(_is_dense, tensors)) else None
    if kernels is not None:
        found = torch.empty((), dtype=torch.float64)
        kernels.norm(*_addresses(tensors, 1), len(tensors), found.data_ptr())
        return found
    # A private function of torch: its public caller, `get_total_norm`, cannot sum in float64.
    norms = torch._foreach_norm(list(tensors), 2, dtype=torch.float64)
    whole: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return whole


def _is_like(tensor: Tensor, stride: tuple[int, ...]) -> bool:
    """Return True for float32 on the CPU that lies in memory by this stride."""
    return tensor.dtype is torch.float32 and tensor.is_cpu and tensor.stride() == stride


def _is_dense(tensor: Tensor) -> bool:
    """Return True for float32 on the CPU without gaps in memory."""
    return (
        tensor.is_cpu
        and tensor.dtype is torch.float32
        and (
            tensor.is_contiguous()
            or (tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last))
        )
    )


def _addresses(
    tensors: Sequence[Tensor], row: int
) -> tuple[ctypes.Array[ctypes.c_void_p], ctypes.Array[ctypes.c_int64]]:
    """Return the addresses of tensors, and the size of the first of each row of so many."""
    sizes = [tensor.numel() for tensor in tensors[::row]]
    pointers = (_POINTER * len(tensors))(*[tensor.data_ptr() for tensor in tensors])
    return pointers, (_SIZE * len(sizes))(*sizes)
