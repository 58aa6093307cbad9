"""Times of rivals in one process, in alternation: what disturbs one disturbs the other."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable


def alternate(
    rivals: dict[str, Callable[[], object]],
    seconds: float = 2.0,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Return each rival's least milliseconds over as many turns as the seconds hold.

    At least 15 turns, after two of warming up. The least is what the machine can do; the median is
    what else it was doing. For work of one thread `time.thread_time` is the steadier clock: it
    stops while others have the core.
    """
    for rival in rivals.values():
        rival()
        rival()
    best = dict.fromkeys(rivals, float("inf"))
    gc.collect()
    gc.disable()
    try:
        turns, deadline = 0, time.perf_counter() + seconds
        while turns < 15 or time.perf_counter() < deadline:
            for name, rival in rivals.items():
                started = clock()
                rival()
                best[name] = min(best[name], 1e3 * (clock() - started))
            turns += 1
    finally:
        gc.enable()
    return best
