"""A CUDA graph's stand-in on the CPU: recorded operators, replayed on the tensors that they had."""

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READ_BY_THE_HOST = torch.ops.aten._local_scalar_dense.default


class Recording(TorchDispatchMode):
    """Records operators as they run, and undoes what they wrote.

    Args:
        without: part of the name of an operator that replays leave out.
    """

    def __init__(self, without=None):
        super().__init__()
        self.without = without
        self.calls = []
        self.written = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is READ_BY_THE_HOST:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        for argument, value in zip(function._schema.arguments, args, strict=False):
            if argument.alias_info is not None and argument.alias_info.is_write:
                self.written += [(t, t.clone()) for t in tree_leaves(value) if _is_tensor(t)]
        results = function(*args, **kwargs)
        if self.without is None or self.without not in str(function):
            self.calls.append((function, args, kwargs, results))
        return results

    def undo(self):
        for tensor, value in reversed(self.written):
            tensor.copy_(value)

    @torch.no_grad()
    def replay(self):
        for function, args, kwargs, results in self.calls:
            again = function(*args, **kwargs)
            for old, new in zip(tree_leaves(results), tree_leaves(again), strict=True):
                if _is_tensor(old) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def _is_tensor(value):
    return isinstance(value, Tensor)


def captured(take, device, without=None):
    """As `trainers.graph.captured`."""
    recording = Recording(without)
    with recording:
        figures = take()
    with torch.no_grad():
        recording.undo()
    return recording.replay, figures
