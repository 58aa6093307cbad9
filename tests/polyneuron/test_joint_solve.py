import pytest
import torch
from torch import Tensor, nn

from polyneuron import JointSolve, activation_modules, make_activation
from polyneuron.activations import interpolating

KINDS = [("polyneuron", {"s": s, "k": k}) for s, k in ((3, 1), (3, 2), (5, 2), (4, 5), (3, 3))]


def network(scope: str = "channel") -> nn.Sequential:
    """Activations of several s and k, some alike, with other layers between."""
    kinds = [*KINDS, *KINDS[:2], ("polyneuron_ordered", {"k": 2}), ("polyneuron_r", {})]
    layers: list[nn.Module] = []
    for name, options in kinds:
        activation = make_activation(name, channels=4, scope=scope, **options)
        layers += [nn.Linear(4, 4), activation]
    return nn.Sequential(*layers)


def outcome(net: nn.Module, x: Tensor) -> list[Tensor]:
    y = net(x)
    return [y, *torch.autograd.grad(y.square().mean(), list(net.parameters()))]


@pytest.mark.parametrize("scope", ["layer", "channel"])
def test_a_joint_solve_is_each_layer_solved_alone(scope: str) -> None:
    net, x = network(scope), torch.randn(6, 4)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    alone = outcome(net, x)
    with JointSolve(net):
        together = outcome(net, x)
    for one, other in zip(together, alone, strict=True):
        # Batched and single LU round alike but for the order of a few sums.
        torch.testing.assert_close(
            one, other, rtol=1e-5, atol=1e-5 * float(other.detach().abs().max())
        )


def test_like_systems_are_solved_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    solve = interpolating.solve_isolated

    def counted(c_x: Tensor, c_y: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
        calls.append(len(c_x))
        return solve(c_x, c_y, k)

    monkeypatch.setattr(interpolating, "solve_isolated", counted)
    net = network()
    with JointSolve(net):
        net(torch.randn(2, 4))
    # Order 3 is solved by the kernel that evaluates it: (3, 1), (3, 2), (5, 2) and (4, 5) are left.
    assert sorted(calls) == [4, 4, 8, 12]


def test_afterwards_each_layer_solves_again() -> None:
    net, x = network(), torch.randn(2, 4)
    with JointSolve(net):
        net(x)
    assert all(getattr(m, "solved", None) is None for _, m in activation_modules(net))
    before = net(x)
    with torch.no_grad():
        net[1].c_y += 1  # type: ignore[operator]
    assert not torch.equal(net(x), before)


def test_a_singular_function_is_not_a_number_and_leaves_the_others() -> None:
    net = nn.Sequential(make_activation("polyneuron", k=2, channels=4, scope="channel"))
    with torch.no_grad():
        net[0].c_x[1] = 0.0  # type: ignore[index]
    with JointSolve(net):
        y = net(torch.randn(5, 4))
    assert y.isnan().any(0).tolist() == [False, True, False, False]


def test_a_network_without_such_layers_is_left_alone() -> None:
    net = nn.Sequential(nn.Linear(3, 3), make_activation("swish"))
    with JointSolve(net):
        assert net(torch.randn(2, 3)).shape == (2, 3)
