"""How a panel is laid out."""

import matplotlib
import pytest

from analysis.reporting.drawing import _STYLE, NARROW, WIDE, Drawing


@pytest.mark.parametrize("size", [NARROW, WIDE])
@pytest.mark.parametrize("values", [(0.0, 1.0), (-0.000125, 0.000375), (1e6, 123_456_789.0)])
@pytest.mark.parametrize("labels", [(), ("one",), ("one", "two", "three", "four")])
def test_texts_stay_inside_the_panel_and_the_legend_below_the_axes(size, values, labels) -> None:
    drawing = Drawing("Title", "Learning rate", "Error (%)", size)
    for label in labels:
        drawing.axes.plot(["polyneuron", "polyneuron_r"], values, label=label)
    drawing.axes.plot(["polyneuron", "polyneuron_r"], values)
    drawing.legend()
    drawing.finish("panel", "A panel.")
    with matplotlib.rc_context(_STYLE):  # ticks take their looks when they are first asked for
        room, width, height = drawing.axes.get_tightbbox(), 72 * size[0], 72 * size[1]
    assert room is not None
    assert 0 <= room.x0 < room.x1 <= width
    assert 0 <= room.y0 < room.y1 <= height
    for legend in drawing.figure.legends:
        assert legend.get_window_extent().y0 >= 0
        assert legend.get_window_extent().y1 <= room.y0
