"""LeNet-5 (LeCun et al. 1998, doi:10.1109/5.726791) with one learned activation after each layer.

Of the original it keeps the sizes; its sparse connections, trained subsampling and Gaussian
output are replaced by full convolutions, pooling and softmax, as in today's usual form.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from torch import nn

Activation = Callable[[int], nn.Module]
"""Makes one activation module for so many channels."""


def lenet5(
    activation: Activation,
    *,
    in_channels: int = 1,
    side: int = 28,
    classes: int = 10,
    pooling: Literal["max", "average"] = "max",
    pad: bool = True,
) -> nn.Sequential:
    """Build LeNet-5 for images (N, in_channels, side, side); its output is (N, classes) logits.

    Args:
        activation: called four times, with 6, 16, 120 and 84 channels.
        in_channels: channels of an image.
        side: height and width of an image.
        classes: length of an output.
        pooling: how 2x2 windows are subsampled.
        pad: pad the image by 2, so that 28x28 is LeCun's 32x32: 61,706 parameters with ReLU,
            else 44,426.
    """
    pool = nn.MaxPool2d if pooling == "max" else nn.AvgPool2d
    padding = 2 if pad else 0
    pooled = (side + 2 * padding - 4) // 2
    features = 16 * ((pooled - 4) // 2) ** 2
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(in_channels, 6, 5, padding=padding),
            act1=activation(6),
            pool1=pool(2),
            conv2=nn.Conv2d(6, 16, 5),
            act2=activation(16),
            pool2=pool(2),
            flatten=nn.Flatten(),
            fc3=nn.Linear(features, 120),
            act3=activation(120),
            fc4=nn.Linear(120, 84),
            act4=activation(84),
            fc5=nn.Linear(84, classes),
        )
    )
