"""Early stopping: which trials end before their last epoch, judged by recorded epochs alone.

A trial's seeds train one after the other, so its epochs are counted over all of them: epoch e of
the seed with index i (from 0) is step i·E + e, where E is the number of epochs of a full run. The
value at a step is the mean over the seeds begun of the error at epoch e, so that trials are
compared on the same seeds at the same age. A judge is filled from the epochs in the store, hence a
resumed sweep judges as one that never stopped.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from analysis.store.metric import Metric
from sweeps.search.brackets import bracket_of, shares
from sweeps.spec.sections import EarlyStoppingSection, SweepSpec

Epoch = tuple[int, int, int, float]
"""A trial's number, the seed's index, the epoch from 1, the validation error in percent."""


@dataclass
class _Curve:
    """How bad one trial was so far: by default its errors in percent."""

    errors: dict[tuple[int, int], float] = field(default_factory=dict)
    """By the seed's index and the epoch."""
    finished: bool = False

    def value(self, seed_index: int, epoch: int) -> float:
        """Return the mean over the seeds begun of the error at an epoch."""
        known = (self.errors.get((index, epoch)) for index in range(seed_index + 1))
        return statistics.fmean(error for error in known if error is not None)


def judge_of(spec: SweepSpec) -> Judge:
    """Return the judge of a sweep that begins."""
    return Judge(spec.early_stopping, len(spec.seeds), spec.steps, spec.objective.of_sweep)


