"""A network of one's own: `activation(channels)` makes each learned activation."""

from torch import nn


def mlp(activation, *, in_channels, classes, image_size, width=32, dropout=0.0):
    """Build a network with one hidden layer; `width` and `dropout` are options of the sweep."""
    height, columns = image_size
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(in_channels * height * columns, width),
        activation(width),
        nn.Dropout(dropout),
        nn.Linear(width, classes),
    )
