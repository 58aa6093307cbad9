"""The paper's Table 1, the setting of its runs, and its claims, as `claims.toml` has them."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from numbers import Real
from pathlib import Path
from typing import Any, Literal

from analysis.printed import ACTIVATIONS

PAPER_RUNS = 5
"""Runs of each mean of the paper's Table 1."""

CLAIMS_FILE = Path(__file__).with_name("claims.toml")


@dataclass(frozen=True)
class Claim:
    """One claim of the paper, and the rule that decides it."""

    id: str
    quote: str
    estimand: str
    rule: str
    benchmark: str = ""
    """The one that the claim is about; empty if it cannot be tested on any."""
    sweeps: tuple[str, ...] = ()
    """Bundled sweeps that decide the claim; where there are several, together."""
    minimum_runs: int = 5
    """Of each cell; fewer test nothing."""
    max_seeds: int = 20
    """Of each cell, fixed before its first run: the level of all looks is spent by then."""
    minimum_candidate_runs: int = 0
    """Of the one cell that is held against all others, where it needs more; 0: `minimum_runs`."""
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
    literal: bool = False
    """True: about runs in the paper's own setting, where the benchmark has a reading of it."""
    margin: float | None = None
    """None: the benchmark's own."""
    measures: tuple[str, ...] = ()
    """Measures of shape (`analysis.measures.shapes`) that the claim is about."""
    also_below: tuple[str, ...] = ()
    """Measures whose mean must be below 0 for support; a mean above 0 refutes nothing."""
    at: Literal["last", "pre_drop"] = "last"
    """The epoch of the error, as in `analysis.values`."""
    by: float = 0.0
    """Of a claim that one side is better: by how much, at least."""
    selections: Mapping[str, Mapping[str, Any]] | None = None
    """Of a hypothesis: the values of columns that the `candidate` and the `reference` have."""
    trend: Mapping[str, Any] | None = None
    """Of a hypothesis: the `column` along which the error falls, or `rises`."""
    parameters: tuple[str, ...] = ()
    """Of a hypothesis: all columns in which its sweep's configurations differ."""
    unit: str = "points"
    """Of differences."""
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
    """Of a test: `planned`, of all looks at a claim together."""
    setting: Mapping[str, Mapping[str, Any]]
    """Values of the configuration's keys, by benchmark, by activation and for `both`."""
    reading: Mapping[str, Mapping[str, Any]]
    """Values in place of the setting's, by benchmark, in which its networks train."""
    irrelevant: Mapping[str, Sequence[str]]
    """Keys that change nothing in the setting, by benchmark, by activation and for `both`."""
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

    def tolerance_of(self, benchmark: str, runs: int) -> float:
        """Return the distance that a mean of so many runs may have from the paper's mean of five.

        The file has it for five runs, where it is 1.96 sd sqrt(1/5 + 1/5).
        """
        share = (1 / PAPER_RUNS + 1 / runs) / (2 / PAPER_RUNS) if runs else 1.0
        return self.tolerance[benchmark] * math.sqrt(share)

    def read_as(self, benchmark: str) -> str:
        """Say in which keys a benchmark's reading departs from the paper; empty without one."""
        said = {**self.setting["both"], **self.setting.get(benchmark, {})}
        reading = self.reading.get(benchmark, {})
        return ", ".join(f"{k} is {_shown(v)}, not {_shown(said[k])}" for k, v in reading.items())

    def departures(self, benchmark: str, config_json: str, literal: bool = False) -> dict[str, str]:
        """Return the keys in which a configuration departs from the paper's setting, and how.

        The setting is the benchmark's reading of it, or with `literal` the paper's own. On a
        benchmark that the paper does not have, keys that it has for both are compared alone.
        """
        config = json.loads(config_json)
        chosen = config.get("activation", {})
        activation, options = chosen.get("name"), chosen.get("options", {})
        places = ("both", benchmark, activation)
        # the later entry wins: an activation's own setting over the benchmark's
        expected = {k: v for place in places for k, v in self.setting.get(place, {}).items()}
        expected |= self.options.get(activation, {})
        reading = self.reading.get(benchmark, {})
        # A configuration leaves out what trains as before the key was added: the setting's value.
        found_keys = {**{key: expected[key] for key in reading}, **_keys(config), **options}
        expected |= {} if literal else reading
        epochs = int(found_keys.get("recipe.epochs", expected.get("recipe.epochs", 1)))
        expected, found_keys = _with_drops(expected, epochs), _with_drops(found_keys, epochs)
        ignored = {key for place in places for key in self.irrelevant.get(place, ())}
        return {
            key: f"{key} is {_shown(found)}, not {_shown(expected[key])}"
            if key in expected
            else f"{key} is {_shown(found)}, a setting that the paper does not have"
            for key, found in found_keys.items()
            if key not in ignored
            and (key in expected or key in options or benchmark in self.setting)
            and not (key in expected and _same(found, expected[key]))
        }


