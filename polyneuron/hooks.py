"""Hooks of modules: modules that have some are called, not computed together with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

if TYPE_CHECKING:
    from jaxtyping import Float


def has_hooks(module: nn.Module) -> bool:
    """True if something runs when the module is called or its gradients pass."""
    return bool(module._forward_pre_hooks) or _has_others(module)


def is_watched(module: nn.Module) -> bool:
    """True if hooks look at the module's input, and at nothing else: see `watched_input`."""
    hooks = module._forward_pre_hooks
    # A hook that takes keyword arguments may change them.
    return bool(hooks) and not _has_others(module) and not module._forward_pre_hooks_with_kwargs


def watched_input(module: nn.Module, x: Float[Tensor, "*x"]) -> Float[Tensor, "*y"]:
    """Run the hooks on a module's input, and return what they make of it: mostly x itself."""
    for hook in list(module._forward_pre_hooks.values()):
        found = hook(module, (x,))
        if found is not None:
            (x,) = found if isinstance(found, tuple) else (found,)
    return x


def _has_others(module: nn.Module) -> bool:
    hooks = (module._forward_hooks, module._backward_hooks, module._backward_pre_hooks)
    return any(hooks)
