"""The generated reference says something of every key, option, command and column."""

import importlib
import sys
from pathlib import Path

import pytest
import yaml

from analysis.schema import TABLES
from polyneuron import activation_names
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import check

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
reference = importlib.import_module("reference_pages")

KEYS = {key.name: key for key in reference.specification_keys()}
EXAMPLES = yaml.safe_load(reference.EXAMPLES.read_text("utf-8"))


def test_every_key_has_an_example_and_no_example_is_of_no_key() -> None:
    assert set(EXAMPLES) == set(KEYS)


@pytest.mark.parametrize("name", KEYS)
def test_every_key_has_a_meaning_and_a_type(name: str) -> None:
    assert KEYS[name].meaning
    assert KEYS[name].type


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_key_is_read(name: str) -> None:
    written = yaml.safe_load(reference.example_text(name, EXAMPLES[name]))
    search = written.pop("search", {})
    search = {"algorithm": search} if isinstance(search, str) else search
    counted = name == "budget.trials" or search.get("algorithm") == "grid"
    trials = {} if counted else {"trials": 2}
    own = DOCS / "examples" / "own_function"  # modules that the examples name
    check(parse_spec({"name": "example", **written, "search": {**trials, **search}}, own))


@pytest.mark.parametrize("name", activation_names())
def test_every_option_of_an_activation_has_a_meaning(name: str) -> None:
    assert [option for option, _, meaning in reference.options_of(name) if not meaning] == []


@pytest.mark.parametrize("name", [name for name, _ in reference.commands()])
def test_every_command_argument_and_option_has_a_text(name: str) -> None:
    command = dict(reference.commands())[name]
    assert command.help
    assert [shown for shown, meaning in reference.parameters_of(command) if not meaning] == []


@pytest.mark.parametrize("name", TABLES)
def test_every_table_and_column_has_a_text_and_a_type(name: str) -> None:
    assert TABLES[name].about
    page = reference.tables_page()
    for field in TABLES[name].schema:
        assert len(field.metadata[b"description"]) > 0
        assert f"| `{field.name}` | `{field.type}` |" in page


def test_every_public_name_has_a_docstring() -> None:
    for module in (importlib.import_module("polyneuron"), importlib.import_module("analysis")):
        for name in module.__all__:
            assert (getattr(module, name).__doc__ or "").strip(), name
