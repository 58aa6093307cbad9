"""The contract suite on every activation here, on one of a user's own, and on broken ones."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor, nn

from polyneuron import Activation, activation_names, activation_options, make_activation
from polyneuron.scope import Channels, spread
from polyneuron.testing import ActivationContract


class TestEveryActivation(ActivationContract):
    @pytest.fixture(autouse=True, params=activation_names())
    def _name_and_options(self, request: pytest.FixtureRequest) -> None:
        self.name: str = request.param
        self.options: dict[str, int] = {}

    def make(self, channels: Channels) -> Activation:
        scope = "layer" if channels is None else "channel" if type(channels) is int else "neuron"
        generator = torch.Generator().manual_seed(0)
        return make_activation(
            self.name, channels=channels, scope=scope, generator=generator, **self.options
        )

    def test_compiles_as_one_graph(self) -> None:
        # A spline is unrolled over its knots: a few of them compile as many do, sooner.
        if "knots" in activation_options(self.name):
            self.options = {"knots": 4}
        super().test_compiles_as_one_graph()


def bump(x: Tensor, height: Tensor) -> Tensor:
    return x + height * torch.exp(-x * x)


class Bump(Activation):
    """x + height exp(-x^2), in PyTorch's own operations."""

    def __init__(self, channels: Channels = None) -> None:
        super().__init__(channels)
        self.height = nn.Parameter(torch.zeros(self.functions))

    def _response(self, x: Tensor) -> Tensor:
        return bump(x, spread(self.height, x))


class TestOneOfAUsersOwn(ActivationContract):
    make = Bump


def test_autocast_does_not_reach_a_childs_matrix_products() -> None:
    class Doubling(Activation):
        def _response(self, x: Tensor) -> Tensor:
            return (x.reshape(-1, 1) @ torch.full((1, 1), 2.0)).reshape(x.shape)

    x = torch.randn(50)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(Doubling()(x), 2 * x)


def columns(self: Bump, channels: Channels = None) -> None:
    Bump.__init__(self, channels)
    self.height = nn.Parameter(self.height[None].detach())


def forgetful(self: Bump, channels: Channels = None) -> None:
    Bump.__init__(self, channels)
    self.shift = torch.rand(())


def shared(self: Bump, memo: object) -> Bump:
    clone = type(self)(self.channels).eval()
    clone.height = self.height
    return clone


def by_memory(self: Bump, x: Tensor) -> Tensor:
    y = bump(x, spread(self.height, x))
    return y if x.is_contiguous() else y.flip(0)


BROKEN = {
    "learned, and says that it is not": (
        {"learned": False},
        ("class_attributes_say_what_the_activation_is", 4),
        "assert False == True",
    ),
    "a curve of its own": (
        {"curve": lambda self, grid: torch.zeros(self.functions, len(grid))},
        ("each_function_sees_its_own_share", 4),
        "Tensor-likes are not close",
    ),
    "a wrong derivative": (
        {"_response": lambda self, x: bump(x, spread(self.height, x)) + x.detach()},
        ("gradcheck", 3),
        "Jacobian mismatch for output 0 with respect to input 0",
    ),
    "functions along the second axis": (
        {"__init__": columns, "_response": lambda self, x: bump(x, spread(self.height[0], x))},
        ("every_parameter_has_a_row_per_function_and_gets_a_gradient", 4),
        "height\nassert 1 == 4",
    ),
    "one function for all": (
        {"_response": lambda self, x: bump(x, self.height[0])},
        ("every_parameter_has_a_row_per_function_and_gets_a_gradient", 4),
        "height\nassert tensor",
    ),
    "a number that its state does not hold": (
        {"__init__": forgetful, "_response": lambda self, x: x + self.shift},
        ("state_round_trip", 4),
        "assert False",
    ),
    "a parameter that copies share": (
        {"__deepcopy__": shared},
        ("copies_are_independent",),
        "assert False",
    ),
    "a mean over the batch": (
        {"_response": lambda self, x: bump(x, spread(self.height, x) * x.mean())},
        ("empty_batch", 4, False),
        "assert False",
    ),
    "values by their place in memory": (
        {"_response": by_memory},
        ("memory_layout_does_not_matter", 4, "transposed"),
        "Tensor-likes are not close",
    ),
    "contiguous values whatever x is": (
        {"_response": lambda self, x: bump(x, spread(self.height, x)).contiguous()},
        ("channels_last_stays_channels_last",),
        "is_contiguous",
    ),
    "infinite from 89 on": (
        {"_response": lambda self, x: spread(self.height, x) * torch.exp(x)},
        ("extreme_input_is_finite", 4, False),
        "assert tensor\\(False\\)",
    ),
    "0 for NaN": (
        {"_response": lambda self, x: torch.nan_to_num(bump(x, spread(self.height, x)))},
        ("no_number_stays_no_number",),
        "assert tensor\\(False\\)",
    ),
    "half precision throughout": (
        {"forward": Bump._response},
        ("half_precision_computes_in_float32", torch.bfloat16),
        "assert False",
    ),
    "a matrix product for autocast to narrow": (
        {"forward": lambda self, x: (x.reshape(-1, 1) @ self.height[:1, None]).reshape(x.shape)},
        ("autocast",),
        "assert False",
    ),
    "a product of two dtypes": (
        {"_response": lambda self, x: bump(x, (torch.eye(4) @ self.height)[:, None, None])},
        ("a_network_cast_to_half_precision_works", torch.bfloat16),
        "same dtype",
    ),
    "values for any shape": (
        {"forward": lambda self, x: bump(x, self.height[0])},
        ("wrong_shapes", 4, (2, 5, 3, 5), "x must be"),
        "DID NOT RAISE ValueError",
    ),
    "values for integers": (
        {"forward": lambda self, x: bump(x.float(), spread(self.height, x.float()))},
        ("integers_are_refused",),
        "DID NOT RAISE ValueError",
    ),
    "a branch on a value": (
        {"_response": lambda self, x: bump(x, spread(self.height, x)) if x.sum() < 1e9 else x},
        ("compiles_as_one_graph",),
        "[Dd]ata-dependent",
    ),
}
"""What is broken: the attributes of a child of Bump, the test that finds it, and the message."""


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_activation_fails(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attributes, (test, *arguments), message = BROKEN[what]

    class Contract(ActivationContract):
        make = Bump

    run = getattr(Contract(), f"test_{test}")
    run(*arguments)
    broken = type("Broken", (Bump,), attributes)
    monkeypatch.setattr(sys.modules[__name__], "Broken", broken, raising=False)  # for pickle
    monkeypatch.setattr(Contract, "make", broken)
    failures = (AssertionError, RuntimeError, pytest.fail.Exception)
    with pytest.raises(failures, match=message):
        run(*arguments)
