"""Random streams of a run, each derived from (seed, purpose): no stream shifts another.

An epoch's streams are derived from the epoch too, so a resumed run needs no stored generator.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import torch


def stream(seed: int, purpose: str, epoch: int = 0) -> torch.Generator:
    """Return a fresh CPU generator for this seed, purpose and epoch alone.

    Purposes in use: `weights`, `activation`, `order`, `crop`, `flip`, `split`, `network`.
    """
    # A hash: streams of neighbouring seeds and epochs have nothing in common.
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little", signed=True))


@contextlib.contextmanager
def global_stream(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Give torch's global generators, from which dropout draws, a stream of this epoch's own."""
    start = stream(seed, "network", epoch).initial_seed()
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.default_generator.manual_seed(start)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(start)
        yield
