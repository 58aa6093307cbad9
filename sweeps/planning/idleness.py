"""How much of the machine's processors is free: measured by using them for a moment."""

from __future__ import annotations

import subprocess
import sys

PROBE_SECONDS = 0.4
MOST_CORES = 16
"""So many processes show how busy a larger machine is, too."""

_SPIN = f"""
import time
end = time.monotonic() + {PROBE_SECONDS}
begun = time.process_time()
while time.monotonic() < end:
    pass
print(time.process_time() - begun)
"""


def free_share(cores: int) -> float:
    """Return the share of so many cores that a new program gets: 1 on an idle machine.

    Also less than 1 in a container that may use fewer cores than it sees.
    """
    cores = min(cores, MOST_CORES)
    # -S -E: neither packages nor the user's settings, so that all begin at nearly the same time
    command = [sys.executable, "-S", "-E", "-c", _SPIN]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(cores)]
    got = [float(one.communicate()[0] or 0.0) for one in running]
    return min(1.0, sum(got) / (cores * PROBE_SECONDS))
