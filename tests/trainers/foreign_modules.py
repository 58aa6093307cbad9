"""Networks and data as users write them, who import nothing of ours."""

import torch
from torch import nn
from torch.nn import functional as F


def mlp(activation, *, in_channels, classes, image_size, width=16, dropout=0.0):
    height, columns = image_size
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(in_channels * height * columns, width),
        activation(width),
        nn.Dropout(dropout),
        nn.Linear(width, classes),
    )


class Plain(nn.Module):
    def __init__(self, in_channels, classes):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 4, 3, padding=1)
        self.fc = nn.Linear(4, classes)

    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean((2, 3)))


def plain(in_channels, classes):
    return Plain(in_channels, classes)


def too_wide(activation, *, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(8), activation(8), nn.Linear(8, classes + 1))


def nothing_learned(activation, *, classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))


def stripes(root, *, n=60, kind="uint8", classes=3, height=10, width=14):
    """Two colours; a bright row says which class."""
    labels = torch.arange(n) % classes
    images = torch.randint(0, 60, (n, 2, height, width), generator=torch.Generator())
    images[torch.arange(n), :, 2 * labels] += 150
    images = images.byte() if kind == "uint8" else images / 255
    return images[:-12], labels[:-12], images[-12:], labels[-12:]


def one_label_missing(root):
    images, labels, *validation = stripes(root)
    return images, labels[1:], *validation


def only_images(root):
    return stripes(root)[0]
