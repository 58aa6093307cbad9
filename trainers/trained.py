"""A trained network as one file that loads without its sweep: weights, and how it was built."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainers.augment import Normaliser, normalised
from trainers.config import ActivationConfig, NetworkConfig, RunConfig
from trainers.data.datasets import class_count
from trainers.durable import durable_file
from trainers.loop import load_images
from trainers.networks.build import build_network

FORMAT = "polyneuron-sweeps network 1"


class TrainedNetwork(nn.Module):
    """A network with the preparation of its images: raw images in, logits out."""

    def __init__(
        self, net: nn.Module, mean: Tensor, scale: Tensor, per_image: bool, least: float
    ) -> None:
        """Take the network and each channel's mean and inverse deviation, (1, C, 1, 1).

        `per_image`: an image is normalised by its own mean and deviation instead, which is at
        least `least`.
        """
        super().__init__()
        self.net = net
        self.per_image = per_image
        self.least = least
        self.mean: Tensor
        self.scale: Tensor
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, classes) of images (N, C, H, W) with values from 0 to 255.

        Images of one's own that were floats in training are floats of the same scale here.
        """
        least = self.least if self.per_image else None
        logits: Tensor = self.net(normalised(images, self.mean, self.scale, least))
        return logits


def export_network(path: Path, run: RunConfig, weights: Mapping[str, Tensor]) -> None:
    """Write a run's network with all that `load_network` needs.

    Raises:
        DataUnavailableError: the run's images, whose statistics the network needs, are not there.
        OSError: the file cannot be written.
    """
    whole = load_images(run, torch.device("cpu"))
    images = whole.train_images
    normalise = Normaliser(images, run.recipe.normalise)
    content = {
        "format": FORMAT,
        "network": {**dataclasses.asdict(run.network), "options": dict(run.network.options)},
        "activation": {
            **dataclasses.asdict(run.activation),
            "options": dict(run.activation.options),
        },
        "image_shape": list(images.shape[1:]),
        "classes": class_count(run.data, whole),
        "seed": run.seed,
        "mean": normalise.mean,
        "scale": normalise.scale,
        "per_image": normalise.per_image,
        "least": normalise.least,
        "weights": dict(weights),
    }
    with durable_file(path) as file:
        torch.save(content, file)


def load_network(path: str | Path) -> TrainedNetwork:
    """Return the network of a file from `sweeps best --export`, ready for evaluation.

    Raises:
        ValueError: the file is not such an export.
        OSError: the file cannot be read.
    """
    content: Any = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{path} is no {FORMAT!r}: write one with `sweeps best NAME --export FILE`"
        )
    channels, height, width = content["image_shape"]
    net = build_network(
        NetworkConfig(**content["network"]),
        ActivationConfig(**content["activation"]),
        (channels, height, width),
        content["classes"],
        content["seed"],
    )
    net.load_state_dict(content["weights"])
    prepared = (content[name] for name in ("mean", "scale", "per_image", "least"))
    return TrainedNetwork(net, *prepared).eval()
