"""Hooks of modules: modules that have some are called, not computed together with others."""

from torch import nn


def has_hooks(module: nn.Module) -> bool:
    """True if something runs when the module is called or its gradients pass."""
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )
    return any(hooks)
