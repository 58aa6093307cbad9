"""The sections of a specification, checked field by field.

The docstrings of fields are the descriptions that an editor shows.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from analysis.store.metric import BUILT_IN, EPOCH_SECONDS, Metric
from sweeps.spec.agreements import AGREEMENTS
from sweeps.spec.algorithms import ALGORITHMS, Algorithm
from sweeps.spec.domain import Count, Domain, NotNegative, Positive, Section, check_conditions
from sweeps.spec.errors import hint
from sweeps.spec.hypotheses import HypothesisSection
from trainers.config import ActivationConfig, DataConfig, NetworkConfig, OptionValue, Recipe


def _known_algorithm(name: str) -> str:
    if name not in ALGORITHMS:
        raise ValueError(f"no search algorithm {name!r}; {hint(name, list(ALGORITHMS))}")
    return name


MAX_SEED = 2**31 - 1
"""Largest seed of a run: the results' tables keep it in 32 bits."""

MAX_SEARCH_SEED = 2**32 - 1
"""Largest seed that NumPy's generators, and so Optuna's samplers, take."""

MAX_SEEDS = 10_000
"""Most seeds of a trial: each is listed in the specification and in its hash."""

MAX_FURTHER = 4
"""Most objectives beside the first: with more, hardly any trial is beaten in all of them."""

MIN_REPETITIONS = 5
"""Fewest processes in which a timing sweep times each of its trials."""

AlgorithmName = Annotated[
    str,
    AfterValidator(_known_algorithm),
    Field(
        description="; ".join(f"{name} {method.about}" for name, method in ALGORITHMS.items()),
        json_schema_extra={"enum": [*ALGORITHMS]},
    ),
]


class SearchSection(Section):
    """The algorithm that draws trials from the space, and their number."""

    algorithm: AlgorithmName = "tpe"
    trials: Count | None = None
    """Number of trials; left out with `grid`, which runs its whole grid."""
    seed: Annotated[int, Field(ge=0, le=MAX_SEARCH_SEED)] = 0
    """Seed of the algorithm: the same seed and results draw the same trials."""
    enqueue: tuple[dict[str, OptionValue], ...] = ()
    """Points to try first, each with some of the parameters; the search draws the others."""

    @property
    def method(self) -> Algorithm:
        """The record of the algorithm."""
        return ALGORITHMS[self.algorithm]

    @model_validator(mode="after")
    def _trials_fit(self) -> Self:
        if self.method.walks_grid and self.trials is not None:
            raise ValueError("a grid search runs its whole grid; leave trials out")
        if not self.method.walks_grid and self.trials is None:
            raise ValueError(f"trials is missing: how many should {self.algorithm} run?")
        if self.method.walks_grid and self.enqueue:
            raise ValueError("a grid search runs its whole grid; leave enqueue out")
        return self


class EarlyStoppingSection(Section):
    """The rule by which trials end before their last epoch.

    A trial's seeds train one after the other, and its epochs are counted over all of them. Its
    value at an epoch is the mean error there over the seeds that have begun.
    """

    rule: Literal["none", "asha", "hyperband", "median", "percentile", "wilcoxon"] = "none"
    """asha: at each rung, the best 1/reduction of the trials that have reached it go on. hyperband:
    the same in several brackets of trials, some of which begin to halve later, for when nobody
    knows how soon a rank tells anything. median: a trial ends once its best value so far is above
    the median of the finished trials' values at that epoch. percentile: the same with another
    percentile. wilcoxon: a trial ends after a seed once Wilcoxon's signed-rank test, seed by seed,
    finds it worse than the best finished trial; it needs at least 5 seeds. The last two are
    Optuna's PercentilePruner and WilcoxonPruner."""
    grace_epochs: Count = 1
    """Epochs that every trial trains."""
    reduction: Annotated[int, Field(ge=2)] = 3
    """asha, hyperband: the rungs are at grace_epochs times 1, reduction, its square and so on."""
    startup_trials: Count = 5
    """median, percentile: trials that have to be finished before the rule ends any."""
    percentile: Annotated[float, Field(gt=0, lt=100)] = 25
    """percentile: a trial goes on while its best value is among this share of the finished trials'
    best values, in percent."""
    p_threshold: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """wilcoxon: the p-value below which a trial ends."""


class TrainerSection(Section):
    """A training function of one's own, in place of this program's networks, data and recipe."""

    name: str
    """The function, as `module:function`, called as `train(config=..., seed=..., report=...)`: the
    trial's parameters, a seed, and a function that takes numbers, as
    `report(epoch=1, loss=0.3)`. An argument `checkpoint` is a folder that stays for a resume."""
    steps: Count | None = None
    """Steps that a full run reports. Early stopping needs it; without it progress counts runs."""
    code: str = ""
    """Hash of the modules of one's own that the function reaches; filled in when a specification
    is read."""


