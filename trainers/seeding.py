"""Random streams of a run, each derived from (seed, purpose): no stream shifts another.

An epoch's streams are derived from the epoch too, so a resumed run needs no stored generator.
"""

from __future__ import annotations

import hashlib

import torch


def stream(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """Return a fresh CPU generator for this seed, purpose and epoch alone.

    Purposes in use: `weights`, `activation`, `order`, `crop`, `flip`, `split`.
    """
    # A hash: streams of neighbouring seeds and epochs have nothing in common.
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))
