"""Eq. 1, its natural-spline form and the other learned activations on a GPU, in Triton.

Import it only where Triton is. The operators are plain functions on tensors: without autograd, and
with nothing of x's size kept between forward and backward but x.

Block sizes are reasoned for an H100 (`layout`), not tuned. `TRITON_INTERPRET=1`, set before
Triton is first imported, runs the same kernels on a CPU.

`skeleton`, `moments` and one module for each function hold device code. It is Triton's language,
where a static `if` with `return` or a starred tuple does not compile, and which mypy cannot check.
"""

from polyneuron.kernels.gpu.activations import backward, forward
from polyneuron.kernels.gpu.natural_spline import interpolate_backward, interpolate_forward
from polyneuron.kernels.gpu.norm import norm_backward, norm_forward

__all__ = [
    "backward",
    "forward",
    "interpolate_backward",
    "interpolate_forward",
    "norm_backward",
    "norm_forward",
]