class Judge:
    """Decides after each epoch whether its trial goes on.

    It is told values as they are, and compares how bad they are: of an accuracy its negative.
    """

    def __init__(
        self, stopping: EarlyStoppingSection, seeds: int, epochs: int, metric: Metric | None = None
    ) -> None:
        """Judge trials of so many seeds and epochs; metric: None: the validation error."""
        self._stopping = stopping
        self._metric = metric or Metric()
        self._epochs = epochs
        self._total = seeds * epochs
        self._curves: dict[int, _Curve] = {}
        self._brackets = [1]
        if stopping.rule == "hyperband":
            self._brackets = shares(stopping.grace_epochs, stopping.reduction, self._total)

    def recall(self, epochs: Iterable[Epoch], finished: Iterable[int]) -> None:
        """Take in a store's epochs, and the trials that trained to their end."""
        for trial, seed_index, epoch, error in epochs:
            self._curve(trial).errors[seed_index, epoch] = self._metric.badness(error)
        for trial in finished:
            self.end(trial, completed=True)

    def end(self, trial: int, completed: bool) -> None:
        """Note that a trial has ended."""
        if self._stopping.rule == "none":
            self._curves.pop(trial, None)  # no trial will be compared with it: free its memory
        elif completed:
            self._curve(trial).finished = True

    def value(self, trial: int, seed_index: int, epoch: int, error: float) -> float:
        """Take in an epoch and return the trial's value there, by default in percent."""
        curve = self._curve(trial)
        curve.errors[seed_index, epoch] = self._metric.badness(error)
        return self._metric.badness(curve.value(seed_index, epoch))

    def values(self, trial: int) -> dict[int, float]:
        """List a trial's values so far by step."""
        curve, meant = self._curve(trial), self._metric.badness
        return {self.step(*place): meant(curve.value(*place)) for place in sorted(curve.errors)}

    def step(self, seed_index: int, epoch: int) -> int:
        """Count the epochs of a trial, over its seeds."""
        return seed_index * self._epochs + epoch

    def verdict(self, trial: int, seed_index: int, epoch: int) -> str:
        """Return why a trial ends after an epoch that was taken in; empty where it goes on."""
        step = self.step(seed_index, epoch)
        if step < self._stopping.grace_epochs or step >= self._total:
            return ""
        if self._stopping.rule in ("asha", "hyperband"):
            halved = self._is_rung(step, self._bracket(trial))
            return self._halve(trial, seed_index, epoch) if halved else ""
        if self._stopping.rule == "median":
            return self._compare_with_share(trial, seed_index, epoch, 50)
        if self._stopping.rule == "percentile":
            return self._compare_with_share(trial, seed_index, epoch, self._stopping.percentile)
        if self._stopping.rule == "wilcoxon" and epoch == self._epochs:
            return self._test_seeds(trial, seed_index)
        return ""

    @property
    def _noun(self) -> str:
        return "epochs" if self._metric.is_error else "steps"

    def _printed(self, badness: float) -> str:
        return self._metric.printed(self._metric.badness(badness))

    def _curve(self, trial: int) -> _Curve:
        return self._curves.setdefault(trial, _Curve())

    def _bracket(self, trial: int) -> int:
        return bracket_of(trial, self._brackets)

    def _is_rung(self, step: int, bracket: int = 0) -> bool:
        rung: int = self._stopping.grace_epochs * self._stopping.reduction**bracket
        while rung < step:
            rung *= self._stopping.reduction
        return rung == step

    def _halve(self, trial: int, seed_index: int, epoch: int) -> str:
        """Keep the best 1/reduction of the trials that reached the rung so far (Li et al., 2020).

        The number kept is rounded down, as in successive halving (n_i = ⌊n / η^i⌋), but at least 1.
        Trials of one bracket are compared with each other alone; asha has one bracket.
        """
        bracket = self._bracket(trial)
        values = {
            number: curve.value(seed_index, epoch)
            for number, curve in self._curves.items()
            if (seed_index, epoch) in curve.errors and self._bracket(number) == bracket
        }
        kept = max(1, len(values) // self._stopping.reduction)
        worst_kept = sorted(values.values())[kept - 1]
        if values[trial] <= worst_kept:
            return ""
        value = self._printed(values[trial])
        company = "trials of its bracket" if len(self._brackets) > 1 else "trials"
        return (
            f"{value} is not among the best {kept} of {len(values)} {company}"
            f" after {self.step(seed_index, epoch)} {self._noun}"
        )

    def _compare_with_share(self, trial: int, seed_index: int, epoch: int, percent: float) -> str:
        """Compare a trial's best value with a percentile of others here (Golovin et al., 2017).

        The others are the trials that have finished.
        """
        others = [
            curve.value(seed_index, epoch)
            for number, curve in self._curves.items()
            if number != trial and curve.finished and (seed_index, epoch) in curve.errors
        ]
        if len(others) < self._stopping.startup_trials:
            return ""
        curve = self._curves[trial]
        best = min(curve.value(*place) for place in curve.errors)
        limit = float(np.percentile(others, percent))
        if best <= limit:
            return ""
        side = "below" if self._metric.largest else "above"
        name = "median" if percent == 50 else f"best {percent:g} %,"
        return (
            f"its best, {self._printed(best)}, is {side} the {name} {self._printed(limit)} of"
            f" {len(others)} trials"
            f" after {self.step(seed_index, epoch)} {self._noun}"
        )

    def _test_seeds(self, trial: int, seed_index: int) -> str:
        """Compare a trial with the best finished one on the seeds that it has trained.

        Steps are seeds, as Optuna's `WilcoxonPruner` needs independent ones: epochs of a run are
        not. As there, a trial with the better mean goes on whatever its ranks.
        """
        places = [(index, self._epochs) for index in range(seed_index + 1)]
        finished = [
            curve
            for number, curve in self._curves.items()
            if number != trial and curve.finished and all(p in curve.errors for p in places)
        ]
        if not finished:
            return ""
        # Best on all its seeds: a trial chosen for these seeds would be a lucky one.
        end = self._total // self._epochs - 1, self._epochs
        best, last = min(finished, key=lambda curve: curve.value(*end)), places[-1]
        rival, own = best.value(*last), self._curves[trial].value(*last)
        differences = [self._curves[trial].errors[p] - best.errors[p] for p in places]
        if own <= rival:
            return ""
        p_value = worse_by_ranks(differences)
        if p_value >= self._stopping.p_threshold:
            return ""
        return (
            f"worse than the best trial on {len(places)} seeds: {self._printed(own)} against"
            f" {self._printed(rival)}, p = {p_value:.2g}"
        )


def worse_by_ranks(differences: list[float]) -> float:
    """Return the p-value of Wilcoxon's signed-rank test that differences are not above 0.

    Differences of 0 are split between both signs, as Optuna does.
    """
    # SciPy's statistics take a second to import, and few sweeps ask for them.
    from scipy.stats import wilcoxon

    found = wilcoxon(differences, alternative="greater", zero_method="zsplit")
    return float(found.pvalue)
