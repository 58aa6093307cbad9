import copy

import pytest
import torch
from torch import nn

from trainers.adam import Adam, norm


def network():
    """A network with parameters of 1, 4 and more dimensions, in both memory formats."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv2d(5, 7, 3), nn.Linear(13, 301), nn.PReLU())
    net[1].to(memory_format=torch.channels_last)
    return net


def gradients(net, step):
    generator = torch.Generator().manual_seed(step)
    return [torch.randn(p.shape, generator=generator) for p in net.parameters()]


def train(net, optimizer, steps=range(5)):
    for step in steps:
        for parameter, gradient in zip(net.parameters(), gradients(net, step), strict=True):
            parameter.grad = torch.empty_like(parameter).copy_(gradient)
        optimizer.step()
    return net


def options(net, decoupled):
    first, *rest = net.parameters()
    groups = [{"params": [first], "weight_decay": 0.0}, {"params": rest, "lr": 3e-3}]
    return {"params": groups, "weight_decay": 0.1, "decoupled_weight_decay": decoupled}


@pytest.mark.parametrize("decoupled", [False, True])
def test_updates_are_those_of_torchs_adam_in_float64(decoupled):
    net, wide = network(), network().double()
    train(net, Adam(**options(net, decoupled), fused=True))
    train(wide, torch.optim.Adam(**options(wide, decoupled)))
    for ours, expected in zip(net.parameters(), wide.parameters(), strict=True):
        # The 5 updates, of at most 3e-3 each, are rounded some times to the 6e-8 of float32.
        torch.testing.assert_close(ours.double(), expected, rtol=1e-6, atol=3e-7)


def test_state_is_torchs_own_and_can_change_hands():
    net = network()
    first = Adam(**options(net, False), fused=True)
    train(net, first, range(3))
    other, copied = torch.optim.Adam(**options(net, False), fused=True), copy.deepcopy(net)
    other.load_state_dict(copy.deepcopy(first.state_dict()))
    train(net, other, range(3, 6))
    again = Adam(**options(copied, False), fused=True)
    again.load_state_dict(first.state_dict())
    train(copied, again, range(3, 6))
    for ours, expected in zip(copied.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=3e-7)
        assert float(again.state[ours]["step"]) == 6


def test_bits_are_the_same_on_any_number_of_threads():
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            torch.manual_seed(0)
            net = nn.Linear(500, 401)
            found.append(train(net, Adam(net.parameters(), weight_decay=0.1, fused=True)))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0].weight, found[1].weight)
    assert torch.equal(found[0].weight, found[2].weight)


def test_a_parameter_without_a_gradient_stays():
    net = network()
    optimizer = Adam(net.parameters(), fused=True)
    for parameter, gradient in zip(net.parameters(), gradients(net, 0), strict=True):
        parameter.grad = torch.empty_like(parameter).copy_(gradient)
    net[2].weight.grad = None
    before = copy.deepcopy(net.state_dict())
    optimizer.step()
    changed = {name for name, value in net.state_dict().items() if not value.equal(before[name])}
    assert changed == set(before) - {"2.weight"}


def test_a_gradient_that_lies_otherwise_in_memory_is_added_in_its_place():
    net = network()
    wide = copy.deepcopy(net).double()
    for each in (net, wide):
        train(each, Adam(each.parameters(), fused=True), range(1))
    for each in (net, wide):
        for parameter, gradient in zip(each.parameters(), gradients(each, 1), strict=True):
            parameter.grad = gradient.to(parameter.dtype)  # contiguous, whatever the parameter is
    optimizers = [Adam(each.parameters(), fused=True) for each in (net, wide)]
    for optimizer in optimizers:
        optimizer.step()
    for ours, expected in zip(net.parameters(), wide.parameters(), strict=True):
        torch.testing.assert_close(ours.double(), expected, rtol=1e-6, atol=3e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_norm_is_that_of_all_gradients_as_one_vector(dtype):
    values = [value.to(dtype) for value in gradients(network(), 0)]
    values[0] = values[0] * 1e25  # its square is beyond float32
    expected = torch.cat([value.double().flatten() for value in values]).norm()
    # float64 rounds each of 4,000 squares to 1e-16 of it.
    torch.testing.assert_close(norm(values), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_the_norm_is_not_finite_if_a_gradient_is_not(bad):
    values = gradients(network(), 0)
    values[2][-1] = bad
    assert not norm(values).isfinite()
