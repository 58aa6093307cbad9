import math

import pytest

from analysis.printed import (
    benchmark_name,
    brief,
    brief_column,
    brief_parameters,
    count,
    duration,
    interval,
    number,
    parameter,
    rate,
    short,
    with_standard_error,
)
from analysis.statistics.intervals import UNKNOWN, Interval


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.123, "0.12 s"),
        (9.94, "9.9 s"),
        (42.4, "42 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.6, "1 h 00 min"),
        (18_420, "5 h 07 min"),
        (86_399.6, "1 d 00 h"),
        (183_600, "2 d 03 h"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_a_duration_has_two_units_and_is_rounded_before_it_is_split(seconds, text):
    assert duration(seconds) == text


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert number(-0.001) == "0.00"
    assert number(-0.01) == "−0.01"
    assert number(math.inf) == number(None) == "–"


def test_an_interval_without_bounds_is_its_estimate():
    assert interval(Interval(1.66, 1.58, 1.74)) == "1.66 (1.58 to 1.74)"
    assert interval(Interval(1.66, math.nan, math.nan)) == "1.66"
    assert interval(UNKNOWN) == "–"


def test_names_that_the_paper_does_not_have_stay_as_they_are_written():
    assert benchmark_name("lenet5/mnist") == "LeNet-5 on MNIST"
    assert benchmark_name("lenet5/digits") == "LeNet-5 on digits"
    assert benchmark_name("mlp/mnist") == "mlp on MNIST"


def test_a_terminal_has_few_columns():
    params = {"activation": "polyneuron_r", "s": 3, "lambda_sum": 1.5e-4, "learning_rate": 0.0012}
    assert brief_parameters(params) == "polyneuron_r s=3 λ_sum=1.5e-4 lr=1.2e-3"
    assert (brief(0.5), brief(0.0), brief(12_345.0)) == ("0.5", "0", "1.2e4")
    assert (with_standard_error(1.664, 0.04), with_standard_error(2, None)) == (
        "1.66 ± 0.04 %",
        "2.00 %",
    )
    assert (rate(0.2, "epochs"), rate(0.001, "trials")) == ("12 epochs/min", "3.6 trials/h")


def test_a_number_in_few_columns_keeps_its_size():
    assert [brief(value) for value in (100.0, 136.7, 1.0, -2.345, 9999.96)] == [
        "100",
        "136.7",
        "1",
        "-2.3",
        "10000",
    ]
    assert (short(100.0), short(136.7), short(1e5), short(0.00012)) == (
        "100",
        "136.7",
        "1e5",
        "0.00012",
    )


def test_a_column_has_as_many_digits_as_tell_its_values_apart():
    assert brief_column([0.011, 0.012, 0.0123]) == ["0.011", "0.012", "0.0123"]
    assert brief_column([1e-3, 1.04e-3]) == ["1.00e-3", "1.04e-3"]
    assert brief_column(["relu", 3, 0.5, 0.5]) == ["relu", "3", "0.5", "0.5"]
    neighbours = [0.1, math.nextafter(0.1, 1.0)]
    assert len(set(brief_column(neighbours))) == 2


def test_parameters_are_short_and_words_stay():
    assert parameter("learning_rate", 0.001) == "learning rate = 0.001"
    assert parameter("lambda_sum", 1e-6) == "λ_sum = 1e−6"
    assert (short("swish"), short(3), short(1234.5), short(math.nan)) == (
        "swish",
        "3",
        "1234.5",
        "–",
    )
    assert (count(1, "run"), count(1200, "run")) == ("1 run", "1,200 runs")
