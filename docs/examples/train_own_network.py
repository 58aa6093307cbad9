"""A training loop of one's own, with and without learned activations, on 8x8 digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn

from polyneuron import make_activation, parameter_groups, penalties

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).flatten(1) / 16
labels = torch.tensor(digits.target)
train, test = slice(0, 1500), slice(1500, None)


def network(name: str) -> nn.Sequential:
    """Build a small network with the activation of this name."""
    return nn.Sequential(
        nn.Linear(64, 32), make_activation(name), nn.Linear(32, 32), make_activation(name),
        nn.Linear(32, 10),
    )  # fmt: skip


def error_percent(name: str, seed: int, steps: int = 200) -> float:
    """Train from a seed and return the error on the test images."""
    torch.manual_seed(seed)
    model = network(name)
    optimizer = torch.optim.AdamW(parameter_groups(model, lr=3e-3, weight_decay=1e-2))
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(images[train]), labels[train])
        optimizer.zero_grad()
        (loss + 1e-2 * penalties(model)[0]).backward()
        optimizer.step()
    with torch.no_grad():
        wrong = model(images[test]).argmax(1) != labels[test]
    return 100 * wrong.float().mean().item()


for name in ("relu", "swish", "polyneuron_r"):
    errors = torch.tensor([error_percent(name, seed) for seed in range(3)])
    print(f"{name:<14} {errors.mean():5.2f} ± {errors.std() / len(errors) ** 0.5:.2f} %")
