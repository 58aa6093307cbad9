import pytest
import torch

import polyneuron
from trainers.config import ActivationConfig, NetworkConfig, Recipe
from trainers.networks import build_network
from trainers.optimizer import make_optimizer, set_rates


def step_with_zero_gradients(activation, recipe, network="lenet5"):
    """Return the names of the parameters that the step moved, and the network."""
    shape = (1, 28, 28) if network == "lenet5" else (3, 32, 32)
    net = build_network(NetworkConfig(network), ActivationConfig(activation), shape, 10, 0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.25  # zero biases would not be moved by any decay
    before = {name: parameter.clone() for name, parameter in net.named_parameters()}
    optimizer = make_optimizer(net, recipe)
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return {name for name, p in net.named_parameters() if not torch.equal(p, before[name])}, net


@pytest.mark.parametrize("activation", ["swish", "apl", "polyneuron", "polyneuron_r"])
@pytest.mark.parametrize("network", ["lenet5", "resnet20"])
@pytest.mark.parametrize("decay", ["coupled", "decoupled"])
def test_decay_moves_all_but_activation_parameters(activation, network, decay):
    moved, net = step_with_zero_gradients(activation, Recipe(decay=decay), network)
    learned = {id(parameter) for parameter in polyneuron.activation_parameters(net)}
    assert learned
    assert moved == {n for n, p in net.named_parameters() if id(p) not in learned}


def test_decay_on_weights_spares_biases_and_batch_norm():
    moved, net = step_with_zero_gradients("polyneuron_r", Recipe(decay_on="weights"), "resnet20")
    assert moved == {n for n, p in net.named_parameters() if p.ndim == 4} | {"fc.weight"}


def test_no_decay_moves_nothing():
    assert step_with_zero_gradients("swish", Recipe(weight_decay=0.0))[0] == set()


def test_coupled_decay_is_adam_on_the_l2_gradient():
    # Adam's first step is rate * g / (|g| + eps) whatever g's size; AdamW's is rate * decay * p.
    for decay, expected in (("coupled", 1e-3), ("decoupled", 1e-3 * 1e-4 * 2.0)):
        net = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(net.weight, 2.0)
        net.weight.grad = torch.zeros_like(net.weight)
        make_optimizer(net, Recipe(decay=decay)).step()
        # float32 holds 2.0 to 2.4e-7.
        assert 2.0 - net.weight.item() == pytest.approx(expected, rel=1e-3, abs=2.4e-7)


def test_activation_parameters_may_have_a_rate_of_their_own():
    recipe = Recipe(activation_learning_rate=5e-3)
    net = build_network(NetworkConfig(), ActivationConfig("swish"), (1, 28, 28), 10, 0)
    optimizer = make_optimizer(net, recipe)
    assert set_rates(optimizer, recipe, 21) == pytest.approx(1e-4)
    learned = {id(parameter) for parameter in polyneuron.activation_parameters(net)}
    for group in optimizer.param_groups:
        own = {id(parameter) for parameter in group["params"]} <= learned
        assert group["lr"] == pytest.approx(5e-4 if own else 1e-4)


def test_rates_fall_in_every_group():
    recipe = Recipe()
    net = build_network(NetworkConfig(), ActivationConfig("polyneuron"), (1, 28, 28), 10, 0)
    optimizer = make_optimizer(net, recipe)
    for epoch, rate in ((1, 1e-3), (20, 1e-3), (21, 1e-4), (25, 1e-4), (26, 1e-5)):
        set_rates(optimizer, recipe, epoch)
        assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([rate] * 2)


def test_sgd_with_nesterovs_momentum_is_torchs():
    net = torch.nn.Linear(3, 2)
    other = torch.nn.Linear(3, 2)
    other.load_state_dict(net.state_dict())
    recipe = Recipe(optimizer="sgd", momentum=0.8, nesterov=True, learning_rate=0.1)
    ours = make_optimizer(net, recipe)
    torchs = torch.optim.SGD(
        other.parameters(), lr=0.1, momentum=0.8, nesterov=True, weight_decay=1e-4
    )
    for step in range(3):
        for one, optimizer in ((net, ours), (other, torchs)):
            for parameter in one.parameters():
                parameter.grad = torch.full_like(parameter, float(step))
            optimizer.step()
    # The fused kernel rounds in another order.
    torch.testing.assert_close(net.weight, other.weight, rtol=1e-5, atol=1e-6)


def test_a_long_gradient_is_cut_to_its_limit_and_a_short_one_is_not():
    from trainers.step import _shorten

    gradients = [torch.full((4,), 3.0), torch.full((9,), -2.0)]
    _shorten(gradients, torch.tensor(72.0**0.5, dtype=torch.float64), 0.5)
    norm = torch.linalg.vector_norm(torch.cat(gradients))
    assert norm.item() == pytest.approx(0.5, rel=1e-6)
    _shorten(gradients, norm.double(), 0.6)
    assert torch.linalg.vector_norm(torch.cat(gradients)).item() == pytest.approx(0.5, rel=1e-6)
