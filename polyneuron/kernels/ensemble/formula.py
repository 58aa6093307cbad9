"""Activation ensembles, weighted sums of three fixed functions and a constant."""

import torch
from torch import Tensor

from polyneuron.kernels.function import Function, smooth_row
from polyneuron.scope import spread


def ensemble(x: Tensor, w: Tensor) -> Tensor:
    """Return w_0 sigmoid(x) + w_1 tanh(x) + w_2 max(0, x) + w_3, w (A, 4)."""
    sigmoid, tanh, relu, one = (spread(column, x) for column in w.unbind(1))
    return sigmoid * torch.sigmoid(x) + tanh * torch.tanh(x) + relu * torch.relu(x) + one


ENSEMBLE = Function("ensemble", ensemble, "Ensemble", lambda _: smooth_row(4))
"""Parameter: weights w (A, 4)."""
