"""The JSON schema of a specification, for editors: completion, descriptions, errors while typing.

It describes what a researcher writes, shorthands included, not the resolved form. It refuses
nothing that `parse_spec` and `check` accept; what a schema cannot say, only they refuse.

`python -m sweeps.spec.editor_schema` writes the file that ships.
"""

from __future__ import annotations

import ast
import copy
import inspect
import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.spec import sections as spec
from sweeps.spec.reading import SHORT
from sweeps.spec.search_space import RECIPE_SETTINGS
from trainers import config
from trainers.data import DATASETS
from trainers.networks import NETWORKS

Schema = dict[str, Any]

FILE = Path(__file__).parents[1] / "specs" / "sweep.schema.json"
SOURCES = (
    spec.SweepSpec,
    spec.SearchSection,
    spec.EarlyStoppingSection,
    spec.ObjectiveSection,
    spec.BudgetSection,
    spec.ResourcesSection,
    config.ActivationConfig,
    config.DataConfig,
    config.NetworkConfig,
    config.Recipe,
)
NAMED = ("network", "data", "activation")
"""Sections in whose place a name may stand."""
COUNT: Schema = {"type": "integer", "minimum": 1}
SPLINE_VALUES: Mapping[str, Schema] = {
    "s": {"type": "integer", "minimum": 2, "description": "Control points of the PolyNeurons."},
    "k": {**COUNT, "description": "Order of U_k, of the PolyNeurons."},
}
PLAIN: Schema = {"type": ["boolean", "number", "string"]}


