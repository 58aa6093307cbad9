import numpy as np
import pytest
from synthetic_store import SyntheticSweep, configuration
from worlds import MemoryResults

import analysis
from analysis.measures.trials import MOST_URGENT_FIRST
from analysis.measures.values import OUTCOMES
from analysis.paper.words import Word
from analysis.printed import MISSING, UNTRAINED
from analysis.reporting.figures.maps import error_map
from analysis.reporting.marks import STATUS_MARKS, VERDICT_MARKS, yes_or_no
from analysis.reporting.rendering import latex
from analysis.reporting.sections import document_of
from analysis.store.statuses import Status


def test_every_status_has_an_outcome_an_urgency_and_a_mark():
    assert set(OUTCOMES) == set(MOST_URGENT_FIRST) == set(STATUS_MARKS) == set(Status)
    assert set(VERDICT_MARKS) == set(Word)


@pytest.mark.parametrize(
    "text",
    [*STATUS_MARKS.values(), *VERDICT_MARKS.values(), yes_or_no(True), yes_or_no(False), MISSING],
)
def test_every_sign_has_its_latex(text):
    assert latex(text).isascii()


def test_a_configuration_whose_runs_all_diverged_says_so_in_tables_and_figures():
    sweep = SyntheticSweep("one", seeds=3)
    for activation in ("relu", "polyneuron_r"):
        status = "completed" if activation == "relu" else "diverged"
        for seed in range(3):
            config = configuration(activation=activation)
            sweep.add_run(config, seed, np.array([2.0 + seed]), status=status)
    document = document_of(MemoryResults([sweep]))
    every = [block for section in document.sections for block in section.blocks]
    blocks = {block.name: block for block in every if hasattr(block, "name")}
    rows = {row[0]: row[1] for row in blocks["table1"].rows}
    assert rows["PolyNeuron-R"].startswith(UNTRAINED)
    detail = {row[1]: row[3] for row in blocks["table1-detail"].rows}
    assert detail["PolyNeuron-R"] == UNTRAINED
    assert UNTRAINED in blocks["one-seeds"].panels[0].svg
    assert UNTRAINED not in rows["ReLU"]


def test_a_tile_whose_runs_all_diverged_says_so():
    sweep = SyntheticSweep("one", seeds=3)
    for k in (3, 4):
        for seed in range(3):
            status = "completed" if k == 3 else "diverged"
            config = configuration(options={"s": 3, "k": k})
            sweep.add_run(config, seed, np.array([2.0 + seed]), status=status)
    frame = analysis.surface(MemoryResults([sweep]))
    (panel,) = error_map("map", frame, "s", "k").panels
    assert "be trained" in panel.svg
    assert "✕ 3/3" in panel.svg
