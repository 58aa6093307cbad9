"""All networks. Another one is an entry here and a file beside `lenet.py`."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.networks.record import Network
from trainers.recipe import Recipe

USUAL_SIDE = 28
"""Height and width to which digits are resized for a network that is not ours."""

NETWORKS: Mapping[str, Network] = {
    "lenet5": Network(
        build="trainers.networks.lenet:build",
        input_side=28,
        recipe=Recipe(),
        printed="LeNet-5",
        settings=("pooling", "pad_first_convolution"),
    ),
    "resnet20": Network(
        build="trainers.networks.resnet:build",
        input_side=32,
        recipe=Recipe(epochs=500, drop_at=(0.5,)),
        printed="ResNet-20",
        settings=("residual", "shortcut"),
    ),
}


def input_side(network: str) -> int:
    """Return the height and width to which digits are resized for a network."""
    known = NETWORKS.get(network)
    return USUAL_SIDE if known is None else known.input_side
