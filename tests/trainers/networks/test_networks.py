import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import polyneuron
import polyneuron.scope
from trainers.config import SCOPES, ActivationConfig, NetworkConfig
from trainers.networks import build_network, lenet5, resnet20
from trainers.networks.build import activation_shapes
from trainers.networks.resnet import BasicBlock

SHAPES = {"lenet5": (1, 28, 28), "resnet20": (3, 32, 32)}


def built(network, activation="relu", scope="layer", seed=0, shape=None, **options):
    return build_network(
        NetworkConfig(network),
        ActivationConfig(activation, scope, options),
        shape or SHAPES[network],
        10,
        seed,
    )


def parameters(net):
    return sum(parameter.numel() for parameter in net.parameters())


def activation_parameters(net):
    return sum(parameter.numel() for parameter in polyneuron.activation_parameters(net))


def functions(net):
    return sum(module.functions for _, module in polyneuron.activation_modules(net))


def test_parameter_counts_with_relu():
    assert parameters(lenet5(lambda _: nn.ReLU())) == 61_706
    assert parameters(lenet5(lambda _: nn.ReLU(), pad=False)) == 44_426
    assert parameters(resnet20(lambda _: nn.ReLU())) == 269_722


@pytest.mark.parametrize(
    ("residual", "shortcut", "count"),
    [
        ("act_then_add", "pad", 269_722),
        ("pre_act", "pad", 269_722),
        # 16 x 16 + 16 x 32 + 32 x 64 weights, and a batch norm of 16 + 32 + 64 after the sum.
        ("pre_act", "projection", 269_722 + 2_816),
        ("add_then_act", "projection", 269_722 + 2_816 + 224),
        ("act_then_add", "projection", 269_722 + 2_816 + 224),
    ],
)
def test_parameter_counts_of_the_readings_of_resnet20(residual, shortcut, count):
    calls = []

    def relu(channels):
        calls.append(channels)
        return nn.ReLU()

    net = resnet20(relu, residual=residual, shortcut=shortcut)
    assert parameters(net) == count
    assert [calls.count(channels) for channels in (16, 32, 64)] == [7, 6, 6]


