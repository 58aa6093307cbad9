"""The paper's Table 1, the setting of its runs, and its claims, as `claims.toml` has them."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Any, Literal

from analysis.printed import ACTIVATIONS

CLAIMS_FILE = Path(__file__).with_name("claims.toml")


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and the rule that decides it."""

    id: str
    quote: str
    estimand: str
    rule: str
    sweeps: tuple[str, ...]
    """Bundled sweeps that test the claim."""
    minimum_runs: int = 5
    """Of each cell; fewer test nothing."""
    benchmarks: tuple[str, ...] = ()
    """All are needed; empty: each one that has runs."""
    activations: tuple[str, ...] = tuple(ACTIVATIONS)
    arms: Mapping[str, Sequence[str]] | None = None
    """Activations to compare: `candidates` with `references`."""
    factor: Mapping[str, Any] | None = None
    """Levels of one `column` to compare with its `reference`."""
    grid: Mapping[str, Any] | None = None
    """Cells over two `columns` to compare with the `reference`."""
    only: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Values of columns outside of which no run counts."""
    free: tuple[str, ...] = ()
    """Keys of the configuration that may depart from the paper's setting."""
    margin: float | None = None
    """None: the benchmark's own."""
    measures: tuple[str, ...] = ()
    """Measures of shape (`analysis.measures.shapes`) that the claim is about."""
    also_below: tuple[str, ...] = ()
    """Measures whose mean must be below 0 for support; a mean above 0 refutes nothing."""
    at: Literal["last", "pre_drop"] = "last"
    """The epoch of the error, as in `analysis.values`."""
    why: str = ""
    """The reason why a claim under the rule `untested` cannot be tested."""


@dataclass(frozen=True)
class Paper:
    """The content of `claims.toml` and its hash."""

    sha256: str
    claims: tuple[Claim, ...]
    table1: Mapping[str, Mapping[str, float]]
    """Validation error in percent by benchmark and activation."""
    tolerance: Mapping[str, float]
    """Distance in points that a mean of five runs may have from the paper's."""
    margin: Mapping[str, float]
    """Differences, in points, that are too small to matter."""
    level: Mapping[str, float]
    """Of a test: `planned`, or `extended` if seeds were added after a look."""
    setting: Mapping[str, Mapping[str, Any]]
    """Values of the configuration's keys, by benchmark, by activation and for `both`."""
    options: Mapping[str, Mapping[str, Any]]
    """Default options by activation."""

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """The benchmarks of Table 1."""
        return tuple(self.table1)

    @property
    def confirmatory_sweeps(self) -> tuple[str, ...]:
        """The bundled sweeps that test some claim."""
        tested = (claim for claim in self.claims if claim.rule != "untested")
        return tuple(dict.fromkeys(sweep for claim in tested for sweep in claim.sweeps))

    def departures(self, benchmark: str, config_json: str) -> dict[str, str]:
        """Return the keys in which a configuration departs from the paper's setting, and how."""
        config = json.loads(config_json)
        activation = _lookup(config, "activation.name")
        # the later entry wins: an activation's own setting over the benchmark's
        expected = {
            **self.setting["both"],
            **self.setting.get(benchmark, {}),
            **self.setting.get(activation, {}),
        }
        known = self.options.get(activation, {})
        chosen = _lookup(config, "activation.options")
        pairs = [(key, _lookup(config, key), value) for key, value in expected.items()]
        # an option that the paper does not have is a departure whatever its value
        pairs += [(name, value, known.get(name, "an option")) for name, value in chosen.items()]
        return {
            key: f"{key} is {_shown(found)}, not {_shown(value)}"
            for key, found, value in pairs
            if not _same(found, value)
        }


@cache
def paper() -> Paper:
    """Return the paper's claims as they stand in this version."""
    text = CLAIMS_FILE.read_bytes()
    content = tomllib.loads(text.decode())
    claims = tuple(_claim(entry) for entry in content.pop("claim"))
    return Paper(sha256=hashlib.sha256(text).hexdigest(), claims=claims, **content)


def _claim(entry: Mapping[str, Any]) -> Claim:
    """Return an entry of the file with its lists as tuples; an unknown key is a TypeError."""
    frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    return Claim(**frozen)


def _lookup(config: Mapping[str, Any], key: str) -> Any:
    found: Any = config
    for name in key.split("."):
        found = found.get(name, "not recorded") if isinstance(found, Mapping) else "not recorded"
    return found


def _same(found: Any, expected: Any) -> bool:
    if expected == []:  # TOML has no null
        return found is None
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return (
            isinstance(found, Sequence)
            and len(found) == len(expected)
            and all(map(_same, found, expected))
        )
    if isinstance(expected, Real) and not isinstance(expected, bool):
        number = isinstance(found, Real) and not isinstance(found, bool)  # True == 1 in Python
        # 2/3 stands in the file with eight digits
        return number and math.isclose(float(found), float(expected), rel_tol=1e-6, abs_tol=1e-12)
    return bool(found == expected)


def _shown(value: Any) -> str:
    return "null" if value is None or value == [] else str(value)
