"""The schedule: the learning rate of each epoch."""

from __future__ import annotations

import math

from trainers.recipe import Recipe


def drop_epochs(recipe: Recipe) -> tuple[int, ...]:
    """Return the number of epochs before each drop, e.g. (20, 25) for LeNet-5's 30 epochs.

    Halves round up, so that a short run keeps its high rate rather than skip a step of it.
    """
    if recipe.schedule == "cosine":
        return ()
    # Not `round`, which takes halves to the even neighbour.
    return tuple(math.floor(fraction * recipe.epochs + 0.5) for fraction in recipe.drop_at)


def rate_factor(recipe: Recipe, epoch: int) -> float:
    """Return the factor of the initial rate in `epoch`, counted from 1."""
    if epoch <= recipe.warmup_epochs:
        return epoch / (recipe.warmup_epochs + 1)
    if recipe.schedule == "cosine":
        done = epoch - 1 - recipe.warmup_epochs
        return (1 + math.cos(math.pi * done / (recipe.epochs - recipe.warmup_epochs))) / 2
    drops = sum(epoch > drop for drop in drop_epochs(recipe))
    return recipe.drop_factor**drops
