"""Networks that are not ours: built by a function of one's own, or by torchvision."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from polyneuron import activation_modules, replace_activations
from polyneuron.initialization import PolyNeuronWarning
from trainers.networks.config import ActivationConfig, NetworkConfig
from trainers.networks.record import ActivationFactory, ImageShape
from trainers.references import place_of, resolve

TORCHVISION = "torchvision"


def build(
    config: NetworkConfig,
    activation: ActivationFactory | None,
    image_shape: ImageShape,
    classes: int,
) -> nn.Module:
    """Build the network that a configuration names, as its own code draws the weights.

    Args:
        config: names the function and its options.
        activation: the function's first argument; None for one that takes none.
        image_shape: of the images.
        classes: length of an output.

    Raises:
        ValueError: there is no such function, or it takes other arguments.
    """
    module, _, name = config.name.partition(":")
    if module == TORCHVISION:
        return _of_torchvision(name, image_shape[0], classes, config.options)
    function = resolve(config.name)
    given: dict[str, Any] = {
        "in_channels": image_shape[0],
        "classes": classes,
        "image_size": image_shape[1:],
    }
    asked = inspect.signature(function).parameters
    arguments = {key: value for key, value in given.items() if key in asked} | dict(config.options)
    first = () if activation is None else (activation,)
    _check_arguments(config.name, function, first, arguments)
    net: nn.Module = function(*first, **arguments)
    return net


def replace(
    net: nn.Module,
    config: NetworkConfig,
    activation: ActivationConfig,
    example: Tensor,
    generator: torch.Generator,
) -> None:
    """Put activations in the place of those that a configuration names.

    Raises:
        ValueError: the network has none of them, or cannot be traced.
    """
    with warnings.catch_warnings():
        # Which functions stay was the user's choice.
        warnings.simplefilter("ignore", PolyNeuronWarning)
        replace_activations(
            net,
            activation.name,
            activation.scope,
            of=config.replace,
            example=example,
            generator=generator,
            **activation.options,
        )


def check(net: object, name: str, image_shape: ImageShape, classes: int) -> None:
    """Check that a network has our activations, and maps images to logits.

    Raises:
        ValueError: says what was expected and what came.
    """
    where = place_of(name)
    if not isinstance(net, nn.Module):
        raise ValueError(f"{where}: expected an nn.Module; got {type(net).__name__}")
    if next(activation_modules(net), None) is None:
        raise ValueError(
            f"{where}: the network has no learned activation; make each by activation(channels),"
            " the function's first argument, or name what to replace: `replace: [ReLU]`"
        )
    training = net.training
    with torch.no_grad():
        logits = net.eval()(torch.zeros(2, *image_shape))
    net.train(training)
    if not isinstance(logits, Tensor) or tuple(logits.shape) != (2, classes):
        came = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(
            f"{where}: for 2 images of {classes} classes expected an output (2, {classes}); got"
            f" {came}; end the network with so many outputs as its argument `classes` says"
        )


def _check_arguments(
    name: str,
    function: Callable[..., Any],
    first: tuple[object, ...],
    arguments: Mapping[str, object],
) -> None:
    try:
        inspect.signature(function).bind(*first, **arguments)
    except TypeError as error:
        called = ", ".join([*("activation" for _ in first), *(f"{key}=..." for key in arguments)])
        raise ValueError(f"{place_of(name)}: {error}; it is called with ({called})") from None


def _of_torchvision(
    name: str, in_channels: int, classes: int, options: Mapping[str, Any]
) -> nn.Module:
    from torchvision import models  # seconds to import

    if name not in models.list_models(module=models):
        raise ValueError(f"torchvision has no classifier {name!r}; see torchvision.models")
    arguments = {"weights": None, "num_classes": classes, **options}
    net: nn.Module = models.get_model(name, **arguments)
    if in_channels != 3:
        _take_channels(net, in_channels)
    return net


def _take_channels(net: nn.Module, channels: int) -> None:
    """Give the first convolution, made for three colours, so many input channels.

    One channel has the summed weights: as if a grey image were given in all three colours.
    """
    path, old = next((p, m) for p, m in net.named_modules() if isinstance(m, nn.Conv2d))
    new = nn.Conv2d(
        channels,
        old.out_channels,
        old.kernel_size,  # type: ignore[arg-type]
        old.stride,  # type: ignore[arg-type]
        old.padding,  # type: ignore[arg-type]
        bias=old.bias is not None,
    )
    with torch.no_grad():
        if channels == 1:
            new.weight.copy_(old.weight.sum(1, keepdim=True))
        if old.bias is not None:
            new.bias.copy_(old.bias)  # type: ignore[union-attr]
    net.set_submodule(path, new)
