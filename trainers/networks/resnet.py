"""ResNet-20 for 32x32 images (He et al. 2015, arXiv 1512.03385, section 4.2)."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from polyneuron import normalised_activation
from trainers.networks.config import NetworkConfig, Residual
from trainers.networks.record import ActivationFactory, ImageShape


def build(
    config: NetworkConfig, activation: ActivationFactory, image_shape: ImageShape, classes: int
) -> nn.Module:
    """Build ResNet-20 as configured."""
    return resnet20(
        activation, in_channels=image_shape[0], classes=classes, residual=config.residual
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, and a shortcut past both.

    The shortcut is added before the last activation, or with `act_then_add` after it, so that
    every activation receives normalised values.
    """

    def __init__(
        self,
        activation: ActivationFactory,
        in_channels: int,
        channels: int,
        residual: Residual = "add_then_act",
    ) -> None:
        super().__init__()
        self.residual = residual
        self.grows = channels != in_channels
        stride = 2 if self.grows else 1
        # No biases: batch norm would subtract them again.
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.act1 = activation(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.act2 = activation(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H, W); more channels halve H and W."""
        y = normalised_activation(self.norm1, self.act1, self.conv1(x))
        z = self.conv2(y)
        if self.residual == "act_then_add":
            return normalised_activation(self.norm2, self.act2, z) + self._shortcut(x)
        return normalised_activation(self.norm2, self.act2, z, self._shortcut(x))

    def _shortcut(self, x: Tensor) -> Tensor:
        if not self.grows:
            return x
        # Option A: subsample and fill the new channels with zeros, so no parameters.
        extra = self.conv1.out_channels - x.shape[1]
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, extra // 2, extra - extra // 2))


class ResNet20(nn.Module):
    """A convolution, three stages of three blocks with 16, 32 and 64 channels, a mean, a layer.

    Weighted layers: 1 + 3 x 3 x 2 + 1 = 20.
    """

    def __init__(
        self, activation: ActivationFactory, in_channels: int, classes: int, residual: Residual
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.act = activation(16)
        widths = [16] * 4 + [32] * 3 + [64] * 3
        pairs = itertools.pairwise(widths)
        self.blocks = nn.Sequential(*(BasicBlock(activation, a, b, residual) for a, b in pairs))
        self.fc = nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, H, W) to logits (N, classes)."""
        y = self.blocks(normalised_activation(self.norm, self.act, self.conv(x)))
        logits: Tensor = self.fc(y.mean((2, 3)))
        return logits


def resnet20(
    activation: ActivationFactory,
    *,
    in_channels: int = 3,
    classes: int = 10,
    residual: Residual = "add_then_act",
) -> ResNet20:
    """Build ResNet-20 for images (N, in_channels, H, W): 269,722 parameters with ReLU.

    Args:
        activation: makes an activation for so many channels; called 19 times, with 16, 32 or 64.
        in_channels: channels of an image; its height and width are free.
        classes: length of an output.
        residual: `add_then_act`: a block's last activation receives the sum with the shortcut;
            `act_then_add`: it is added to the shortcut.
    """
    return ResNet20(activation, in_channels, classes, residual)
