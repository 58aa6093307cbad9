"""Images that need no files."""

import torch

from trainers.data.datasets import Images


def synthetic(channels, side, n):
    """Noise (n, channels, side, side), in which a bright row tells the class."""
    images = torch.randint(0, 128, (n, channels, side, side), generator=torch.Generator())
    labels = torch.arange(n) % 10
    images[torch.arange(n), :, labels + side // 2] += 127
    images = images.byte()
    return Images("", images, labels, images[:64], labels[:64])