def spec_schema() -> Schema:
    """Build the schema."""
    schema = spec.SweepSpec.model_json_schema()
    parts: dict[str, Schema] = schema["$defs"]
    for source in SOURCES:
        own = schema if source is spec.SweepSpec else parts[source.__name__]
        _describe(own, source)
    del parts["Domain"]
    fields: dict[str, Schema] = schema["properties"]
    parts["NetworkConfig"]["properties"]["name"] |= {"enum": list(NETWORKS)}
    parts["DataConfig"]["properties"]["name"] |= {"enum": list(DATASETS)}
    _name_activations(parts["ActivationConfig"])
    for key in (*NAMED, *SHORT):
        fields[key] = _or_word(fields[key], parts, SHORT.get(key, "name"))
    word = parts["ActivationConfig"]["properties"]["name"]
    fields["activation"]["anyOf"].append(_list_of(word))
    fields["seeds"] = {
        "description": "How many seeds a trial, from 0; or the seeds themselves.",
        "anyOf": [COUNT, {**fields["seeds"], "uniqueItems": True}],
    }
    parts["BudgetSection"]["properties"]["trials"] = {
        **COUNT,
        "description": "How many trials; the same as search.trials.",
    }
    fields["space"] = _space(parts)
    schema["required"] = []
    schema["allOf"] = _consistent()
    schema |= {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A sweep"}
    return _without_titles(schema)


def _describe(own: Schema, source: type) -> None:
    """Put the docstring of each attribute beside its property."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(source))).body
    assert isinstance(body, ast.ClassDef)
    for field, text in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            said = " ".join(inspect.cleandoc(str(text.value.value)).split())
            own["properties"][field.target.id]["description"] = said


def _or_word(field: Schema, parts: Mapping[str, Schema], key: str) -> Schema:
    """Let a word stand for the section in which it would be the value of `key`."""
    section = parts[field["$ref"].rpartition("/")[2]]
    word = {k: v for k, v in section["properties"][key].items() if k in ("type", "enum")}
    return {"description": section["description"], "anyOf": [word, {"$ref": field["$ref"]}]}


def _name_activations(section: Schema) -> None:
    from polyneuron import activation_names  # torch takes a second to import

    section["properties"]["name"] |= {"enum": list(activation_names())}


def _space(parts: dict[str, Schema]) -> Schema:
    from polyneuron import activation_names, activation_options

    names = list(activation_names())
    values: dict[str, Schema] = {
        "activation": {"enum": names, "description": "Which activation a trial has."},
        "scope": {
            "enum": list(config.SCOPES),
            "description": "One function a layer, channel or neuron.",
        },
        **SPLINE_VALUES,
    }
    recipe = parts["Recipe"]["properties"]
    values |= {key: recipe[key] for key in RECIPE_SETTINGS if recipe[key].get("type") != "array"}
    for name in names:
        for option in activation_options(name):
            said = f"Option of {name}."
            values.setdefault(option, {**PLAIN, "description": said})
            values[f"{name}.{option}"] = {**PLAIN, "description": said}
    return {
        "description": "The values of each parameter that the sweep varies or fixes.",
        "type": "object",
        "properties": {key: _shared_domain(key, value, parts) for key, value in values.items()},
        "additionalProperties": False,
    }


def _shared_domain(key: str, value: Schema, parts: dict[str, Schema]) -> Schema:
    """Refer to the domains over such values: most parameters share theirs with others."""
    plain = {k: v for k, v in value.items() if k not in ("description", "default", "title")}
    domain = _domain(plain)
    name = next((one for one, part in parts.items() if part == domain), f"{key}_values")
    parts[name] = domain
    said = {"description": value["description"]} if "description" in value else {}
    return {**said, "$ref": f"#/$defs/{name}"}


def _domain(plain: Schema) -> Schema:
    """Describe the domains over plain values: one value, a list of them or a range."""
    forms = {kind: _list_of(plain) for kind in ("choice", "grid")}
    kinds = plain.get("type", "")
    pair = {"type": "array", "minItems": 2, "maxItems": 2}
    if "enum" not in plain and kinds not in ("string", "boolean"):
        bounded = {**plain.get("anyOf", [{}])[0], **plain}  # the first is a number, the other null
        number = {"type": "number", **{k: v for k, v in bounded.items() if "inimum" in k}}
        forms |= {kind: {**pair, "items": number} for kind in ("uniform", "log")}
        forms["log"] = {**pair, "items": {**number, "exclusiveMinimum": 0}}
        forms["int"] = {**pair, "items": {**number, "type": "integer"}}
    if kinds == "integer":
        del forms["uniform"], forms["log"]
    spelled_out = {
        "type": "object",
        "required": ["kind", "values"],
        "properties": {"kind": {"enum": ["fixed", *forms]}, "values": {"type": "array"}},
        "additionalProperties": False,
    }
    short = [
        {
            "type": "object",
            "required": [kind],
            "properties": {kind: form},
            "additionalProperties": False,
        }
        for kind, form in forms.items()
    ]
    return {"anyOf": [plain, *short, spelled_out]}


def _list_of(value: Schema) -> Schema:
    return {"type": "array", "items": value, "minItems": 1, "uniqueItems": True}


def _consistent() -> list[Schema]:
    """Say what one section demands of another."""
    grid = _search({"const": "grid"})
    counted = _search_section({"required": ["trials"], "not": _null("trials")})
    in_budget = {
        "required": ["budget"],
        "properties": {"budget": {"type": "object", "required": ["trials"]}},
    }
    walked = {"type": "object", "not": {"required": ["kind"]}, "minProperties": 1}
    ranges = {"anyOf": [{"required": [kind]} for kind in ("uniform", "log", "int", "choice")]}
    return [
        {
            "if": grid,
            "then": {
                "not": {"anyOf": [counted, in_budget]},
                "properties": {"space": {"additionalProperties": {"not": {**walked, **ranges}}}},
            },
            "else": {"anyOf": [counted, in_budget]},
        },
        {
            "if": {"required": ["purpose"], "properties": {"purpose": {"const": "confirmatory"}}},
            "then": grid,
        },
    ]


def _search(algorithm: Schema) -> Schema:
    inside = _section({"required": ["algorithm"], "properties": {"algorithm": algorithm}})
    return {"required": ["search"], "properties": {"search": {"anyOf": [algorithm, inside]}}}


def _search_section(inside: Schema) -> Schema:
    return {"required": ["search"], "properties": {"search": _section(inside)}}


def _section(inside: Schema) -> Schema:
    return {"type": "object", **inside}


def _null(key: str) -> Schema:
    return {"properties": {key: {"type": "null"}}}


def _without_titles(schema: Any) -> Any:
    """Drop the titles that pydantic makes of every key: editors show them instead of the key."""
    if isinstance(schema, list):
        return [_without_titles(one) for one in schema]
    if not isinstance(schema, dict):
        return copy.copy(schema)
    kept = {k: v for k, v in schema.items() if k != "title" or not isinstance(v, str)}
    return {key: _without_titles(value) for key, value in kept.items()}


def schema_text() -> str:
    """Write the schema as the file that ships has it."""
    return json.dumps(spec_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema_text(), "utf-8")
