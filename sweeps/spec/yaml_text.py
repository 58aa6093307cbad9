"""YAML as specifications have it: 1e-4 is a number, and a key given twice is an error."""

from __future__ import annotations

import re
from typing import Any

import yaml

from sweeps.spec.errors import SpecError


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise SpecError(f"line {node.start_mark.line + 1}: the key {key!r} is given twice")
        return super().construct_mapping(node, deep)


# YAML 1.1, which PyYAML reads, wants a point in 1.0e-4, and takes 1e-4 for text.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


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
    except (TypeError, ValueError) as error:  # YAML, but no data: a SpecError, or a date like 99-99
        raise SpecError(f"{source}: {error}") from None