@cache
def paper() -> Paper:
    """Return the paper's claims as they stand in this version."""
    text = CLAIMS_FILE.read_bytes()
    content = tomllib.loads(text.decode())
    claims = tuple(one for entry in content.pop("claim") for one in _claims(entry))
    return Paper(sha256=hashlib.sha256(text).hexdigest(), claims=claims, **content)


def _claims(entry: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield the claims of an entry: one a benchmark, and with `apart` one an activation.

    An unknown key is a TypeError.
    """
    frozen: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    sweeps, apart = frozen.pop("sweeps"), frozen.pop("apart", False)
    for benchmark, names in sweeps.items() or [("", ())]:
        place = f"_on_{benchmark.partition('/')[0]}" if len(sweeps) > 1 else ""
        claim = Claim(**{**frozen, "benchmark": benchmark, "sweeps": tuple(names)})
        for one in _one_each(claim) if apart else [claim]:
            yield replace(one, id=one.id + place)


def _one_each(claim: Claim) -> Iterator[Claim]:
    """Yield the claim for each activation that it is about, alone."""
    for name in claim.arms["references"] if claim.arms else claim.activations:
        own: dict[str, Any] = (
            {"arms": {**claim.arms, "references": [name]}}
            if claim.arms
            else {"activations": (name,)}
        )
        estimand = claim.estimand.format(activation=ACTIVATIONS[name])
        yield replace(claim, id=f"{claim.id}_{name}", estimand=estimand, **own)


def _keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by `section.key`, without what names the benchmark and the activation."""
    keys = {
        f"{section}.{name}": value
        for section, values in config.items()
        for name, value in (values.items() if isinstance(values, Mapping) else [("", values)])
        if name != "name" and (section, name) != ("activation", "options")
    }
    return keys


def _with_drops(keys: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    """Return the keys with rate drops at the same shares of so many epochs, where they act.

    So a run of other epochs departs in its epochs alone. A configuration has shares or epochs.
    """
    drops, own = keys.get("recipe.drop_at"), keys.get("recipe.epochs")
    if not isinstance(drops, list) or not own:
        return dict(keys)
    shares = [at if at < 1 else at / own for at in drops]
    scaled = [math.floor(at * epochs + 0.5) for at in shares]
    return {**keys, "recipe.drop_at": [at for at in scaled if at < epochs]}


def _same(found: Any, expected: Any) -> bool:
    if expected == []:  # TOML has no null
        return found is None
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        return (
            isinstance(found, Sequence)
            and len(found) == len(expected)
            and all(map(_same, found, expected))
        )
    if isinstance(found, Sequence) and not isinstance(found, str):
        return False
    if isinstance(expected, Real) and not isinstance(expected, bool):
        number = isinstance(found, Real) and not isinstance(found, bool)  # True == 1 in Python
        return number and math.isclose(float(found), float(expected), rel_tol=1e-9, abs_tol=1e-12)
    return bool(found == expected)


def _shown(value: Any) -> str:
    return "null" if value is None or value == [] else str(value)
