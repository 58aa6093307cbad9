"""The examples in docstrings are run."""

import ast
import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import polyneuron

ROOT = Path(polyneuron.__file__).parent


def examples() -> Iterator[doctest.DocTest]:
    """Read from the source: doctest itself passes over functions that are wrapped for a check."""
    for file in sorted(ROOT.rglob("*.py")):
        text = file.read_text("utf-8")
        if ">>>" not in text:
            continue
        parts = file.relative_to(ROOT.parent).with_suffix("").parts
        module = ".".join(part for part in parts if part != "__init__")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                names = vars(importlib.import_module(module))
                name = f"{module}.{getattr(node, 'name', '')}".rstrip(".")
                doc = ast.get_docstring(node) or ""
                found = doctest.DocTestParser().get_doctest(doc, names, name, str(file), None)
                if found.examples:
                    yield found


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example(example: doctest.DocTest) -> None:
    runner = doctest.DocTestRunner()
    report: list[str] = []
    failed = runner.run(example, out=report.append, clear_globs=False).failed
    assert failed == 0, "".join(report)


def test_examples_are_found() -> None:
    names = {example.name for example in EXAMPLES}
    assert {"polyneuron", "polyneuron.system.solve_coefficients"} <= names
