"""Parameters of a network for torch's optimisers, the activations' apart."""

from typing import Any

from torch import nn

from polyneuron.activations import activation_parameters
from polyneuron.options import check_number


def parameter_groups(
    network: nn.Module,
    *,
    lr: float,
    activation_lr: float | None = None,
    weight_decay: float = 0.0,
) -> list[dict[str, Any]]:
    """Return two groups of parameters: the network's own, and those of its activations.

    Weight decay would pull control points to 0, where they coincide: as in the paper (section 3),
    the activations are not decayed.

    >>> layers = nn.Sequential(nn.Linear(2, 2), nn.PReLU())
    >>> [group["weight_decay"] for group in parameter_groups(layers, lr=0.1, weight_decay=0.01)]
    [0.01]

    Args:
        network: the network; parameters that require no gradient are left out.
        lr: learning rate.
        activation_lr: learning rate of the activations; None is `lr`.
        weight_decay: of the network's own parameters.

    Returns:
        Groups for `torch.optim`, those without parameters left out.

    Raises:
        ValueError: a rate or the decay is not a number of at least 0.
    """
    activation_lr = lr if activation_lr is None else activation_lr
    for name, value in {
        "lr": lr,
        "activation_lr": activation_lr,
        "weight_decay": weight_decay,
    }.items():
        check_number(name, value, least=0)
    apart = {id(parameter) for parameter in activation_parameters(network)}
    learned = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {
            "params": [parameter for parameter in learned if id(parameter) not in apart],
            "lr": lr,
            "weight_decay": weight_decay,
        },
        {
            "params": [parameter for parameter in learned if id(parameter) in apart],
            "lr": activation_lr,
            "weight_decay": 0.0,
        },
    ]
    return [group for group in groups if group["params"]]
