"""YAML 1.2 as specifications have it; a key given twice is an error."""

from __future__ import annotations

import re
from typing import Any

import yaml

from sweeps.spec.errors import SpecError

MAX_VALUES = 20_000
"""Values of a specification, an alias counted as often as it stands: a bound, not a need."""

_NULL, _BOOL, _INT, _FLOAT, _MERGE = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "merge")
)


class _Loader(yaml.SafeLoader):
    # PyYAML follows YAML 1.1, in which 010 is 8, 1:30 is 90 and `no` is false.
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # declared so by PyYAML

    def get_single_node(self) -> Any:
        root = super().get_single_node()
        if root is not None and _size(root, {}) > MAX_VALUES:
            raise SpecError(f"more than {MAX_VALUES:,} values, aliases counted as often as used")
        return root

    def compose_mapping_node(self, anchor: Any) -> Any:
        # While the text is read, since merging `<<` later puts two of a key into one node.
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if (key.tag, key.value) in seen:
                    line = key.start_mark.line + 1
                    raise SpecError(f"line {line}: the key {key.value!r} is given twice")
                seen.add((key.tag, key.value))
        return node

    def construct_core_int(self, node: Any) -> int:
        text = node.value
        base = {"0o": 8, "0x": 16}.get(text[:2], 10)
        return int(text if base == 10 else text[2:], base)


def _size(node: Any, known: dict[int, int]) -> int:
    """Return the values of a node, those of an alias counted each time it is used."""
    if id(node) in known:
        if not known[id(node)]:
            raise SpecError("sections within sections without end")
        return known[id(node)]
    known[id(node)] = 0  # being counted: a node that meets itself holds itself
    inner = node.value if isinstance(node, yaml.CollectionNode) else []
    children = [child for entry in inner for child in (entry if type(entry) is tuple else [entry])]
    known[id(node)] = 1 + sum(_size(child, known) for child in children)
    return known[id(node)]


# The core schema of YAML 1.2 (section 10.3.2), and the merge key that every reader knows.
for _tag, _pattern, _first in (
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        _FLOAT,
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    (_MERGE, r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"^(?:{_pattern})$"), _first)
_Loader.add_constructor(_INT, _Loader.construct_core_int)


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """Read keys and values from YAML text; errors name its `source`.

    Raises:
        SpecError: the text is not YAML, or holds something else than keys and values.
    """
    raw = parse_value(text, source)
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise SpecError(f"{source}: expected keys and values, as in `search: grid`")
    return raw


def parse_value(text: str, source: str) -> Any:
    """Read any value from YAML text; errors name its `source`.

    Raises:
        SpecError: the text is not YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except RecursionError:
        raise SpecError(f"{source}: sections within sections without end") from None
    except yaml.YAMLError as error:
        where = " ".join(str(error).split())
        raise SpecError(f"{source} is not YAML: {where}") from None
    except (TypeError, ValueError) as error:  # a SpecError, or a number of 5,000 digits
        raise SpecError(f"{source}: {error}") from None
