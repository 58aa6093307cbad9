import string

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweeps.spec.errors import SpecError
from sweeps.spec.reading import MAX_BYTES, load_spec
from sweeps.spec.yaml_text import MAX_VALUES, parse_value, parse_yaml

CORE_SCHEMA = {
    "010": 10,
    "0o17": 15,
    "0x1F": 31,
    "+3": 3,
    "-0": 0,
    "1e-4": 1e-4,
    "1.": 1.0,
    ".5": 0.5,
    "-.inf": -float("inf"),
    "true": True,
    "FALSE": False,
    "~": None,
    "": None,
    # Text in YAML 1.2, and 90, false, a day, 1000 and 1 in YAML 1.1.
    "1:30": "1:30",
    "no": "no",
    "2001-01-01": "2001-01-01",
    "1_000": "1_000",
    "0b1": "0b1",
}


@pytest.mark.parametrize("text", CORE_SCHEMA)
def test_a_scalar_is_what_the_core_schema_says(text: str) -> None:
    value = parse_value(text, "mine.yaml")
    assert value == CORE_SCHEMA[text]
    assert type(value) is type(CORE_SCHEMA[text])


def test_a_mapping_can_be_merged_and_its_keys_overridden() -> None:
    text = "base: &base {x: 1, y: 2}\none: {<<: *base, x: 64}\ntwo: {<<: [*base, {z: 3}], y: 5}"
    read = parse_yaml(text, "mine.yaml")
    assert read["one"] == {"x": 64, "y": 2}
    assert read["two"] == {"x": 1, "y": 5, "z": 3}


def test_a_key_given_twice_beside_a_merge_is_still_an_error() -> None:
    with pytest.raises(SpecError, match="line 2: the key 'x' is given twice"):
        parse_yaml("base: &base {x: 1}\none: {<<: *base, x: 2, x: 3}", "mine.yaml")


def test_aliases_count_as_often_as_they_are_used() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for last, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{last}'] * 9)}]")
    with pytest.raises(SpecError, match=f"more than {MAX_VALUES:,} values"):
        parse_yaml("\n".join(lines), "mine.yaml")


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: *a}", "a: " + "[" * 3000])
def test_sections_without_end_are_refused(text: str) -> None:
    with pytest.raises(SpecError, match="sections within sections without end"):
        parse_yaml(text, "mine.yaml")


@pytest.mark.parametrize("device", ["/dev/full", "/dev/zero"])
def test_a_file_without_end_is_refused(device: str) -> None:
    with pytest.raises(SpecError, match=f"longer than {MAX_BYTES:,} bytes"):
        load_spec(device)


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False)
        | st.text(string.printable, max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(string.ascii_letters, min_size=1), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_what_another_program_wrote_reads_back(value: object) -> None:
    # PyYAML quotes what YAML 1.1 takes for something else than text, and 1.2 takes for less.
    assert parse_value(yaml.safe_dump(value), "mine.yaml") == value
