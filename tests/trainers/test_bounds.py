"""Bounds of settings: the dataclasses and pydantic, which reads the same annotations, agree."""

import math
import subprocess
import sys
from dataclasses import dataclass, fields
from typing import Annotated

import pytest
from annotated_types import Ge, MultipleOf
from pydantic import TypeAdapter, ValidationError

from trainers.bounds import Count, check_bounds, check_name, out_of_bounds
from trainers.config import DataConfig, Execution, Recipe

NUMBERS = (-math.inf, -1.0, 0.0, 1e-300, 0.5, 1 - 2**-53, 1.0, 2.0, math.inf, math.nan)
COUNTS = (-1, 0, 1, 2, 10**6)
FRACTIONS = [(x,) for x in NUMBERS] + [(0.5, x) for x in NUMBERS]
PAIRS = [(x, 0.5) for x in NUMBERS] + [(0.5, x) for x in NUMBERS]
VALUES = {
    "Count": COUNTS,
    "Annotated[int, Ge(0)]": COUNTS,
    "Count | None": (None, *COUNTS),
    "Annotated[float, Ge(0), Lt(1)]": NUMBERS,
    "Positive": NUMBERS,
    "NotNegative": NUMBERS,
    "Positive | None": (None, *NUMBERS),
    "tuple[Fraction, ...]": [(), *FRACTIONS],
    "tuple[Beta, Beta]": PAIRS,
}
"""Values to try, by the annotation of the field."""


def refused(make, *arguments, **keywords):
    try:
        make(*arguments, **keywords)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("section", [Recipe, DataConfig, Execution])
def test_the_dataclass_refuses_what_pydantic_refuses(section):
    read = TypeAdapter(section).validate_python
    others = [field.type for field in fields(section) if field.type not in VALUES]
    assert all(kind.startswith(("Literal", "bool", "str", "Path", "Mapping")) for kind in others)
    tried = {True: 0, False: 0}
    for field in fields(section):
        for value in VALUES.get(field.type, ()):
            unsound = refused(section, **{field.name: value})
            assert unsound == refused(read, {field.name: value}), (field.name, value)
            tried[unsound] += 1
    assert min(tried.values()) >= 4


@pytest.mark.parametrize(
    ("section", "setting", "message"),
    [
        (Recipe, {"epochs": 0}, "epochs: expected at least 1; got 0"),
        (Recipe, {"pad": -1}, "pad: expected at least 0; got -1"),
        (
            Recipe,
            {"learning_rate": math.inf},
            "learning_rate: expected a finite number, above 0; got inf",
        ),
        (
            Recipe,
            {"activation_learning_rate": 0.0},
            "activation_learning_rate: expected a finite number, above 0; got 0.0",
        ),
        (
            Recipe,
            {"lambda_sum": -1.0},
            "lambda_sum: expected a finite number, at least 0; got -1.0",
        ),
        (
            Recipe,
            {"drop_at": (0.5, 1.0)},
            "drop_at: expected numbers above 0 and below 1; got (0.5, 1.0)",
        ),
        (
            Recipe,
            {"betas": (0.9, 1.0)},
            "betas: expected numbers at least 0 and below 1; got (0.9, 1.0)",
        ),
        (DataConfig, {"train_images": 0}, "train_images: expected at least 1; got 0"),
        (Execution, {"threads": 0}, "threads: expected at least 1; got 0"),
        (DataConfig, {"name": "svhn"}, "name: expected 'mnist', 'cifar10' or 'digits'; got 'svhn'"),
    ],
)
def test_a_message_names_the_field_the_bounds_and_the_value(section, setting, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared as a whole
        section(**setting)
    assert str(caught.value) == message


def test_pydantics_error_can_be_said_in_the_same_words():
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Recipe).validate_python({"epochs": 0})
    (error,) = caught.value.errors()
    said = out_of_bounds(Recipe, error["loc"][0], error["input"])
    assert said == "epochs: expected at least 1; got 0"


def test_a_bound_that_nobody_checks_is_refused():
    @dataclass
    class Section:
        even: Annotated[int, Ge(0), MultipleOf(2)] = 2

    with pytest.raises(TypeError, match=r"a bound is one of.*got MultipleOf"):
        check_bounds(Section())


def test_fields_without_bounds_take_anything():
    @dataclass
    class Section:
        plain: tuple[float, ...] | None = (math.nan,)
        count: Count = 1

    check_bounds(Section())
    check_bounds(Section(None))


def test_one_known_name():
    check_name("a", {"a": 1})
    with pytest.raises(ValueError, match=r"^name: expected 'a'; got 'b'$"):
        check_name("b", {"a": 1})


def test_bounds_hold_on_a_machine_without_annotated_types():
    code = (
        "import sys; sys.modules['annotated_types'] = None\n"
        "from trainers.config import Recipe\n"
        "Recipe(epochs=2)\n"
        "Recipe(epochs=0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ValueError: epochs: expected at least 1; got 0" in done.stderr
