"""What a sweep is: the specification that a researcher writes in YAML, checked field by field."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trainers.config import ActivationConfig, DataConfig, NetworkConfig, OptionValue, Recipe

Kind = Literal["fixed", "uniform", "log", "int", "choice", "grid"]
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A part of a specification: frozen, without unknown keys or silent conversions."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Domain(Section):
    """The values that one parameter may take."""

    kind: Kind
    values: tuple[OptionValue, ...]
    """Low and high of a range (both included), else the values themselves."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.kind in ("uniform", "log", "int"):
            self._check_range()
        elif not self.values:
            raise ValueError(f"{self.kind} has no values; list at least one")
        elif len({(type(value), value) for value in self.values}) < len(self.values):
            raise ValueError(f"{self.kind} lists a value twice: {list(self.values)}")
        return self

    def _check_range(self) -> None:
        kinds, name = ((int,), "integers") if self.kind == "int" else ((int, float), "numbers")
        numbers = [value for value in self.values if type(value) in kinds]
        if len(numbers) != 2 or len(self.values) != 2:
            raise ValueError(f"{self.kind} takes two {name}, [low, high]; got {list(self.values)}")
        low, high = (float(number) for number in numbers)
        if not low < high < float("inf"):
            raise ValueError(f"the range {list(self.values)} is empty; low must be below high")
        if self.kind == "log" and low <= 0:
            raise ValueError(f"a log range starts above 0; got {list(self.values)}")

    @property
    def counted(self) -> bool:
        """Whether a grid search can walk the domain: a grid, or one fixed value."""
        return self.kind in ("grid", "fixed")


class SearchSection(Section):
    """How the space is searched."""

    algorithm: Literal["tpe", "gp", "qmc", "random", "grid"] = "tpe"
    trials: Count | None = None
    """How many trials; a grid search runs its whole grid."""
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _trials_fit(self) -> Self:
        if self.algorithm == "grid" and self.trials is not None:
            raise ValueError("a grid search runs its whole grid; leave trials out")
        if self.algorithm != "grid" and self.trials is None:
            raise ValueError(f"trials is missing: how many should {self.algorithm} run?")
        return self


class ResourcesSection(Section):
    """What one trial occupies."""

    cpus: Positive = 1
    gpus: NotNegative = 0


class SweepSpec(Section):
    """A sweep: a question, the space to search and what a trial is."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    question: str = ""
    purpose: Literal["confirmatory", "exploratory"] = "exploratory"
    claims: tuple[str, ...] = ()
    """The paper's claims that the sweep is designed to decide."""
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    data_fallback: Literal["digits"] | None = None
    """What to train on where the data is neither on disk nor to be downloaded; None: refuse."""
    recipe: Recipe
    activation: ActivationConfig = ActivationConfig()
    """The activation of every trial, where the space does not vary it."""
    space: dict[str, Domain] = {}
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
    search: SearchSection
    objective: Literal["last_val_error_percent", "best_val_error_percent"] = (
        "last_val_error_percent"
    )
    """What a trial's objective is the mean over seeds of."""
    resources: ResourcesSection = ResourcesSection()
    concurrency: Count | Literal["auto"] = "auto"
    """Trials at a time; auto: as many as the cluster's CPUs and GPUs hold."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        uncounted = [key for key, domain in self.space.items() if not domain.counted]
        if self.search.algorithm == "grid" and uncounted:
            raise ValueError(
                f"search: a grid search needs grid: [...] for every parameter, and {uncounted[0]}"
                " has a range or a choice; give it a grid, or search with tpe"
            )
        if self.purpose == "confirmatory" and self.search.algorithm != "grid":
            raise ValueError(
                "purpose: confirmatory needs search: grid, so that no result decides what runs"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: a seed is listed twice in {list(self.seeds)}")
        return self

    @property
    def benchmark(self) -> str:
        """Network and data, as `lenet5/mnist`."""
        return f"{self.network.name}/{self.data.name}"

    @property
    def subject(self) -> str:
        """What is searched and how, in a few words."""
        names = self.activation_names()
        activation = names[0] if len(names) == 1 else f"{len(names)} activations"
        runs = f"{len(self.seeds)} seeds x {self.recipe.epochs} epochs"
        return f"{activation} on {self.benchmark}, {self.search.algorithm}, {runs} a trial"

    @property
    def sha256(self) -> str:
        """Hash of the resolved specification, whatever the order of its keys."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """Write the resolved specification; the space keeps its order, which is the grid's."""
        return json.dumps(self.model_dump(mode="json"))

    def activation_names(self) -> tuple[str, ...]:
        """Name every activation that a trial of this sweep may have."""
        if "activation" in self.space:
            return tuple(str(value) for value in self.space["activation"].values)
        return (self.activation.name,)
