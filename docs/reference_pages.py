"""The generated parts of the reference: Markdown from the code that they describe.

`conf.py` writes them to `reference/generated` before each build. A key, option, command or column
without a description makes an empty text here, which `tests/docs` refuses.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import yaml

import analysis
import polyneuron
from analysis.paper.claims import paper
from analysis.schema import TABLES
from polyneuron import activation_class, activation_names, activation_options
from sweeps.commands.cli import app
from sweeps.spec.editor_schema import spec_schema
from sweeps.spec.reading import bundled_names, load_spec
from sweeps.spec.search_space import trial_count

HERE = Path(__file__).parent
EXAMPLES = HERE / "reference" / "examples.yaml"
FREE_OBJECTS = ("space", "activation.options")
"""Sections whose keys are parameters and options, which the page of activations lists."""
FILLED_IN = ("network.code", "data.code", "data.folder", "trainer.code")
"""Keys that a program writes into a specification when it reads one."""


@dataclass(frozen=True)
class Key:
    """A key of a specification: its dotted name, type, default and meaning, in Markdown."""

    name: str
    type: str
    default: str
    meaning: str


def write_all(folder: Path) -> None:
    """Write every generated part; a file that is already so keeps its time of change."""
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        file = folder / f"{name}.md"
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """Return the generated parts by name."""
    return {
        "specification": specification_page(),
        "bundled": bundled_page(),
        "activations": activations_page(),
        "commands": commands_page(),
        "tables": tables_page(),
        "claims": claims_page(),
        "python_polyneuron": python_page(polyneuron),
        "python_analysis": python_page(analysis),
    }


def specification_keys() -> Iterator[Key]:
    """Yield every key of a specification, sections before their keys."""
    schema = spec_schema()
    for name, field in schema["properties"].items():
        yield _key(name, field, schema)
        section = _section(field, schema)
        for inner, value in section.get("properties", {}).items() if name != "space" else ():
            if f"{name}.{inner}" not in FILLED_IN:
                yield _key(f"{name}.{inner}", value, schema)


NOT_OURS = {"network": "torchvision:mobilenet_v3_small", "data": "folder:images"}
"""What stands beside the options that only such networks and data have."""


SCOPES = {"scope": {"grid": ["layer", "channel"]}}
TRAINER = {"name": "train_mine:train"}
OBJECTIVE = {"metric": "accuracy"}
OF_TRAINERS = (
    *("trainer", "trainer.name", "trainer.steps", "objective.direction", "objective.at"),
)
"""Keys of training functions of one's own alone, whose examples name one."""


def specification_page() -> str:
    """Describe every key of a specification, with an example."""
    examples: Mapping[str, Any] = yaml.safe_load(EXAMPLES.read_text("utf-8"))
    parts = []
    for key in specification_keys():
        level = "###" if "." in key.name else "##"
        default = f" · default: {key.default}" if key.default else ""
        parts.append(
            f"({_anchor(key.name)})=\n{level} `{key.name}`\n\n*{key.type}*{default}\n\n"
            f"{key.meaning}\n\n```yaml\n{example_text(key.name, examples.get(key.name))}```\n"
        )
    return "\n".join(parts)


def example_text(name: str, value: object) -> str:
    """Write the example of a key as lines of a specification."""
    nested: Any = value
    for part in reversed(name.split(".")):
        nested = {part: nested}
    if name in OF_TRAINERS:
        named = nested.get("trainer", {})
        named = {"name": named} if isinstance(named, str) else {**TRAINER, **named}
        nested = {"trainer": named, "objective": {**OBJECTIVE, **nested.get("objective", {})}}
    if name == "hypotheses":
        nested = {"purpose": "confirmatory", "space": SCOPES, "search": "grid", **nested}
    if name == "search.enqueue":
        nested = {"space": {"learning_rate": {"log": [0.0003, 0.01]}}, **nested}
    for section, named in NOT_OURS.items():
        if name.partition(".")[0] == section and name.endswith((".options", ".replace")):
            nested = {section: {"name": named, **nested[section]}}
        elif name in (f"{section}_options", *(["replace"] if section == "network" else [])):
            nested = {section: named, **nested}
    return yaml.safe_dump(nested, sort_keys=False, allow_unicode=True, default_flow_style=None)


