"""Training functions of a user's own: how one is called, what it reports, and how its run ends.

A run calls `function(config=..., seed=..., report=...)`, and with `checkpoint=...` if the function
has such an argument. This module imports no torch: a function may do without.
"""

from __future__ import annotations

import inspect
import json
import math
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from trainers.canonical import Form, config_id
from trainers.networks.config import OptionValue
from trainers.pulse import PULSE
from trainers.records import RunStatus, RunStopped
from trainers.references import place_of, resolve

NUMPY_SEEDS = 2**32
"""NumPy's global generator takes seeds below this."""


@dataclass(frozen=True)
class FunctionCall:
    """A training function with a trial's parameters: all that decides a result but the seed."""

    function: str
    """As `module:function`."""
    code: str
    """Hash of the modules that it reaches."""
    settings: Mapping[str, OptionValue]

    @cached_property
    def config_id(self) -> str:
        """Sixteen hex digits that are equal for equal functions and parameters."""
        return config_id(self.canonical())

    def canonical(self) -> Form:
        """Return the form that `config_id` hashes. To a function 3 and 3.0 may differ."""
        function = {"name": self.function, "code": self.code}
        return {"function": function, "settings": json.loads(json.dumps(dict(self.settings)))}


@dataclass(frozen=True)
class FunctionRun:
    """One run: a call, a seed, and the number among those reported that counts."""

    call: FunctionCall
    seed: int
    metric: str
    largest: bool = False
    """True: the largest value is best."""
    best: bool = False
    """True: the best of a run's values counts; False: the last one."""
    steps: int = 0
    """Steps of a full run; 0: the function does not say."""
    checkpoint: Path | None = None
    """A folder that stays for a resume, if the function has an argument `checkpoint`."""
    also: tuple[str, ...] = ()
    """Further numbers by which the run is judged: of each, the last one reported counts."""

    @property
    def run_id(self) -> str:
        """The call's id and the seed: the key of what a run leaves."""
        return f"{self.call.config_id}-s{self.seed}"


@dataclass(frozen=True)
class Step:
    """What a function reports at once."""

    epoch: int
    """From 1."""
    metrics: Mapping[str, float]
    value: float | None
    """The metric that counts; None: not among them."""
    seconds: float
    """Since the report before it."""


@dataclass(frozen=True)
class Earlier:
    """What earlier attempts at a run have reported."""

    steps: frozenset[int] = frozenset()
    values: Mapping[int, float] = field(default_factory=dict)
    """The metric that counts, by step."""
    also: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """The further numbers that count, by name and step."""


@dataclass(frozen=True)
class FunctionEnd:
    """The end of a run."""

    status: RunStatus
    stop_reason: str
    """Empty for a completed run."""
    epochs_done: int
    """Steps that were reported."""
    value: float | None
    """The metric that counts: the last one, or the best one; None unless completed."""
    seconds: float
    """Spent in the function, without its reports."""
    also: Mapping[str, float] = field(default_factory=dict)
    """The further numbers that count, by name; empty unless completed."""


OnStep = Callable[[Step], None]
"""Takes each step; it may raise RunStopped."""


class NoMetricError(ValueError):
    """A function returned without reporting the metric of its sweep."""


def arguments_of(function: Callable[..., Any], name: str) -> frozenset[str]:
    """Return the arguments with which a training function is called.

    Raises:
        ValueError: it takes others; the message names its file and line.
    """
    asked = inspect.signature(function).parameters
    given = {"config", "seed", "report"} | ({"checkpoint"} & set(asked))
    try:
        inspect.signature(function).bind(**dict.fromkeys(given))
    except TypeError as error:
        raise ValueError(
            f"{place_of(name)}: {error}; it is called with (config=..., seed=..., report=...), and"
            " with checkpoint=... if it has such an argument"
        ) from None
    return frozenset(given)


def train_function(
    run: FunctionRun, on_step: OnStep, earlier: Earlier | None = None
) -> FunctionEnd:
    """Call a training function, and take in what it reports.

    The global generators of Python, NumPy and, if it is loaded, torch start from the run's seed.

    Args:
        run: the run.
        on_step: called with each step.
        earlier: what earlier attempts have reported, of which a function that goes on from its
            checkpoint reports only the rest.

    Raises:
        NoMetricError: it never reported the metric.
        ValueError: no such function, or it takes other arguments.
        Exception: the function raised one.
    """
    function = resolve(run.call.function)
    report = _Report(run, on_step)
    given: dict[str, Any] = {"config": dict(run.call.settings), "seed": run.seed, "report": report}
    if "checkpoint" in arguments_of(function, run.call.function):
        given["checkpoint"] = run.checkpoint
        if run.checkpoint is not None:
            run.checkpoint.mkdir(parents=True, exist_ok=True)
    _seed_global_generators(run.seed)
    started = time.perf_counter()
    try:
        function(**given)
    except SystemExit as error:
        raise RuntimeError(f"{place_of(run.call.function)} called sys.exit({error.code})") from None
    except Exception:
        # The function may have wrapped the exception that ended it.
        if report.ended is None:
            raise
    seconds = time.perf_counter() - started - report.seconds
    return _end(run, report, earlier or Earlier(), seconds)


