"""The optimizer over the network's parameters and, in a group of their own, the activations'."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from polyneuron import activation_parameters
from trainers import devices
from trainers.adam import Adam
from trainers.recipe import Recipe
from trainers.schedule import rate_factor


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Make Adam, AdamW or SGD, with no weight decay on activation parameters (§3)."""
    learned = list(activation_parameters(net))
    own = {id(parameter) for parameter in learned}
    network = [parameter for parameter in net.parameters() if id(parameter) not in own]
    # Without decay one group: what is decayed then changes no bit of a training.
    all_alike = recipe.decay_on == "all" or recipe.weight_decay == 0
    decayed = [p for p in network if all_alike or p.ndim > 1]
    plain = [p for p in network if not all_alike and p.ndim <= 1]
    rate, own_rate = recipe.learning_rate, recipe.activation_learning_rate
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay, "lr": rate},
        {"params": plain, "weight_decay": 0.0, "lr": rate},
        {"params": learned, "weight_decay": 0.0, "lr": rate if own_rate is None else own_rate},
    ]
    filled = [{**group, "initial_lr": group["lr"]} for group in groups if group["params"]]
    device = next(net.parameters()).device
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            filled, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True
        )
    is_adamw = recipe.optimizer == "adamw" or recipe.decay == "decoupled"
    optimizer = Adam(
        filled,
        betas=recipe.betas,
        eps=recipe.epsilon,
        decoupled_weight_decay=is_adamw and recipe.weight_decay > 0,
        # One kernel for all parameters, where the default starts several for each.
        fused=True,
    )
    if devices.captures_steps(device):
        for group in optimizer.param_groups:
            # A captured step reads the rate from this tensor at every replay.
            group.update(capturable=True, lr=torch.tensor(group["lr"], device=device))
    return optimizer


def set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, epoch: int) -> float:
    """Set every group's rate for `epoch`, counted from 1, and return the network's rate."""
    factor = rate_factor(recipe, epoch)
    for group in optimizer.param_groups:
        rate = group["initial_lr"] * factor
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate
    return recipe.learning_rate * factor


def load_state(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Load a stored state, of a run on this or another kind of device."""
    # The stored rate may be a tensor where this device needs a number, or the other way round.
    kept_names = ("lr", "capturable")
    own = [
        {name: group[name] for name in kept_names if name in group}
        for group in optimizer.param_groups
    ]
    optimizer.load_state_dict(state)
    for group, kept in zip(optimizer.param_groups, own, strict=True):
        group.update(kept)
