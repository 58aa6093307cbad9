"""Eq. 1, its natural-spline form and the other learned activations on a GPU, in Triton.

Import it only where Triton is. The operators are plain functions on tensors: without autograd, and
with nothing of x's size kept between forward and backward but x.

Block sizes are reasoned for an H100 (`layout`), not tuned. `TRITON_INTERPRET=1`, set before
Triton is first imported, runs the same kernels on a CPU.

`skeleton`, `moments` and one module for each function hold device code. It is Triton's language,
where a static `if` with `return` or a starred tuple does not compile, and which mypy cannot check.
"""

from polyneuron.kernels.gpu.activations import (
    apl_backward,
    apl_forward,
    blending_backward,
    blending_forward,
    ensemble_backward,
    ensemble_forward,
    hermite_backward,
    hermite_forward,
    pade_backward,
    pade_forward,
    prelu_backward,
    prelu_forward,
    radial_backward,
    radial_forward,
    srelu_backward,
    srelu_forward,
    swish_backward,
    swish_forward,
)
from polyneuron.kernels.gpu.natural_spline import interpolate_backward, interpolate_forward
from polyneuron.kernels.gpu.norm import norm_backward, norm_forward

__all__ = [
    "apl_backward",
    "apl_forward",
    "blending_backward",
    "blending_forward",
    "ensemble_backward",
    "ensemble_forward",
    "hermite_backward",
    "hermite_forward",
    "interpolate_backward",
    "interpolate_forward",
    "norm_backward",
    "norm_forward",
    "pade_backward",
    "pade_forward",
    "prelu_backward",
    "prelu_forward",
    "radial_backward",
    "radial_forward",
    "srelu_backward",
    "srelu_forward",
    "swish_backward",
    "swish_forward",
]
