"""ReLU. Its kernels serve behind a batch norm only: alone, torch's own is as fast."""

import torch

from polyneuron.kernels.function import Function

RELU = Function("relu", torch.relu, "Relu", lambda _: ())
"""max(0, x), without parameters."""
