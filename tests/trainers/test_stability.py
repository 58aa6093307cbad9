"""Observing a network changes nothing in it, and sees what batch norm hides."""

import copy

import torch

from trainers.augment import Normaliser
from trainers.networks.build import build_network
from trainers.networks.config import ActivationConfig, NetworkConfig
from trainers.stability import observe


def test_observing_changes_nothing_and_tells_both_statistics_apart():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (64,), generator=generator)
    normalise = Normaliser(images, "dataset")
    net = build_network(NetworkConfig("resnet20"), ActivationConfig(), (3, 32, 32), 10, 0)
    before, stream = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    seen = observe(net, images, labels, normalise)
    assert torch.equal(torch.get_rng_state(), stream)
    after = net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert len(seen.inputs) == len(seen.batch_inputs) == len(seen.sums) == 19
    # A fresh network's running statistics are 0 and 1, which are not its batches'.
    assert seen.inputs != seen.batch_inputs
    assert seen.gap_percent == seen.error_percent - seen.batch_error_percent
