"""The JSON schema of a specification, for editors: completion, descriptions, errors while typing.

The schema describes what a researcher writes, shorthands included, not the resolved form. It
refuses nothing that `parse_spec` and `check` accept; some things that they refuse it cannot say.

`python -m sweeps.spec.editor_schema` writes the file that ships.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.spec.algorithms import ALGORITHMS
from sweeps.spec.domain import RANGES
from sweeps.spec.foreign import OPTIONS
from sweeps.spec.search_space import RECIPE_SETTINGS
from sweeps.spec.sections import SweepSpec
from sweeps.spec.shorthands import WORDS
from trainers.config import SCOPES
from trainers.data import DATASETS
from trainers.networks import NETWORKS

Schema = dict[str, Any]

FILE = Path(__file__).parents[1] / "specs" / "sweep.schema.json"
COUNT: Schema = {"type": "integer", "minimum": 1}
SPLINE_VALUES: Mapping[str, Schema] = {
    "s": {"type": "integer", "minimum": 2, "description": "Control points of the PolyNeurons."},
    "k": {**COUNT, "description": "Order of U_k, of the PolyNeurons."},
}
REFINED: Mapping[str, Schema] = {
    "step": {
        "type": ["number", "null"],
        "description": "Distance between the values of a range.",
    },
    "log": {"type": "boolean", "description": "Integers are drawn by their logarithm."},
    "when": {
        "type": "object",
        "description": "Other parameters, and their values with which this one is drawn.",
    },
}
PLAIN: Schema = {"type": ["boolean", "number", "string"]}


def spec_schema() -> Schema:
    """Build the schema."""
    from polyneuron import activation_names  # torch takes a second to import

    schema = SweepSpec.model_json_schema()
    parts: dict[str, Schema] = schema["$defs"]
    fields: dict[str, Schema] = schema["properties"]
    for part, known in (("NetworkConfig", NETWORKS), ("DataConfig", DATASETS)):
        elsewhere = {"type": "string", "pattern": ":"}
        parts[part]["properties"]["name"] |= {"anyOf": [{"enum": list(known)}, elsewhere]}
    word = parts["ActivationConfig"]["properties"]["name"]
    word["enum"] = list(activation_names())
    for section, key in WORDS.items():
        fields[section] = _or_word(fields[section], parts, key)
    fields["activation"]["anyOf"].append(_list_of(word))
    fields["seeds"] = {
        "description": "How many seeds a trial, from 0; or the seeds themselves.",
        "anyOf": [COUNT, {**fields["seeds"], "uniqueItems": True}],
    }
    parts["BudgetSection"]["properties"]["trials"] = {
        **COUNT,
        "description": "How many trials; the same as search.trials.",
    }
    for key, section in OPTIONS.items():
        described = parts[f"{section.title()}Config"]["properties"]["options"]["description"]
        fields[key] = {
            "type": "object",
            "additionalProperties": PLAIN,
            "description": described,
        }
    fields["replace"] = parts["NetworkConfig"]["properties"]["replace"]
    del parts["Domain"]  # each parameter has domains of its own values
    fields["space"] = _space(parts, word["enum"])
    schema["required"] = []  # the name, the recipe and the seeds have defaults in a file
    schema["allOf"] = [*_agreements(), _options_of_own(fields["space"]["properties"])]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    tidy: Schema = _tidied(schema)
    return tidy


def _or_word(field: Schema, parts: Mapping[str, Schema], key: str) -> Schema:
    """Let a word stand for the section in which it would be the value of `key`."""
    reference = next(one["$ref"] for one in (field, *field.get("anyOf", ())) if "$ref" in one)
    section = parts[reference.rpartition("/")[2]]
    word = {k: v for k, v in section["properties"][key].items() if k in ("type", "enum", "anyOf")}
    absent = [one for one in field.get("anyOf", ()) if one.get("type") == "null"]
    forms = [word, {"$ref": reference}, *absent]
    return {"description": section["description"], "anyOf": forms}


def _space(parts: dict[str, Schema], activations: list[str]) -> Schema:
    from polyneuron import activation_options

    recipe = parts["Recipe"]["properties"]
    values: dict[str, Schema] = {
        "activation": {"enum": activations, "description": "Which activation a trial has."},
        "scope": {
            "enum": list(SCOPES),
            "description": "One function a layer, channel or neuron.",
        },
        **SPLINE_VALUES,
        **{key: recipe[key] for key in RECIPE_SETTINGS if recipe[key].get("type") != "array"},
    }
    for name in activations:
        for option in activation_options(name):
            value = {**PLAIN, "description": f"Option of {name}."}
            values.setdefault(option, value)
            values[f"{name}.{option}"] = value
    return {
        "description": "The values of each parameter that the sweep varies or fixes.",
        "type": "object",
        "properties": {key: _shared_domain(key, value, parts) for key, value in values.items()},
        "additionalProperties": _shared_domain("network.*", PLAIN, parts),
    }


def _options_of_own(known: Mapping[str, Schema]) -> Schema:
    """Say that only a network or a trainer that is not ours has parameters nobody knows here."""
    elsewhere = {"type": "string", "pattern": ":"}
    named = {"type": "object", "required": ["name"], "properties": {"name": elsewhere}}
    own = [
        {"required": [key], "properties": {key: {"anyOf": [elsewhere, named]}}}
        for key in ("network", "trainer")
    ]
    closed = {"propertyNames": {"enum": list(known)}}
    return {"if": {"anyOf": own}, "else": {"properties": {"space": closed}}}


def _shared_domain(key: str, value: Schema, parts: dict[str, Schema]) -> Schema:
    """Refer to the domains over such values: most parameters share theirs with others."""
    plain = {k: v for k, v in value.items() if k not in ("description", "default", "title")}
    domain = _domain(plain)
    name = next((one for one, part in parts.items() if part == domain), f"{key}_values")
    parts[name] = domain
    described = {k: v for k, v in value.items() if k == "description"}
    return {**described, "$ref": f"#/$defs/{name}"}


def _domain(plain: Schema) -> Schema:
    """Describe the domains over plain values: one value, a list of them or a range."""
    forms = {kind: _list_of(plain) for kind in ("choice", "grid")}
    kinds = plain.get("type", "")
    pair = {"type": "array", "minItems": 2, "maxItems": 2}
    if "enum" not in plain and kinds not in ("string", "boolean"):
        bounded = {**plain.get("anyOf", [{}])[0], **plain}  # the first is a number, the other null
        number = {"type": "number", **{k: v for k, v in bounded.items() if "inimum" in k}}
        forms |= {kind: {**pair, "items": number} for kind in RANGES}
        forms["log"] = {**pair, "items": {**number, "exclusiveMinimum": 0}}
        forms["int"] = {**pair, "items": {**number, "type": "integer"}}
    if kinds == "integer":
        del forms["uniform"], forms["log"]
    spelled_out: Mapping[str, Schema] = {
        "kind": {"enum": ["fixed", *forms]},
        "values": {"type": "array"},
    }
    refined = {kind: {name: REFINED[name] for name in _refinements(kind)} for kind in forms}
    short = [_closed({kind: form}, refined[kind]) for kind, form in forms.items()]
    return {"anyOf": [plain, *short, _closed(spelled_out, REFINED)]}


def _refinements(kind: str) -> tuple[str, ...]:
    of_kind = {"uniform": ("step",), "int": ("step", "log")}
    return (*of_kind.get(kind, ()), "when")


def _closed(
    properties: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None
) -> Schema:
    """Describe an object that has these keys, all of them, and no others but optional ones."""
    return {
        "type": "object",
        "required": list(properties),
        "properties": {**properties, **(optional or {})},
        "additionalProperties": False,
    }


def _list_of(value: Schema) -> Schema:
    return {"type": "array", "items": value, "minItems": 1, "uniqueItems": True}


def _agreements() -> list[Schema]:
    """Say what one section demands of another."""
    walked_by = {"enum": [name for name, method in ALGORITHMS.items() if method.walks_grid]}
    walks_grid = _in_section(
        "search", {"required": ["algorithm"], "properties": {"algorithm": walked_by}}, walked_by
    )
    null_trials = {"properties": {"trials": {"type": "null"}}}
    counted = {
        "anyOf": [
            _in_section("search", {"required": ["trials"], "not": null_trials}),
            _in_section("budget", {"required": ["trials"]}),
        ]
    }
    uncounted_domain = {
        "type": "object",
        "not": {"required": ["kind"]},
        "anyOf": [{"required": [kind]} for kind in (*RANGES, "choice")],
    }
    return [
        {
            "if": walks_grid,
            "then": {
                "not": counted,
                "properties": {"space": {"additionalProperties": {"not": uncounted_domain}}},
            },
            "else": counted,
        },
        {
            "if": {
                "required": ["purpose"],
                "properties": {"purpose": {"enum": ["confirmatory", "timing"]}},
            },
            "then": walks_grid,
        },
    ]


def _in_section(name: str, inside: Schema, *otherwise: Schema) -> Schema:
    """Say that a section is there and like this, or is one of the other forms."""
    section = {"type": "object", **inside}
    return {"required": [name], "properties": {name: {"anyOf": [*otherwise, section]}}}


def _tidied(schema: Any) -> Any:
    """Put descriptions on one line, and drop the titles: editors show them in place of the key."""
    if isinstance(schema, list):
        return [_tidied(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {k: v for k, v in schema.items() if k != "title" or not isinstance(v, str)}
    if isinstance(text := kept.get("description"), str):
        kept["description"] = " ".join(text.split())
    return {key: _tidied(value) for key, value in kept.items()}


def schema_text() -> str:
    """Write the schema as the file that ships has it."""
    return json.dumps(spec_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema_text(), "utf-8")
