"""ResNet-20 for 32x32 images (He et al. 2015, arXiv 1512.03385, section 4.2), and its readings."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from polyneuron import normalised_activation
from trainers.networks.config import NetworkConfig, Residual, Shortcut
from trainers.networks.record import ActivationFactory, ImageShape

WIDTHS = (16, 16, 16, 16, 32, 32, 32, 64, 64, 64)
"""Channels after the first convolution and after each of the nine blocks."""

STAGE = 3
"""Blocks of a stage, all of one width."""


def build(
    config: NetworkConfig, activation: ActivationFactory, image_shape: ImageShape, classes: int
) -> nn.Module:
    """Build ResNet-20 as configured."""
    return resnet20(
        activation,
        in_channels=image_shape[0],
        classes=classes,
        residual=config.residual,
        shortcut=config.shortcut,
    )


class PaddedShortcut(nn.Module):
    """Option A: subsample and fill the new channels with zeros, so no parameters."""

    def __init__(self, in_channels: int, channels: int) -> None:
        super().__init__()
        self.extra = channels - in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H/2, W/2), or x to x of no more channels."""
        if not self.extra:
            return x
        before = self.extra // 2
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.extra - before))


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
        projects: bool = False,
    ) -> None:
        super().__init__()
        self.residual = residual
        stride = _stride(in_channels, channels)
        # No biases: batch norm would subtract them again.
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.act1 = activation(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.act2 = activation(channels)
        self.shortcut: nn.Module = PaddedShortcut(in_channels, channels)
        if projects:
            self.shortcut = nn.Sequential(
                _projection(in_channels, channels), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H, W); more channels halve H and W."""
        y = normalised_activation(self.norm1, self.act1, self.conv1(x))
        z = self.conv2(y)
        past: Tensor = self.shortcut(x)
        if self.residual == "act_then_add":
            return normalised_activation(self.norm2, self.act2, z) + past
        return normalised_activation(self.norm2, self.act2, z, past)


class PreActivationBlock(nn.Module):
    """Batch norm, activation and 3x3 convolution twice, and a shortcut that nothing follows.

    He et al. 2016, arXiv 1603.05027, figure 1b. A padded shortcut takes the block's input, a
    projection the activated one, whose values are normalised.
    """

    def __init__(
        self,
        activation: ActivationFactory,
        in_channels: int,
        channels: int,
        projects: bool = False,
    ) -> None:
        super().__init__()
        stride = _stride(in_channels, channels)
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.act1 = activation(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.act2 = activation(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.projects = projects
        self.shortcut: nn.Module = PaddedShortcut(in_channels, channels)
        if projects:
            self.shortcut = _projection(in_channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H, W); more channels halve H and W."""
        y = normalised_activation(self.norm1, self.act1, x)
        z = normalised_activation(self.norm2, self.act2, self.conv1(y))
        past: Tensor = self.shortcut(y if self.projects else x)
        residual: Tensor = self.conv2(z)
        return past + residual


class ResNet20(nn.Module):
    """A convolution, three stages of three blocks with 16, 32 and 64 channels, a mean, a layer.

    Weighted layers: 1 + 3 x 3 x 2 + 1 = 20. The network's own batch norm and activation follow the
    convolution, or with `pre_act` the last block.
    """

    def __init__(
        self,
        activation: ActivationFactory,
        in_channels: int,
        classes: int,
        residual: Residual,
        shortcut: Shortcut,
    ) -> None:
        super().__init__()
        self.pre_act = residual == "pre_act"
        self.conv = nn.Conv2d(in_channels, WIDTHS[0], 3, padding=1, bias=False)
        if not self.pre_act:
            self.norm = nn.BatchNorm2d(WIDTHS[0])
            self.act = activation(WIDTHS[0])
        blocks: list[nn.Module] = []
        for i, (before, width) in enumerate(itertools.pairwise(WIDTHS)):
            projects = shortcut == "projection" and i % STAGE == 0
            if self.pre_act:
                blocks.append(PreActivationBlock(activation, before, width, projects))
            else:
                blocks.append(BasicBlock(activation, before, width, residual, projects))
        self.blocks = nn.Sequential(*blocks)
        if self.pre_act:
            self.norm = nn.BatchNorm2d(WIDTHS[-1])
            self.act = activation(WIDTHS[-1])
        self.fc = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, in_channels, H, W) to logits (N, classes)."""
        y = self.conv(x)
        if self.pre_act:
            y = normalised_activation(self.norm, self.act, self.blocks(y))
        else:
            y = self.blocks(normalised_activation(self.norm, self.act, y))
        logits: Tensor = self.fc(y.mean((2, 3)))
        return logits


def resnet20(
    activation: ActivationFactory,
    *,
    in_channels: int = 3,
    classes: int = 10,
    residual: Residual = "add_then_act",
    shortcut: Shortcut = "pad",
) -> ResNet20:
    """Build ResNet-20 for images (N, in_channels, H, W): 269,722 parameters with ReLU.

    Args:
        activation: makes an activation for so many channels; called 19 times, with 16, 32 or 64.
        in_channels: channels of an image; its height and width are free.
        classes: length of an output.
        residual: `add_then_act`: a block's last activation receives the sum with the shortcut;
            `act_then_add`: it is added to the shortcut; `pre_act`: batch norm and activation come
            before each convolution, and nothing follows the sum.
        shortcut: `pad`: no parameters; `projection`: 1x1 convolutions in the first block of each
            stage, 2,816 more parameters with `pre_act`, else 3,040, as batch norms follow them.
    """
    return ResNet20(activation, in_channels, classes, residual, shortcut)


def _stride(in_channels: int, channels: int) -> int:
    return 2 if channels != in_channels else 1


def _projection(in_channels: int, channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, 1, stride=_stride(in_channels, channels), bias=False)
