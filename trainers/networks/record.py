"""The record of a network. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainers.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

ActivationFactory = Callable[[int], "nn.Module"]
"""Makes one activation module for so many channels."""

ImageShape = tuple[int, int, int]
"""Channels, height and width of an image."""


@dataclass(frozen=True)
class Network:
    """One network: how it is built and trained, and what it is called."""

    build: str
    """`module:function` of a `trainers.networks.build.Build`, imported when a network is built."""
    input_side: int
    """Height and width to which digits are resized; other images keep their own size."""
    recipe: Recipe
    """The paper's recipe for the network (§3)."""
    printed: str
    """The network's name in texts and tables."""
    settings: tuple[str, ...] = ()
    """Fields of `NetworkConfig` that this network has and some other has not."""
