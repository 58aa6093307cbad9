"""The use of a tensor: plain computing, tracing (torch.compile, fakes), exporting or torch.func.

Torch has no public question for the last. `torch._C._are_functorch_transforms_active` is asked
here alone, and `test_torch_func_transforms_the_formula` would notice if it went.
"""

import torch
from torch import Tensor

from polyneuron.jit import is_exporting


def is_transformed() -> bool:
    """True while torch.func is at work: autograd Functions and custom operators do not join it."""
    return torch._C._are_functorch_transforms_active()


def is_eager(x: Tensor) -> bool:
    """True if x holds data and nobody traces, exports or transforms what is done with it."""
    return (
        type(x) in (Tensor, torch.nn.Parameter)
        and x.device.type != "meta"
        and not torch.compiler.is_compiling()
        and not is_exporting()
        and not is_transformed()
    )