class ObjectiveSection(Section):
    """The value that the search minimises, or maximises."""

    metric: str = BUILT_IN
    """`last_val_error_percent` or `best_val_error_percent`, the error of a run; or a number that a
    training function of one's own reports. The objective is its mean over a trial's seeds."""
    direction: Literal["min", "max"] = "min"
    """`max`: the largest objective is best, as of an accuracy."""
    at: Literal["last", "best"] = "last"
    """Which of the numbers that a training function of one's own reports in a run counts: the last
    one, or the best one."""
    plus_standard_errors: NotNegative = 0
    """Standard errors of that mean by which it is made worse, for a cautious search."""
    also: Annotated[dict[str, Literal["min", "max"]], Field(max_length=MAX_FURTHER)] = Field(
        default_factory=dict
    )
    """Further numbers to search by, each `min` or `max`: the search looks for the trials that no
    other one beats in all of them. A training function of one's own reports them, of a network they
    are `parameters` and `epoch_seconds`. Early stopping and the order of trials go by `metric`."""

    @property
    def of_sweep(self) -> Metric:
        """The metric and its direction."""
        return Metric(self.metric, self.direction == "max")


class BudgetSection(Section):
    """Limits of a sweep: it stops at the first one that it reaches, and can be resumed."""

    gpu_hours: Positive | None = None
    """Hours of GPU time, over all trials: two trials with half a GPU each use one an hour."""
    wall_hours: Positive | None = None
    """Hours in which at least one trial ran."""
    megabytes: Positive | None = None
    """Disk space of the sweep's folder, in 10^6 bytes."""


class LimitsSection(Section):
    """Limits after which a worker that hangs is replaced; its trial goes on from its checkpoint."""

    silence_seconds: Positive = 60
    """Longest time without a sign of life, which a worker gives every few seconds. Longer for a
    function that holds Python's interpreter lock."""
    stall_seconds: Positive | None = None
    """Longest time without a training step. Left out: 20 times the usual step, at least two
    minutes."""
    start_seconds: Positive = 600
    """Longest time from the start of a run to its first step: data, compilation."""
    run_hours: Positive | None = None
    """Longest time of a run: one that takes longer ends as an error after its epoch."""


class ResourcesSection(Section):
    """CPUs and GPUs of one trial."""

    cpus: Positive = 1
    """CPU cores of one trial, and its threads."""
    gpus: NotNegative = 0
    """GPUs of one trial. 0.25: four trials share a GPU."""

    @model_validator(mode="after")
    def _schedulable(self) -> Self:
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus: a fraction of one, or whole GPUs; got {self.gpus:g}")
        return self


