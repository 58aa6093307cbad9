"""LeNet-5 (LeCun et al. 1998, doi:10.1109/5.726791) with one learned activation after each layer.

The layers have the original's sizes. Its sparse connections, trained subsampling and Gaussian
output are replaced by full convolutions, pooling and softmax, as in today's usual form.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from polyneuron import Chain
from trainers.networks.config import NetworkConfig, Pooling
from trainers.networks.record import ActivationFactory, ImageShape


def build(
    config: NetworkConfig, activation: ActivationFactory, image_shape: ImageShape, classes: int
) -> nn.Module:
    """Build LeNet-5 as configured, for square images."""
    return lenet5(
        activation,
        in_channels=image_shape[0],
        side=image_shape[1],
        classes=classes,
        pooling=config.pooling,
        pad=config.pad_first_convolution,
    )


def lenet5(
    activation: ActivationFactory,
    *,
    in_channels: int = 1,
    side: int = 28,
    classes: int = 10,
    pooling: Pooling = "max",
    pad: bool = True,
) -> nn.Sequential:
    """Build LeNet-5 for images (N, in_channels, side, side); its output is (N, classes) logits.

    Args:
        activation: makes an activation for so many channels; called with 6, 16, 120 and 84.
        in_channels: channels of an image.
        side: height and width of an image.
        classes: length of an output.
        pooling: how 2x2 windows are subsampled.
        pad: pad the image by 2, so that 28x28 is LeCun's 32x32: 61,706 parameters with ReLU,
            else 44,426.
    """
    pool = nn.MaxPool2d if pooling == "max" else nn.AvgPool2d
    padding = 2 if pad else 0
    # A 5x5 convolution takes 4 off the side, pooling halves it.
    pooled = (side + 2 * padding - 4) // 2
    features = 16 * ((pooled - 4) // 2) ** 2
    return Chain(
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
