"""The load of other processes, which a timing sweep notes beside each time."""

from __future__ import annotations

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")
BUSY = (1, 2, 3, 6, 7, 8)
"""Fields of a core's line: user, nice, system, irq, softirq and steal. Steal is the load of other
virtual machines."""


class OtherLoad:
    """Processor time of other processes, on the cores that this process may use, from now on."""

    def __init__(self) -> None:
        self._begun = _look()

    def cores(self) -> float | None:
        """Return the mean number of cores that others kept busy; None where no system tells."""
        now = _look()
        if now is None or self._begun is None:
            return None
        seconds, busy, own = (
            after - before for after, before in zip(now, self._begun, strict=True)
        )
        return max(0.0, (busy - own) / seconds) if seconds > 0 else None


def _look() -> tuple[float, float, float] | None:
    """Return seconds by the clock, of the cores' work and of this process's."""
    try:
        lines = STAT.read_text().splitlines()
    except OSError:
        return None
    mine = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    fields = [line.split() for line in lines if line.split(maxsplit=1)[0] in mine]
    ticks = sum(int(one[index]) for one in fields for index in BUSY)
    return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time()
