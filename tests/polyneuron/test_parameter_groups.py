import pytest
import torch
from torch import nn

from polyneuron import PolyNeuron, Swish, parameter_groups


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), PolyNeuron(), nn.Linear(4, 2), Swish(learn_beta=False))


def test_decay_alone_moves_weights_and_no_activation() -> None:
    net = network()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    optimizer = torch.optim.AdamW(parameter_groups(net, lr=0.1, weight_decay=0.5))
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    moved = {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"0.weight", "0.bias", "2.weight", "2.bias"}


def test_every_learned_parameter_is_in_one_group() -> None:
    net = network()
    own, apart = parameter_groups(net, lr=0.1, activation_lr=0.01, weight_decay=0.5)
    listed = [*own["params"], *apart["params"]]
    learned = {id(p) for p in net.parameters() if p.requires_grad}
    assert {id(p) for p in listed} == learned
    assert len(listed) == len(learned)
    assert (own["lr"], own["weight_decay"]) == (0.1, 0.5)
    assert (apart["lr"], apart["weight_decay"]) == (0.01, 0.0)
    assert {id(p) for p in apart["params"]} == {id(p) for p in net[1].parameters()}


def test_a_shared_activation_is_listed_once() -> None:
    shared = PolyNeuron()
    groups = parameter_groups(nn.Sequential(shared, shared), lr=0.1)
    assert [len(group["params"]) for group in groups] == [2]
    torch.optim.AdamW(groups)


def test_a_negative_rate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"activation_lr must be a finite number of at least 0"):
        parameter_groups(network(), lr=0.1, activation_lr=-1.0)
