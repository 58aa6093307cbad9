"""Runs of other code, other data or a hidden setting are neither averaged nor compared."""

import numpy as np
import pytest
from synthetic_store import SyntheticSweep, configuration
from worlds import MemoryResults

import analysis
from analysis.measures.apart import apart
from analysis.measures.values import values
from analysis.reporting.sections.sweep import cost_sections


def grid(name, shift=0.0, spread=0.1, columns=(), **recipe):
    sweep = SyntheticSweep(name, seeds=4)
    rng = np.random.default_rng(1)
    for k in (3, 4):
        config = configuration(options={"s": 3, "k": k}, **recipe)
        for seed in range(4):
            sweep.add_run(config, seed, np.array([2 + shift + rng.normal(0, spread)]))
    for row in sweep.rows["runs"]:
        row |= dict(columns)
    return sweep


@pytest.mark.parametrize(
    ("columns", "recipe", "named"),
    [
        ({"code_version": "0.2.0"}, {}, "code 0.2.0"),
        ({"data_sha256": "e" * 64}, {}, f"data {'e' * 12}"),
        ({}, {"epsilon": 1e-7}, "recipe.epsilon = 1e-07"),
    ],
    ids=["code", "data", "key"],
)
def test_two_points_between_sources_widen_no_interval(columns, recipe, named):
    here = {"code_version": "0.1.0"}
    alone = MemoryResults([grid("one", columns=here)])
    both = MemoryResults(
        [grid("one", columns=here), grid("two", shift=2.0, columns={**here, **columns}, **recipe)]
    )
    for of in (analysis.surface, lambda results: analysis.compare(results, by="k")):
        once, twice = of(alone), of(both)
        assert (once["apart"] == "").all()
        assert len(twice) == 2 * len(once)
        assert twice["apart"].nunique() == 2
        assert any(named in text for text in twice["apart"])
        widths = [frame["high"] - frame["low"] for frame in (once, twice)]
        assert widths[1].max() == pytest.approx(widths[0].max())
    assert set(analysis.surface(both)["n"]) == {4}


def test_a_key_of_one_activation_sets_no_other_apart():
    sweep = SyntheticSweep("one", seeds=2)
    for name, options in {"relu": {}, "swish": {"beta": 1.0}}.items():
        for seed in range(2):
            config = configuration(activation=name, options=options)
            sweep.add_run(config, seed, np.array([2.0 + seed]))
    assert (apart(values(MemoryResults([sweep]))) == "").all()
    (row,) = analysis.compare(MemoryResults([sweep]), by="activation").to_dict("records")
    assert (row["n"], row["reference_n"]) == (2, 2)


def test_the_cost_of_another_code_is_another_mark():
    results = MemoryResults(
        [grid("one", columns={"code_version": "0.1.0"}), grid("two", columns={"code_version": "2"})]
    )
    (section,) = cost_sections(results)
    lines = section.blocks[0].data.splitlines()
    assert len(lines) == 1 + 4
    assert sum("code 0.1.0" in line for line in lines) == 2
