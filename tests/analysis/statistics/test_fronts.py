"""Pareto fronts against their definition."""

from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.fronts import beats, undominated

POINTS = st.integers(1, 4).flatmap(
    lambda size: st.lists(st.lists(st.integers(0, 5), min_size=size, max_size=size), max_size=30)
)


@given(POINTS)
def test_a_front_is_what_no_other_point_beats(points: list[list[int]]) -> None:
    expected = [
        place
        for place, point in enumerate(points)
        if not any(
            all(a <= b for a, b in zip(other, point, strict=True)) and other != point
            for other in points
        )
    ]
    assert undominated(points) == expected


@given(POINTS)
def test_every_point_off_the_front_is_beaten_by_one_on_it(points: list[list[int]]) -> None:
    front = undominated(points)
    for place in set(range(len(points))) - set(front):
        assert any(beats(points[best], points[place]) for best in front)
