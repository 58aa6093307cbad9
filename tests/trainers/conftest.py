"""One thread for every test here, and the reference against which training is tested."""

import sys
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from polyneuron import penalties
from trainers.augment import Augmentation, Normaliser, draw_epoch
from trainers.data import datasets
from trainers.networks import NETWORKS, build_network
from trainers.optimizer import make_optimizer, set_rates

CPU = torch.device("cpu")
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Small tensors gain nothing from more, and sums are then the same in every test."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def train_plainly():
    """The training loop as one would write it down: no checkpoints, records or look-ahead."""
    return _train_plainly


def _train_plainly(config):
    """Return the network, each epoch's (train loss, correct images, correct validation images),
    and where it failed: the first (epoch, step), from 1, with a non-finite loss or gradient.
    """
    recipe = config.recipe
    side = NETWORKS[config.network.name].input_side
    whole = datasets.load(config.data.name, datasets.data_root(), side)
    images = datasets.split(whole, config.data)
    normalise = Normaliser(images.train_images, recipe.normalise)
    augmentation = Augmentation(images.train_images, recipe, normalise)
    shape = tuple(images.train_images.shape[1:])
    net = build_network(config.network, config.activation, shape, 10, config.seed)
    net = net.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(net, recipe)
    epochs = []
    for epoch in range(1, recipe.epochs + 1):
        set_rates(optimizer, recipe, epoch)
        draws = draw_epoch(len(images.train_images), recipe, config.seed, epoch, CPU)
        losses, correct = [], 0
        for step, chosen in enumerate(draws.order.split(recipe.batch_size), start=1):
            net.train()
            x = augmentation.batch(chosen, draws).contiguous(memory_format=torch.channels_last)
            labels = images.train_labels[chosen]
            logits = net(x)
            loss = F.cross_entropy(logits, labels)
            sums, products = penalties(net)
            optimizer.zero_grad()
            (loss + recipe.lambda_sum * sums + recipe.lambda_prod * products).backward()
            gradients = [p.grad for p in net.parameters()]
            if not all(value.isfinite().all() for value in [loss, *gradients]):
                return net, epochs, (epoch, step)
            optimizer.step()
            losses += [loss.item()] * len(chosen)
            correct += int((logits.argmax(1) == labels).sum())
        net.eval()
        with torch.no_grad():
            right = net(normalise(images.val_images)).argmax(1) == images.val_labels
        epochs.append((sum(losses) / len(losses), correct, int(right.sum())))
    return net, epochs, None
