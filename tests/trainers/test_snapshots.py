import math
from itertools import product

import numpy as np
import pytest
import torch

from polyneuron import activation_modules
from trainers import ActivationConfig, NetworkConfig, Recipe
from trainers.networks import NETWORKS, build_network
from trainers.snapshots import INPUT_IMAGES, input_ranges, snapshot_epochs, take_snapshots

IMAGES = torch.randn(32, 1, 28, 28, generator=torch.Generator().manual_seed(0))


def network(activation, scope="layer", **options):
    config = ActivationConfig(activation, scope, options)
    return build_network(NetworkConfig(), config, (1, 28, 28), 10, 0)


def snapshots_of(net, epoch=0):
    net.eval()
    with torch.no_grad(), input_ranges(net) as ranges:
        net(IMAGES)
    return take_snapshots(net, epoch, ranges)


def test_epochs_of_the_papers_recipes():
    assert snapshot_epochs(NETWORKS["lenet5"].recipe) >= {0, 1, 2, 3, 20, 21, 25, 26, 30}
    resnet20 = snapshot_epochs(NETWORKS["resnet20"].recipe)
    assert resnet20 >= {0, 1, 2, 3, 250, 251, 500}
    assert 25 <= len(resnet20) <= 35
    # Even on a logarithmic scale, but for the first few, which lie closer than 30 to a decade.
    gaps = np.diff(np.log(sorted(resnet20 - {0, 1, 2, 3, 4, 250, 251})))
    assert gaps.max() < 2.1 * math.log(500) / 29


@pytest.mark.parametrize("epochs", [1, 2, 3, 10])
def test_a_short_run_has_no_epochs_beyond_its_end(epochs):
    found = snapshot_epochs(Recipe(epochs=epochs))
    assert {0, 1, epochs} <= found <= set(range(epochs + 1))


@pytest.mark.parametrize(
    ("activation", "scope"),
    [
        *product(("relu", "swish", "apl", "polyneuron", "polyneuron_r"), ("layer", "channel")),
        ("polyneuron_r", "neuron"),
    ],
)
def test_every_function_of_every_layer(activation, scope):
    net = network(activation, scope)
    snapshots = snapshots_of(net, 7)
    expected = [(name, a) for name, m in activation_modules(net) for a in range(m.functions)]
    assert [(snapshot.layer, snapshot.function) for snapshot in snapshots] == expected
    points = 3 if activation.startswith("polyneuron") else 0
    for snapshot in snapshots:
        assert snapshot.epoch == 7
        assert {len(snapshot.c_x), len(snapshot.c_y), len(snapshot.w)} == {points}
        assert (snapshot.v0 is None) == (snapshot.v1 is None) == (points == 0)
        assert len(snapshot.curve_x) == len(snapshot.curve_y) == 101
        assert snapshot.input_p01 <= snapshot.input_p99


@pytest.mark.parametrize("activation", ["polyneuron", "polyneuron_r"])
def test_the_start_is_relu_like(activation):
    first, *_ = snapshots_of(network(activation), 0)
    assert first.c_x == (-1.0, 0.0, 1.0)
    # float32 solutions of eq. 2.
    assert first.c_y == pytest.approx((0.0, 0.0, 1.0), abs=1e-6)
    assert first.w == pytest.approx((0.125, -0.25, 0.125), abs=1e-6)
    assert (first.v0, first.v1) == pytest.approx((0.5, -0.25), abs=1e-6)


def test_the_curve_is_the_function_on_the_grid():
    net = network("swish")
    with torch.no_grad():
        for parameter in net.act2.parameters():
            parameter.fill_(2.0)
    (snapshot,) = [s for s in snapshots_of(net, 0) if s.layer == "act2"]
    assert (snapshot.curve_x[0], snapshot.curve_x[-1]) == (-5.0, 5.0)
    expected = [x / (1 + math.exp(-2.0 * x)) for x in snapshot.curve_x]
    assert snapshot.curve_y == pytest.approx(expected, abs=1e-5)  # float32


def test_a_learned_channel_has_its_own_row():
    net = network("polyneuron_r", "channel")
    with torch.no_grad():
        net.act2.w[5] += 1.0
    base = snapshots_of(network("polyneuron_r", "channel"), 0)
    pairs = list(zip(base, snapshots_of(net, 0), strict=True))
    weights = {(a.layer, a.function) for a, b in pairs if a.w != b.w}
    curves = {(a.layer, a.function) for a, b in pairs if a.curve_y != b.curve_y}
    assert weights == curves == {("act2", 5)}


@pytest.mark.parametrize("scope", ["layer", "channel", "neuron"])
def test_percentiles_are_of_what_each_function_receives(scope):
    net = network("polyneuron_r", scope)
    received = net.conv1(IMAGES).detach()
    rows = {
        "layer": received.reshape(1, -1),
        "channel": received.transpose(0, 1).reshape(6, -1),
        "neuron": received.flatten(1).T,
    }[scope]
    expected = np.percentile(rows.numpy(), [1, 99], axis=1, method="inverted_cdf").T
    found = [(s.input_p01, s.input_p99) for s in snapshots_of(net, 0) if s.layer == "act1"]
    # Convolutions of a batch may sum in another order.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_first_images_of_the_first_pass_count():
    net, images = network("relu").eval(), IMAGES.repeat(5, 1, 1, 1)
    images[INPUT_IMAGES:] += 100.0
    with torch.no_grad(), input_ranges(net) as ranges:
        net(images)
        net(images + 100.0)
    with torch.no_grad(), input_ranges(net) as expected:
        net(images[:INPUT_IMAGES])
    for layer, range_ in expected.items():
        np.testing.assert_allclose(ranges[layer], range_, rtol=1e-5, atol=1e-6)


def test_a_snapshot_leaves_no_hook_and_no_gradient():
    net = network("polyneuron_r")
    before = {name: value.clone() for name, value in net.state_dict().items()}
    snapshots_of(net, 0)
    assert not any(module._forward_pre_hooks for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