class SweepSpec(Section):
    """A sweep: a question, the space to search and what a trial is."""

    # The name is a folder's and a study's, and stands in commands.
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
    """Name of the sweep, and of its folder below the root of results. Left out: the file's name."""
    question: str = ""
    """The question in words, which the plan and the report show."""
    purpose: Literal["confirmatory", "exploratory", "timing"] = "exploratory"
    """`confirmatory`: a grid, each trial trained to its end, so that no result decides what runs.
    Verdicts on claims are drawn from such sweeps alone. `timing`: a grid whose seeds are
    repetitions, each a trial in a process of its own, in random order and one at a time; verdicts
    on times are drawn from such sweeps alone. `exploratory`: a search."""
    claims: tuple[str, ...] = ()
    """The paper's claims that the sweep is designed to decide."""
    hypotheses: tuple[HypothesisSection, ...] = ()
    """Hypotheses of one's own, of a sweep whose purpose is confirmatory: its report has a verdict
    on each, and `sweeps settle` adds seeds until they are decided."""
    trainer: TrainerSection | None = None
    """A training function of one's own; left out: the network is trained on the data."""
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    data_fallback: Literal["digits"] | None = None
    """Data to train on where `data` is neither on disk nor to be downloaded; None: refuse."""
    recipe: Recipe
    """How a network is trained. Settings that are left out are the paper's for the network."""
    activation: ActivationConfig = ActivationConfig()
    """The activation of every trial, where the space does not vary it."""
    space: dict[str, Domain] = Field(default_factory=dict)
    """The parameters that trials vary, each with its values."""
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, le=MAX_SEED)], ...],
        Field(min_length=1, max_length=MAX_SEEDS),
    ]
    search: SearchSection
    early_stopping: EarlyStoppingSection = EarlyStoppingSection()
    objective: ObjectiveSection = ObjectiveSection()
    budget: BudgetSection = BudgetSection()
    """Limits of time and disk: the sweep stops at the first one reached, and can be resumed."""
    limits: LimitsSection = LimitsSection()
    """Limits after which a worker that hangs is replaced."""
    resources: ResourcesSection = ResourcesSection()
    """CPUs and GPUs of one trial."""
    concurrency: Count | Literal["auto"] = "auto"
    """Trials at a time; auto: as many as the cluster's CPUs and GPUs hold, of a timing sweep one.
    """
    priority: Positive = 1
    """Weight beside other sweeps of the same machines: 2 has twice the places of 1."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        uncounted = [key for key, domain in self.space.items() if not domain.counted]
        if self.search.method.walks_grid and uncounted:
            raise ValueError(
                f"search: a grid search needs grid: [...] for every parameter, and {uncounted[0]}"
                " has a range or a choice; give it a grid, or search with tpe"
            )
        check_conditions(self.space)
        for check in AGREEMENTS:
            check(self)
        if self.purpose != "exploratory":
            self._check_fixed_design()
        if self.purpose == "timing":
            self._check_timing()
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds: a seed is listed twice in {list(self.seeds)}")
        if self.objective.plus_standard_errors > 0 and self.seeds_each < 2:
            raise ValueError("objective: a standard error takes at least two seeds a trial")
        return self

    def _check_fixed_design(self) -> None:
        if not self.search.method.walks_grid:
            raise ValueError(
                f"purpose: {self.purpose} needs search: grid, so that no result decides what runs"
            )
        if self.early_stopping.rule != "none":
            raise ValueError(
                f"purpose: {self.purpose} trains every trial to its last epoch;"
                " leave early_stopping out"
            )

    def _check_timing(self) -> None:
        if len(self.seeds) < MIN_REPETITIONS:
            raise ValueError(
                f"purpose: timing repeats each trial at least {MIN_REPETITIONS} times, with a seed"
                f" each; got {len(self.seeds)} seeds"
            )
        if self.recipe.epochs < 2:
            raise ValueError(
                "purpose: timing leaves the first epoch out as a warm-up; recipe.epochs: at least 2"
            )
        if self.concurrency not in ("auto", 1):
            raise ValueError("purpose: timing trains one trial at a time; leave concurrency out")

    @property
    def also(self) -> tuple[Metric, ...]:
        """The objectives beside the first one, in the order of the study's values."""
        named = self.objective.also or dict.fromkeys(self.search.method.against, "min")
        return tuple(Metric(name, way == "max") for name, way in named.items())

    @property
    def also_reported(self) -> tuple[str, ...]:
        """Names of those objectives that runs tell, without the time of an epoch."""
        return tuple(one.name for one in self.also if one.name != EPOCH_SECONDS)

    @property
    def seeds_each(self) -> int:
        """The number of seeds of a trial; a timing sweep's are repetitions, each a trial."""
        return 1 if self.purpose == "timing" else len(self.seeds)

    @property
    def most_at_once(self) -> int | None:
        """Trials at a time at most; None: as many as the cluster holds."""
        limit = None if self.concurrency == "auto" else self.concurrency
        return 1 if self.purpose == "timing" else limit

    @property
    def benchmark(self) -> str:
        """Network and data, as `lenet5/mnist`; or the training function of the user's own."""
        return self.trainer.name if self.trainer else f"{self.network.name}/{self.data.name}"

    @property
    def steps(self) -> int:
        """Epochs, or steps, of a full run; 0 where a training function does not say."""
        return (self.trainer.steps or 0) if self.trainer else self.recipe.epochs

    @property
    def subject(self) -> str:
        """Activations, benchmark, search and seeds, in a few words."""
        seeds = "1 seed" if self.seeds_each == 1 else f"{self.seeds_each} seeds"
        if self.trainer is not None:
            runs = f"{seeds} x {self.steps} steps" if self.steps else seeds
            return f"{self.benchmark}, {self.search.algorithm}, {runs} a trial"
        names = self.activation_names()
        activation = names[0] if len(names) == 1 else f"{len(names)} activations"
        runs = f"{seeds} x {self.recipe.epochs} epochs"
        return f"{activation} on {self.benchmark}, {self.search.algorithm}, {runs} a trial"

    @property
    def sha256(self) -> str:
        """Hash of the resolved specification, whatever the order of its keys."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """Write the resolved specification; the space keeps the order in which a grid is walked."""
        return json.dumps(self.model_dump(mode="json"))

    def activation_names(self) -> tuple[str, ...]:
        """Name every activation that a trial of this sweep may have."""
        if self.trainer is not None:
            return ()
        if "activation" in self.space:
            return tuple(str(value) for value in self.space["activation"].values)
        return (self.activation.name,)