def bundled_page() -> str:
    """List the specifications that come with the program."""
    rows = ["| specification | question | trials x seeds |", "| --- | --- | --- |"]
    for name in bundled_names():
        spec = load_spec(name)
        rows.append(f"| `{name}` | {spec.question} | {trial_count(spec)} x {len(spec.seeds)} |")
    return "\n".join(rows) + "\n"


def activations_page() -> str:
    """Describe each activation by name, with its options."""
    parts = []
    for name in activation_names():
        kind = activation_class(name)
        about = inspect.getdoc(kind) or ""
        rows = [
            f"| `{option}` | `{json.dumps(default)}` | {meaning} |"
            for option, default, meaning in options_of(name)
        ]
        table = "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows, ""])
        link = f"{{py:class}}`polyneuron.{kind.__name__}`"
        known = f"Class {link}. " if kind.__name__ in polyneuron.__all__ else ""
        learned = "Learned." if kind.learned else "Fixed: it learns nothing."
        summary = about.splitlines()[0]
        parts.append(
            f"(activation-{name.replace('_', '-')})=\n## `{name}`\n\n`{summary}`\n\n"
            f"{known}{learned}\n\n{table if rows else ''}"
        )
    return "\n".join(parts)


def options_of(name: str) -> Iterator[tuple[str, Any, str]]:
    """Yield an activation's options: name, default and meaning, from its docstring's arguments."""
    meanings = _arguments(inspect.getdoc(activation_class(name)) or "")
    for option, default in activation_options(name).items():
        yield option, default, meanings.get(option, "")


def commands() -> Iterator[tuple[str, Any]]:
    """Yield the commands of `sweeps` by name."""
    group = typer.main.get_command(app)
    yield from group.commands.items()  # type: ignore[attr-defined] # an app of commands is a group


def commands_page() -> str:
    """Describe each command with its arguments and options."""
    parts = []
    for name, command in commands():
        arguments = [_word(one) for one in command.params if one.param_type_name == "argument"]
        usage = " ".join(["sweeps", name, *arguments, "[OPTIONS]"])
        rows = [f"| `{shown}` | {meaning} |" for shown, meaning in parameters_of(command)]
        parts.append(
            f"(sweeps-{name})=\n## `sweeps {name}`\n\n{command.help}\n\n```text\n{usage}\n```\n\n"
            + "\n".join(["| argument or option | meaning |", "| --- | --- |", *rows, ""])
        )
    return "\n".join(parts)


def parameters_of(command: Any) -> Iterator[tuple[str, str]]:
    """Yield a command's arguments and options as they are typed, with their meanings."""
    for parameter in command.params:
        text = _cell(parameter.help or "")
        if parameter.param_type_name == "argument":
            yield _word(parameter), text
            continue
        shown = (
            parameter.opts[0] if parameter.is_flag else f"{parameter.opts[0]} {_word(parameter)}"
        )
        if not text:
            yield shown, ""
            continue
        if parameter.default is not None and not parameter.is_flag:
            text += f" Default: `{parameter.default}`."
        if parameter.envvar:
            text += f" Environment variable: `{parameter.envvar}`."
        yield shown, text


def tables_page() -> str:
    """Describe every table of results and its columns."""
    parts = []
    for name, table in TABLES.items():
        rows = [
            f"| `{row.column}` | `{row.type}` | {row.unit} | {_cell(row.meaning)} |"
            for row in analysis.columns(name).itertuples()
        ]
        key = ", ".join(f"`{column}`" for column in table.key)
        parts.append(
            f"(table-{name})=\n## `{name}`\n\n{table.about}\n\nA row is named by {key}.\n\n"
            + "\n".join(
                ["| column | type | unit | meaning |", "| --- | --- | --- | --- |", *rows, ""]
            )
        )
    return "\n".join(parts)


