import numpy as np
import pytest
from planted_shapes import START_V, START_W, START_X, add_functions, solved
from synthetic_store import SyntheticSweep, configuration
from worlds import MemoryResults

from analysis.measures.shapes import measure


def world(end_x=START_X, end_w=START_W, curves=None, activation="polyneuron_r", drop_at=(0.5,)):
    sweep = SyntheticSweep("demo")
    config = configuration(activation=activation, drop_at=list(drop_at))
    run = sweep.add_run(config, 0, np.linspace(9, 2, 30), history=False)
    way = np.linspace(0.1, 1, 21)
    for epoch, done in (curves or {0: 0.0, 30: 1.0}).items():
        last = epoch == 30
        c_x, w = (end_x, end_w) if last else (START_X, START_W)
        add_functions(sweep, run, epoch, c_x, w, START_V, way * done)
    return MemoryResults([sweep])


def only(results, name):
    (value,) = measure(results, results.runs, name)
    return value


def test_shift_is_the_mean_distance_of_the_points():
    assert only(world(end_x=START_X + np.array([0.1, -0.2, 0.3])), "shift") == pytest.approx(
        0.2, abs=1e-6
    )


def test_log_span_is_the_shrinkage_of_the_outermost_points():
    assert only(world(end_x=START_X * 0.5), "log_span") == pytest.approx(np.log(0.5), abs=1e-6)


def test_early_share_counts_what_a_quarter_of_the_epochs_closed():
    results = world(curves={0: 0.0, 3: 0.4, 7: 0.6, 8: 0.9, 15: 0.8, 30: 1.0})
    assert only(results, "early_share") == pytest.approx(0.6, abs=1e-6), "8 is beyond 30 / 4"
    # before the drop, after 15 epochs at 0.8, a quarter is 3.75 epochs
    assert only(results, "early_share_before_drop") == pytest.approx(0.4 / 0.8, abs=1e-6)


def test_the_path_is_measured_in_steps_of_equal_length():
    """Steps of 0.5, 0.2, 0 and 0.3 at 7, 15, 22 and 30 epochs; the wiggle at 3 does not count."""
    results = world(curves={0: 0.0, 3: 0.9, 7: 0.5, 15: 0.7, 22: 0.7, 30: 1.0})
    assert only(results, "early_path") == pytest.approx(0.5, abs=1e-6)


def test_points_that_move_in_x_alone_move_further_than_they_rise():
    results = world(end_x=START_X + 0.1)
    assert only(results, "shift_beyond_rise") == pytest.approx(0.1, abs=1e-6)


def test_a_curve_that_comes_back_has_no_way_to_share():
    results = world(curves={0: 1.0, 7: 0.5, 30: 1.0})
    assert np.isnan(only(results, "early_share"))


def test_splines_have_straight_tails_and_relaxed_ones_bend():
    w, _ = solved(START_X, np.array([0.0, 0.0, 1.0]))
    # float32 coefficients: cancellation among cubes of up to 5
    assert only(world(end_w=w, activation="polyneuron"), "tail_bend") < 1e-5
    bent = only(world(end_w=START_W + np.array([0, 0, 0.1])), "tail_bend")
    assert bent > 0.5


def test_steep_tails_of_close_points_correlate():
    sweep = SyntheticSweep("demo")
    options = {"s": 3, "k": 3, "init": "random"}
    run = sweep.add_run(configuration(activation="polyneuron", options=options), 0, np.ones(30))
    for layer, gap in enumerate((1.0, 0.3, 0.1, 0.03)):
        c_x = np.array([-1.0, 0.0, gap])
        w, v = solved(c_x, np.array([0.0, 0.0, 1.0]))
        add_functions(sweep, run, 0, c_x, w, v, layer=f"act{layer}")
    results = MemoryResults([sweep])
    assert only(results, "gap_correlation") > 0.6


def test_runs_without_snapshots_are_nan_and_other_names_are_no_measure():
    sweep = SyntheticSweep("demo")
    sweep.add_run(configuration(), 0, np.ones(30))
    results = MemoryResults([sweep])
    assert np.isnan(only(results, "shift"))
    assert measure(results, results.runs, "val_loss") is None