def _end(run: FunctionRun, report: _Report, earlier: Earlier, seconds: float) -> FunctionEnd:
    # A function that began anew reports again what an earlier attempt had reported.
    first = min(report.steps, default=math.inf)
    steps = report.steps | {step for step in earlier.steps if step < first}
    if report.ended is not None:
        status, reason = report.ended
        return FunctionEnd(status, reason, len(steps), None, seconds)
    before = {run.metric: earlier.values, **earlier.also}
    counted = {
        name: {step: value for step, value in before.get(name, {}).items() if step < first} | own
        for name, own in report.values.items()
    }
    for name, values in counted.items():
        if not values:
            named = ", ".join(sorted(report.names)) or "nothing"
            raise NoMetricError(
                f"{place_of(run.call.function)} returned without reporting {name!r}; it reported"
                f" {named}: call report(epoch=..., {name}=...)"
            )
    last = {name: values[max(values)] for name, values in counted.items()}
    value = last.pop(run.metric)
    if run.best:
        values = counted[run.metric]
        value = max(values.values()) if run.largest else min(values.values())
    return FunctionEnd("completed", "", len(steps), value, seconds, last)


class _Report:
    """The argument `report` of a training function."""

    def __init__(self, run: FunctionRun, on_step: OnStep) -> None:
        self._run = run
        self._on_step = on_step
        self._last = 0
        self._reported_at = time.perf_counter()
        self.ended: tuple[RunStatus, str] | None = None
        """How the run was ended before its function returned, and why."""
        self.steps: set[int] = set()
        self.values: dict[str, dict[int, float]] = {name: {} for name in (run.metric, *run.also)}
        """The numbers that count, by name and step."""
        self.names: set[str] = set()
        self.seconds = 0.0
        """Spent here."""

    def __call__(self, epoch: int | None = None, **metrics: float) -> None:
        """Report numbers after a step.

        Args:
            epoch: the step, from 1; None: the one after the last reported.
            metrics: the numbers by name.

        Raises:
            RunStopped: the run ends here; let it through.
            TypeError: a metric is no number.
            ValueError: the step is not beyond the last one, or beyond those of a full run.
        """
        begun = time.perf_counter()
        try:
            if self.ended is not None:  # its function went on all the same
                raise self._stopped()
            self._take(self._checked(epoch), {n: _number(n, v) for n, v in metrics.items()}, begun)
        finally:
            self._reported_at = time.perf_counter()
            self.seconds += self._reported_at - begun

    def _take(self, epoch: int, metrics: dict[str, float], now: float) -> None:
        PULSE.steps += 1
        self._last = epoch
        self.steps.add(epoch)
        self.names |= set(metrics)
        for name, values in self.values.items():
            if name not in metrics:
                continue
            if math.isfinite(metrics[name]):
                values[epoch] = metrics[name]
            else:
                reason = f"{name} is {metrics[name]} at step {epoch}"
                self.ended = self.ended or ("diverged", reason)
        value = self.values[self._run.metric].get(epoch)
        try:
            self._on_step(Step(epoch, metrics, value, now - self._reported_at))
        except RunStopped as stop:
            self.ended = self.ended or (stop.status, stop.reason)
            raise
        if self.ended is not None:
            raise self._stopped()

    def _stopped(self) -> RunStopped:
        assert self.ended is not None
        return RunStopped("interrupted", self.ended[1])

    def _checked(self, epoch: int | None) -> int:
        if epoch is None:
            return self._last + 1
        if isinstance(epoch, bool) or not hasattr(epoch, "__index__"):
            raise TypeError(f"report(epoch=...): expected a whole number from 1; got {epoch!r}")
        step = epoch.__index__()
        if step <= self._last:
            expected = "steps count from 1" if step < 1 else f"step {self._last} was reported"
            raise ValueError(f"report(epoch={step}): {expected}; report each step once, in order")
        if 0 < self._run.steps < step:
            raise ValueError(
                f"report(epoch={step}): a full run has {self._run.steps} steps; raise trainer.steps"
            )
        return step


def _number(name: str, value: Any) -> float:
    try:
        if isinstance(value, str | bytes):
            raise TypeError
        # A loss in torch has a graph behind it, about which `float` warns.
        return float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"report({name}=...): expected a number; got {type(value).__name__} {value!r:.60}"
        ) from None


def _seed_global_generators(seed: int) -> None:
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % NUMPY_SEEDS)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
