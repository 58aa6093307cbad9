import math
import re
from collections.abc import Iterable

import pytest
import torch
from torch import nn

from polyneuron import (
    PolyNeuron,
    ReLU,
    activation_modules,
    activation_names,
    activation_options,
    activation_parameters,
    is_learned,
    make_activation,
)
from polyneuron.scope import SCOPES

LENET_5 = [(6, 28, 28), (16, 10, 10), (120,), (84,)]
LENET_5_UNPADDED = [(6, 24, 24), (16, 8, 8), (120,), (84,)]
RESNET_20 = [(16, 32, 32)] * 7 + [(32, 16, 16)] * 6 + [(64, 8, 8)] * 6


def layers(name: str, scope: str, shapes: Iterable[tuple[int, ...]]) -> nn.ModuleList:
    return nn.ModuleList(make_activation(name, channels=shape, scope=scope) for shape in shapes)


@pytest.mark.parametrize(
    ("shapes", "functions"),
    [
        (LENET_5, (4, 226, 6508)),
        (LENET_5_UNPADDED, (4, 226, 4684)),
        (RESNET_20, (19, 688, 188_416)),
    ],
)
@pytest.mark.parametrize(
    ("name", "each"), [("polyneuron", 6), ("polyneuron_r", 8), ("apl", 10), ("swish", 1)]
)
def test_functions_and_parameters_of_the_papers_networks(
    name: str, each: int, shapes: list[tuple[int, ...]], functions: tuple[int, int, int]
) -> None:
    for scope, A in zip(SCOPES, functions, strict=True):
        network = layers(name, scope, shapes)
        assert sum(module.functions for _, module in activation_modules(network)) == A
        assert sum(p.numel() for p in activation_parameters(network)) == each * A


@pytest.mark.parametrize("name", activation_names())
def test_every_name_makes_what_it_says(name: str) -> None:
    module = make_activation(name)
    assert is_learned(name) == bool(list(module.parameters())) == type(module).learned
    assert module.functions == 1


def test_defaults_are_those_of_the_signature() -> None:
    assert activation_options("polyneuron_r") == {
        "s": 3,
        "k": 3,
        "init": "relu_like",
        "half_range": 1.0,
        "tail_range": None,
    }
    assert activation_options("apl") == {"s": 5, "a_bound": None, "b_std": 0.5}
    assert activation_options("relu") == {}


@pytest.mark.parametrize("name", activation_names())
def test_every_option_changes_the_function(name: str) -> None:
    """No option is dead: another value gives another module, function or training."""
    other = {
        "s": 7,
        "k": 5,
        "init": "smooth_relu",
        "half_range": 1.7,
        "tail_range": 0.8,
        "min_gap": 0.2,
        "slopes": True,
        "beta": 0.3,
        "learn_beta": False,
        "a_bound": 2.0,
        "b_std": 2.0,
        "a": 0.7,
        "t_left": 0.5,
        "a_left": 0.7,
        "t_right": 0.3,
        "a_right": 0.7,
        "momentum": 0.7,
        "knots": 11,
        "start": "relu",
    }
    x = torch.randn(50, generator=torch.Generator().manual_seed(0))

    def trained_outputs(**options: object) -> list[float]:
        generator = torch.Generator().manual_seed(0)
        module = make_activation(name, generator=generator, **options)
        before = module(x)
        if before.requires_grad:
            before.sum().backward()
        with torch.no_grad():
            for parameter in module.parameters():
                if parameter.grad is not None:
                    parameter -= 0.1 * parameter.grad
        module(3 * x)
        return module.eval()(x).tolist()

    # SReLU's right threshold has no gradient while the slope beyond it is 1.
    base = {"a_right": 0.5} if name == "srelu" else {}
    plain = trained_outputs(**base)
    for option in activation_options(name):
        assert trained_outputs(**{**base, option: other[option]}) != plain, option


