"""Intervals, tests and power: arithmetic on arrays of numbers that knows nothing of sweeps."""