def claims_page() -> str:
    """List the claims of the paper, each with its words and the sweeps that can decide it."""
    parts = []
    for claim in paper().claims:
        place = f" · {claim.benchmark}" if claim.benchmark else ""
        sweeps = ", ".join(f"`{name}`" for name in claim.sweeps)
        decided = f"Compared: {claim.estimand}. Rule: `{claim.rule}`{place}. Decided by: {sweeps}."
        about = f"Cannot be tested: {claim.why}" if claim.why else decided
        anchor = f"claim-{claim.id.replace('_', '-')}"
        parts.append(f"({anchor})=\n## `{claim.id}`\n\n> {claim.quote}\n\n{about}\n")
    return "\n".join(parts)


def python_page(module: Any) -> str:
    """Ask autodoc for each public name of a module: classes first, then functions."""
    names = sorted(module.__all__, key=lambda name: (not _is_class(module, name), name.lower()))
    lines = []
    for name in names:
        kind = "autofunction"
        if _is_class(module, name):
            raised = issubclass(getattr(module, name), Exception)
            kind = "autoexception" if raised else "autoclass"
        lines.append(f".. {kind}:: {module.__name__}.{name}")
    return "```{eval-rst}\n" + "\n".join(lines) + "\n```\n"


def _is_class(module: Any, name: str) -> bool:
    return inspect.isclass(getattr(module, name))


def _key(name: str, field: Mapping[str, Any], schema: Mapping[str, Any]) -> Key:
    section = _section(field, schema)
    told = field.get("default", section.get("default"))
    plain = section.get("type") == "object" or name.split(".")[0] in FREE_OBJECTS
    shown = "default" in field and not plain
    default = f"`{json.dumps(told, ensure_ascii=False)}`" if shown else ""
    meaning = field.get("description") or section.get("description") or ""
    return Key(name, type_text(field), default, meaning)


def _section(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the section that a field refers to, directly or as one of its forms."""
    for form in (field, *field.get("anyOf", ())):
        if "$ref" in form:
            found: Mapping[str, Any] = schema["$defs"][form["$ref"].rpartition("/")[2]]
            return found
    return {}


def type_text(field: Mapping[str, Any]) -> str:
    """Say in words which values a part of the schema takes."""
    if "anyOf" in field:
        return " or ".join(type_text(form) for form in field["anyOf"])
    if "enum" in field:
        return "one of " + ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "$ref" in field:
        return "a section"
    kind = field.get("type")
    if kind == "array":
        items = field["items"] if "items" in field else field["prefixItems"][0]
        return f"a list of: {type_text(items)}"
    words = {
        "string": "text",
        "integer": "an integer",
        "number": "a number",
        "boolean": "`true` or `false`",
        "null": "`null`",
        "object": "keys and values",
    }
    return words[kind] + _bounds_text(field)  # type: ignore[index] # `kind` is not typed


def _bounds_text(field: Mapping[str, Any]) -> str:
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "above",
        "maximum": "at most",
        "exclusiveMaximum": "below",
    }
    told = [f"{word} {field[bound]:g}" for bound, word in words.items() if bound in field]
    return " " + " and ".join(told) if told else ""


def _arguments(docstring: str) -> dict[str, str]:
    """Return the arguments that a Google docstring describes, each on one line."""
    block = re.search(r"^Args:\n((?:    .*\n|\n)+)", docstring + "\n", re.MULTILINE)
    found = {}
    for names, text in re.findall(
        r"^    ([\w, ]+): (.*(?:\n {8,}.*)*)", block[1] if block else "", re.MULTILINE
    ):
        for name in names.split(", "):
            found[name] = " ".join(text.split())
    return found


def _anchor(name: str) -> str:
    # An anchor has neither dots nor underscores, and `network.options` is not `network_options`.
    return "spec-" + name.replace(".", "-key-").replace("_", "-")


def _word(parameter: Any) -> str:
    """Return the word that stands for a parameter's value."""
    word = parameter.metavar or parameter.name.upper()
    return f"{word}..." if parameter.nargs == -1 else str(word)


def _cell(text: str) -> str:
    """Keep a text within one cell of a table."""
    return text.replace("|", r"\|")
