"""Intervals, tests, power: arithmetic on arrays that knows nothing of sweeps."""