@pytest.mark.parametrize("shortcut", ["pad", "projection"])
def test_a_pre_activation_network_is_the_formula_of_its_modules(shortcut):
    """Figure 1b of the pre-activation paper, in float64, where no kernel is fused."""
    net = resnet20(lambda _: nn.ReLU(), residual="pre_act", shortcut=shortcut).double()
    x = torch.randn(4, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = net.conv(x)
    for i, block in enumerate(net.blocks):
        activated = block.norm1(y).relu()
        z = block.conv2(block.norm2(block.conv1(activated)).relu())
        if shortcut == "projection" and i in (0, 3, 6):
            past = F.conv2d(activated, block.shortcut.weight, stride=1 if i == 0 else 2)
        elif i in (3, 6):
            past = F.pad(y[:, :, ::2, ::2], (0, 0, 0, 0, y.shape[1] // 2, y.shape[1] // 2))
        else:
            past = y
        y = past + z
    expected = net.fc(net.norm(y).relu().mean((2, 3)))
    # The same operations in another order of two summands: rounding of float64 alone.
    torch.testing.assert_close(net(x), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("residual", ["add_then_act", "act_then_add", "pre_act"])
@pytest.mark.parametrize("shortcut", ["pad", "projection"])
def test_fused_readings_have_the_values_and_gradients_of_float64(residual, shortcut):
    """All 19 norms and activations by the kernels in float32, against torch's formula."""
    net = build_network(
        NetworkConfig("resnet20", residual=residual, shortcut=shortcut),
        ActivationConfig("polyneuron"),
        SHAPES["resnet20"],
        10,
        0,
    ).to(memory_format=torch.channels_last)
    exact = copy.deepcopy(net).double()
    x = torch.randn(16, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(16) % 10
    F.cross_entropy(net(x.contiguous(memory_format=torch.channels_last)), labels).backward()
    F.cross_entropy(exact(x.double()), labels).backward()
    # Twenty layers of float32, each off by a few units of 6e-8, seldom by 100 times that.
    for (name, one), other in zip(net.named_parameters(), exact.parameters(), strict=True):
        off = (one.grad - other.grad).norm() / other.grad.norm()
        assert off < 1e-3, (name, float(off))


# Parameters a function: 2s, 2s + 2, 2S and 1, for s = 3 and S = 5.
@pytest.mark.parametrize(
    ("activation", "each"), [("polyneuron", 6), ("polyneuron_r", 8), ("apl", 10), ("swish", 1)]
)
@pytest.mark.parametrize(
    ("network", "scope", "count"),
    [
        ("lenet5", "layer", 4),
        ("lenet5", "channel", 226),
        ("lenet5", "neuron", 6_508),
        ("resnet20", "layer", 19),
        ("resnet20", "channel", 688),
        ("resnet20", "neuron", 188_416),
    ],
)
def test_activation_functions_and_their_parameters(network, scope, count, activation, each):
    net = built(network, activation, scope)
    assert functions(net) == count
    assert activation_parameters(net) == count * each
    assert parameters(net) - count * each == parameters(built(network))


def test_lenet5_without_padding_has_fewer_neurons():
    def shapes(pad):
        sizes = activation_shapes(lambda a: lenet5(a, pad=pad), (1, 28, 28))
        return sum(torch.Size(size).numel() for size in sizes)

    assert (shapes(True), shapes(False)) == (6_508, 4_684)


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
@pytest.mark.parametrize("scope", ["layer", "channel", "neuron"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (1, 32, 32)])
def test_every_network_takes_the_images_of_every_data_set(network, scope, shape):
    net = built(network, "polyneuron_r", scope, shape=shape)
    assert net(torch.randn(2, *shape)).shape == (2, 10)


def test_lenet5_pooling_is_an_option():
    images = torch.randn(2, 1, 28, 28)
    networks = [
        build_network(NetworkConfig(pooling=pooling), ActivationConfig("relu"), (1, 28, 28), 10, 0)
        for pooling in ("max", "average")
    ]
    assert not torch.equal(networks[0](images), networks[1](images))


def test_option_a_shortcut_subsamples_and_fills_with_zeros():
    block = BasicBlock(lambda _: nn.Identity(), 16, 32)
    x = torch.randn(2, 16, 8, 8)
    nn.init.zeros_(block.norm2.weight)
    y = block(x)
    assert torch.equal(y[:, 8:24], x[:, :, ::2, ::2])
    assert not y[:, :8].any()
    assert not y[:, 24:].any()


def test_act_then_add_leaves_the_shortcut_as_it_is():
    x = torch.randn(2, 16, 8, 8)
    for residual, expected in (("act_then_add", x), ("add_then_act", x.relu())):
        block = BasicBlock(lambda _: nn.ReLU(), 16, 16, residual)
        nn.init.zeros_(block.norm2.weight)
        assert torch.equal(block(x), expected)


def test_one_seed_gives_one_set_of_weights_whatever_the_activation():
    relu, poly = built("lenet5"), built("lenet5", "polyneuron_r", "neuron")
    random = built("lenet5", "polyneuron_r", init="random")
    for name, weight in relu.named_parameters():
        assert torch.equal(weight, poly.get_parameter(name))
        assert torch.equal(weight, random.get_parameter(name))
    assert not torch.equal(relu.conv1.weight, built("lenet5", seed=1).conv1.weight)


def test_random_activations_differ_by_layer_and_seed_and_repeat():
    def starts(seed):
        return [
            p.clone()
            for p in built("lenet5", "polyneuron", init="random", seed=seed).act1.parameters()
        ]

    first = built("lenet5", "polyneuron", init="random")
    assert not torch.equal(first.act1.c_y, first.act2.c_y)
    assert all(map(torch.equal, starts(0), starts(0)))
    assert not any(map(torch.equal, starts(0), starts(1)))


def test_building_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    built("lenet5", "apl")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
def test_he_normal_weights_have_the_deviation_of_their_fan_in(network):
    net = built(network)
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            n, fan_in = layer.weight.numel(), layer.weight[0].numel()
            # The standard error of a normal sample's deviation is its value / sqrt(2n); 5 of them.
            expected = (2 / fan_in) ** 0.5
            assert abs(layer.weight.std() / expected - 1) < 5 / (2 * n) ** 0.5
            assert layer.bias is None or not layer.bias.any()


def test_torch_init_draws_from_torchs_own_ranges():
    net = build_network(
        NetworkConfig(weight_init="torch"), ActivationConfig("relu"), (1, 28, 28), 10, 0
    )
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bound = layer.weight[0].numel() ** -0.5
            for values in (layer.weight, layer.bias):
                assert values.abs().max() <= bound
            # The largest of n uniform draws falls short of 0.9 with probability 0.9^n: n >= 150.
            assert layer.weight.abs().max() > 0.9 * bound


@pytest.mark.parametrize("activation", ["polyneuron", "polyneuron_r"])
def test_frozen_relu_like_start_is_the_hand_written_spline(activation):
    net = built("lenet5", activation)
    for parameter in polyneuron.activation_parameters(net):
        parameter.requires_grad_(False)
    x = torch.rand(8, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(8)
    by_net, by_hand = net(x), hand_written_lenet5(net, x)
    # float32 sums of cubes cancel outside [-1, 1]: 1e-4 of the logits' size, of about 1.
    torch.testing.assert_close(by_net, by_hand, rtol=1e-4, atol=1e-4)
    weights = [parameter for parameter in net.parameters() if parameter.requires_grad]
    ours = torch.autograd.grad(F.cross_entropy(by_net, labels), weights)
    theirs = torch.autograd.grad(F.cross_entropy(by_hand, labels), weights)
    assert len(ours) == 10
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-3, atol=1e-4 * their.abs().max().item())


def hand_written_lenet5(net, x):
    def spline(x):
        c, w = (-1.0, 0.0, 1.0), (0.125, -0.25, 0.125)
        radial = sum(wi * (x - ci).abs() ** 3 for wi, ci in zip(w, c, strict=True))
        return radial + 0.5 * x - 0.25

    y = F.max_pool2d(spline(F.conv2d(x, net.conv1.weight, net.conv1.bias, padding=2)), 2)
    y = F.max_pool2d(spline(F.conv2d(y, net.conv2.weight, net.conv2.bias)), 2).flatten(1)
    y = spline(F.linear(y, net.fc3.weight, net.fc3.bias))
    y = spline(F.linear(y, net.fc4.weight, net.fc4.bias))
    return F.linear(y, net.fc5.weight, net.fc5.bias)


def test_a_configuration_knows_the_scopes_of_polyneuron():
    # Written twice: trainers.config imports without torch, which polyneuron needs.
    assert SCOPES == polyneuron.scope.SCOPES


def test_an_unknown_option_is_refused_by_name():
    with pytest.raises(ValueError, match="order"):
        built("lenet5", "polyneuron_r", order=3)
