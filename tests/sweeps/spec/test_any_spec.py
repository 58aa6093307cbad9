"""Any keys, values and text run as a specification, or are refused in plain words."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.spec.editor_schema import FILE, spec_schema
from sweeps.spec.errors import SpecError
from sweeps.spec.overrides import with_settings
from sweeps.spec.reading import bundled_names, load_spec, parse_spec
from sweeps.spec.refusals import SHOWN_ERRORS
from sweeps.spec.search_space import check, trial_count
from sweeps.spec.sections import SweepSpec
from sweeps.spec.yaml_text import parse_yaml

SPECS = FILE.parent
BUNDLED = {name: (SPECS / f"{name}.yaml").read_text("utf-8") for name in bundled_names()}
SEARCHED = """
network: lenet5
data: {name: digits, train_images: 500}
recipe: {epochs: 2, betas: [0.9, 0.99]}
activation: [polyneuron_r, apl]
space: {s: {choice: [3, 5]}, k: 3, lambda_sum: {log: [1e-4, 1e-1]}, apl.s: {int: [2, 6]}}
seeds: [0, 1]
search: {algorithm: tpe, trials: 4, seed: 1}
early_stopping: {rule: asha, grace_epochs: 1}
objective: {plus_standard_errors: 1}
budget: {wall_hours: 2.5}
resources: {cpus: 1, gpus: 0.5}
concurrency: 2
"""
OTHER_WORDS = """
epochs betas name trials algorithm rule cpus options s k apl.s init learning_rate log int grid
choice uniform fixed kind values polyneuron_r relu mnist digits tpe none asha confirmatory nam
space.s 1e-4 yes ~
"""
WORDS = (*SweepSpec.model_fields, *OTHER_WORDS.split())
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=6),
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    ),
    max_leaves=6,
)
PLAUSIBLE = st.one_of(
    st.integers(1, 9),
    st.floats(1e-4, 1),
    st.booleans(),
    st.sampled_from(WORDS),
    st.builds(lambda: [0, 1]),
)
TEXTS = (SEARCHED, *BUNDLED.values())
SOUND = [parse_yaml(text, "any") for text in TEXTS]
INVENTED = st.dictionaries(st.sampled_from(WORDS), ANYTHING, max_size=6)


@st.composite
def mutated(draw: st.DrawFn) -> dict:
    """Change, add or remove an entry or two of a sound specification."""
    raw = copy.deepcopy(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 2))):
        section, places = raw, list(raw)
        while inner := [key for key in places if isinstance(section[key], dict | list)]:
            if draw(st.integers(0, 2)) == 0:
                break
            section = section[draw(st.sampled_from(inner))]
            places = list(section) if isinstance(section, dict) else list(range(len(section)))
        if isinstance(section, dict):
            key = draw(st.sampled_from(places if places and draw(st.integers(0, 3)) else WORDS))
            if key in section and draw(st.booleans()):
                del section[key]
            else:
                section[key] = draw(st.one_of(PLAUSIBLE, PLAUSIBLE, ANYTHING))
        elif places:
            section[draw(st.sampled_from(places))] = draw(st.one_of(PLAUSIBLE, PLAUSIBLE, ANYTHING))
    return raw


@st.composite
def garbled(draw: st.DrawFn) -> str:
    """Cut something out of the text of a sound specification, or write into it."""
    text = draw(st.sampled_from(TEXTS))
    start = draw(st.integers(0, len(text)))
    end = start + draw(st.integers(0, 12))
    return text[:start] + draw(st.one_of(st.just(""), st.text(max_size=4))) + text[end:]


PLACES = st.one_of(
    st.sampled_from(["recipe.epochs", "search.trials", "seeds", "space.k", "space.s.choice"]),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(".".join),
)
SETTINGS = st.one_of(
    st.tuples(PLACES, st.one_of(PLAUSIBLE, ANYTHING).map(json.dumps)).map("=".join),
    st.text(max_size=8),
)
VALIDATOR = jsonschema.Draft202012Validator(spec_schema())


def outcome(read: Callable[[], SweepSpec]) -> SweepSpec | None:
    """Read and check a specification; None where it is refused, a line each fault."""
    refusal = None
    try:
        spec = read()
        check(spec)
    except SpecError as error:
        refusal = str(error)
    if refusal is not None:
        assert refusal.strip()
        # All faults are named at once; that a single fault takes two lines, test_reading.py holds.
        lines = refusal.splitlines()
        assert len(lines) <= SHOWN_ERRORS
        assert len(set(lines)) == len(lines)
        return None
    assert trial_count(spec) >= 1
    assert parse_spec(spec.model_dump(mode="json")) == spec
    return spec


def test_any_keys_and_values_run_or_are_refused_in_a_line_each_fault() -> None:
    runs: list[bool] = []

    @settings(max_examples=1500, database=None, deadline=None, derandomize=True)
    @given(st.one_of(mutated(), mutated(), INVENTED), st.one_of(st.none(), st.none(), SETTINGS))
    def look(raw: dict, override: str | None) -> None:
        overrides = [] if override is None else [override]
        spec = outcome(lambda: parse_spec({"name": "any", **with_settings(raw, overrides)}))
        runs.append(spec is not None)
        if spec is not None and not overrides:
            errors = list(VALIDATOR.iter_errors(raw))
            assert not errors, f"the schema refuses what runs: {errors[0].json_path}"

    look()
    # Without many of either kind, all this would show little.
    assert 100 < sum(runs) < len(runs) - 100


def test_any_text_runs_or_is_refused_in_a_line_each_fault(tmp_path: Path) -> None:
    file = tmp_path / "any.yaml"

    @settings(max_examples=500, database=None, deadline=None, derandomize=True)
    @given(st.one_of(garbled(), st.text(max_size=60)))
    def look(text: str) -> None:
        file.write_text(text, "utf-8", errors="replace")
        outcome(lambda: load_spec(str(file)))

    look()


def test_sections_without_end_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "deep.yaml"
    file.write_text("space: " + "[" * 5000)
    assert outcome(lambda: load_spec(str(file))) is None


def test_the_schema_that_ships_is_the_one_of_the_code() -> None:
    assert json.loads(FILE.read_text("utf-8")) == spec_schema(), (
        "python -m sweeps.spec.editor_schema writes it anew"
    )


@pytest.mark.parametrize("name", BUNDLED)
def test_the_schema_accepts_the_bundled_specifications(name: str) -> None:
    VALIDATOR.validate(parse_yaml(BUNDLED[name], name))
    VALIDATOR.validate(load_spec(name).model_dump(mode="json"))


REFUSED = {
    "unknown key": ("nam", 1),
    "unknown key in a section": ("recipe/epoch", 3),
    "text for a number": ("recipe/epochs", "3"),
    "true for a number": ("recipe/epochs", True),
    "no epochs": ("recipe/epochs", 0),
    "no such network": ("network", "lenet"),
    "no such activation": ("activation", ["polyneuron_q"]),
    "no such parameter": ("space/learning_rat", 1e-3),
    "no such option": ("space/apl.q", 3),
    "s below 2": ("space/s", {"choice": [1, 3]}),
    "floats for int": ("space/k", {"int": [1.5, 3]}),
    "three ends": ("space/learning_rate", {"log": [1e-4, 1e-3, 1e-2]}),
    "log from 0": ("space/lambda_sum", {"log": [0, 1]}),
    "negative rate": ("space/learning_rate", -1e-3),
    "no such flip": ("space/flip", {"choice": ["left_right", "diagonal"]}),
    "value twice": ("space/s", {"choice": [3, 3]}),
    "empty choice": ("space/s", {"choice": []}),
    "no seeds": ("seeds", 0),
    "seed twice": ("seeds", [1, 1]),
    "no such search": ("search/algorithm", "tep"),
    "no such rule": ("early_stopping", "successive"),
    "no trials": ("search", "tpe"),
    "trials of a grid": ("search", {"algorithm": "grid", "trials": 3}),
    "a grid over ranges": ("search", "grid"),
    "a confirmatory search": ("purpose", "confirmatory"),
    "a timed search": ("purpose", "timing"),
    "no cpus": ("resources/cpus", 0),
    "a beta of 1": ("recipe/betas", [0.9, 1.0]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_the_schema_refuses_what_the_parser_refuses(case: str) -> None:
    path, value = REFUSED[case]
    raw = parse_yaml(SEARCHED, "any")
    VALIDATOR.validate(raw)
    *sections, key = path.split("/")
    section = raw
    for name in sections:
        section = section[name]
    section[key] = value
    assert outcome(lambda: parse_spec({"name": "any", **raw})) is None
    assert not VALIDATOR.is_valid(raw)
