"""The count of training steps, by which another thread sees whether this process goes on."""

from dataclasses import dataclass


@dataclass
class Pulse:
    """Steps that this process has taken since it started, over all runs."""

    steps: int = 0


PULSE = Pulse()
