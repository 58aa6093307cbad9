"""Intervals, tests, power and importance: arithmetic on numbers that knows nothing of sweeps."""