def test_scopes_read_channels_or_a_shape() -> None:
    def functions(scope: str, channels: int | tuple[int, ...] | None) -> int:
        return make_activation("swish", scope=scope, channels=channels).functions

    assert functions("layer", None) == functions("layer", 8) == functions("layer", (8, 3)) == 1
    assert functions("channel", 8) == functions("channel", (8, 3, 3)) == 8
    assert functions("neuron", 8) == 8
    assert functions("neuron", (8, 3, 3)) == 72


def test_one_function_a_neuron_of_flat_input_refuses_images() -> None:
    module = make_activation("swish", scope="neuron", channels=8)
    assert module(torch.zeros(2, 8)).shape == (2, 8)
    with pytest.raises(ValueError, match=re.escape("x must be (N, 8) for an activation with one")):
        module(torch.zeros(2, 8, 3))


def test_networks_are_searched_for_activations() -> None:
    network = nn.Sequential(nn.Linear(3, 3), PolyNeuron(), nn.Sequential(ReLU(), nn.ReLU()))
    assert [(name, type(m)) for name, m in activation_modules(network)] == [
        ("1", PolyNeuron),
        ("2.0", ReLU),
    ]
    assert [p.shape for p in activation_parameters(network)] == [(1, 3), (1, 3)]


def test_random_starts_come_from_the_generator() -> None:
    def start() -> list[float]:
        generator = torch.Generator().manual_seed(1)
        return make_activation("apl", generator=generator).a.tolist()

    assert start() == start()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            {"name": "polynueron"},
            "unknown activation 'polynueron'; known: relu, swish, .*; did you",
        ),
        ({"name": "Swish"}, "did you mean 'swish'?"),
        ({"name": "apl", "k": 3}, "unknown option of apl 'k'; known: s, a_bound, b_std; did you"),
        ({"name": "gelu", "s": 3}, "unknown option of gelu 's'; known: none"),
        ({"name": "swish", "scope": "chanel"}, "unknown scope 'chanel'; known: layer, channel, ne"),
        ({"name": "swish", "scope": "channel"}, "scope 'channel' needs channels: an int, or the"),
        ({"name": "gelu", "scope": "neuron"}, "scope 'neuron' needs channels"),
        ({"name": "swish", "channels": -1, "scope": "channel"}, "channels must be None .* got -1"),
        ({"name": "swish", "beta": "one"}, "beta must be a finite number, got 'one'"),
        ({"name": "swish", "learn_beta": "yes"}, "learn_beta must be True or False, got 'yes'"),
        ({"name": "apl", "s": 0}, "s must be an integer of at least 1, got 0"),
        ({"name": "apl", "a_bound": -1}, "a_bound must be a finite number of at least 0, got -1"),
        (
            {"name": "apl", "b_std": math.inf},
            "b_std must be a finite number of at least 0, got inf",
        ),
        ({"name": "prelu", "a": None}, "a must be a finite number, got None"),
        ({"name": "srelu", "t_right": "x"}, "t_right must be a finite number, got 'x'"),
        (
            {"name": "ensemble", "momentum": 0},
            "momentum must be a finite number above 0 and of at most 1, got 0",
        ),
        ({"name": "cubic_spline", "knots": 2}, "knots must be an integer of at least 3, got 2"),
        ({"name": "cubic_spline", "start": "elu"}, "start must be one of tanh, relu, got 'elu'"),
        ({"name": "bspline", "half_range": 0}, "half_range must be a finite number above 0, got 0"),
        ({"name": "polyneuron", "s": 1}, "s must be an integer of at least 2, got 1"),
    ],
)
def test_bad_input(call: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", "[?]")):
        make_activation(**call)


@pytest.mark.parametrize("name", ["nothing", "", 3])
def test_unknown_names_everywhere(name: str) -> None:
    for ask in (is_learned, activation_options, make_activation):
        with pytest.raises(ValueError, match="unknown activation"):
            ask(name)
