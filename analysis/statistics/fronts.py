"""Pareto fronts: the points that no other point beats in every coordinate."""

from __future__ import annotations

from collections.abc import Sequence

Point = Sequence[float]
"""Badness of one thing by each objective: the smaller, the better."""


def beats(one: Point, other: Point) -> bool:
    """Return True if a point is nowhere worse than another one, and somewhere better."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def undominated(points: Sequence[Point]) -> list[int]:
    """Return the places of the points that no other one beats; equal points do not beat each other.

    Args:
        points: of one length each, without NaN.
    """
    front: list[int] = []
    # Whatever beats a point comes before it in this order, and so does a point of the front that
    # beats that one in turn.
    for place in sorted(range(len(points)), key=lambda at: tuple(points[at])):
        if not any(beats(points[known], points[place]) for known in front):
            front.append(place)
    return sorted(front)
