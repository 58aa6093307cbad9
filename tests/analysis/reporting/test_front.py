"""The report's section on the front of several objectives."""

import io
from pathlib import Path

import pandas as pd
import weighed_sweep

from analysis.reporting.figures import front
from analysis.reporting.model import Paragraph, PrintedFigure, PrintedTable
from analysis.reporting.sections.front import front_sections
from analysis.store.metric import Metric

TRIALS = [
    [(1.0, {"cost": 100.0}), (3.0, {"cost": 100.0})],
    [(4.0, {"cost": 5.0}), (4.0, {"cost": 5.0})],
    [(4.5, {"cost": 6.0}), (4.5, {"cost": 6.0})],
]


def test_the_section_has_a_sentence_a_table_of_the_front_and_a_figure_of_all(
    tmp_path: Path,
) -> None:
    results = weighed_sweep.store(tmp_path, TRIALS, {"cost": "min"})
    (section,) = front_sections(results, "weighed")
    sentence, table, figure = section.blocks
    assert isinstance(sentence, Paragraph)
    assert isinstance(table, PrintedTable)
    assert sentence.text.startswith("2 of 3 completed trials are on the Pareto front: no other")
    assert table.columns == ("Trial", "score", "cost", "Seeds", "size")
    assert table.rows == (("0", "2.0 ± 1.0", "100", "2", "0"), ("1", "4", "5", "2", "1"))
    assert isinstance(figure, PrintedFigure)
    assert len(figure.panels) == 1
    assert pd.read_csv(io.StringIO(figure.data))["trial"].tolist() == [0, 1, 2]


def test_each_further_objective_has_a_panel_that_says_which_end_is_better(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "trial": [0, 1],
            "score": [1.0, 2.0],
            "score_standard_error": [0.1, float("nan")],
            "cost": [5.0, 3.0],
            "cost_standard_error": 0.0,
            "speed": [1.0, 2.0],
            "speed_standard_error": 0.0,
            "on_front": [True, True],
        }
    )
    figure = front("f", frame, [Metric("score"), Metric("cost"), Metric("speed", largest=True)])
    assert [panel.name for panel in figure.panels] == ["f-cost", "f-speed"]
    assert "speed (larger is better)" in figure.panels[1].svg
    assert "score against cost of 2 trials; on the front: 1, 0." in figure.panels[0].alt


def test_a_sweep_of_one_objective_has_no_section(tmp_path: Path) -> None:
    results = weighed_sweep.store(tmp_path, TRIALS, {"cost": "min"}, also_json=None)
    assert front_sections(results, "weighed") == []
