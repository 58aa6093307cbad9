"""Ray Tune's searcher: draws each trial from the study and tells it the truth about the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import optuna
from ray.tune.search import Searcher

from sweeps.search_space import configure, draw
from sweeps.spec import SweepSpec
from sweeps.study import OpenTrial, Work, tell


class StudySearcher(Searcher):
    """A searcher over one study; `on_change` hears of each trial's start, epochs and end."""

    def __init__(
        self,
        spec: SweepSpec,
        study: optuna.Study,
        on_change: Callable[[OpenTrial, str], None],
        work: Work,
    ) -> None:
        super().__init__()
        self._spec = spec
        self._study: optuna.Study | None = study
        self._on_change: Callable[[OpenTrial, str], None] | None = on_change
        self._again = list(work.again)
        self._to_ask = work.to_ask
        self._open: dict[str, OpenTrial] = {}

    def suggest(self, trial_id: str) -> Any:
        """Draw the next trial; the end of the budget is the end of the search."""
        if self._study is None or (self._to_ask == 0 and not self._again):
            return Searcher.FINISHED
        if self._again:
            number, params = self._again.pop(0)
            config_id = configure(self._spec, params, seed=0).config_id
            trial = OpenTrial(number, params, config_id, time.time(), None)
        else:
            trial = self._ask(self._study)
        self._open[trial_id] = trial
        self._notify(trial, "running")
        return {"number": trial.number, "params": trial.params, "asked_at": trial.asked_at}

    def _ask(self, study: optuna.Study) -> OpenTrial:
        started = time.perf_counter()
        study_trial = study.ask()
        self._to_ask -= 1
        params = draw(self._spec, study_trial)
        config_id = configure(self._spec, params, seed=0).config_id
        study_trial.set_user_attr("config_id", config_id)
        seconds = time.perf_counter() - started
        return OpenTrial(study_trial.number, params, config_id, time.time(), study_trial, seconds)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Take note of an epoch that a trial's worker reports."""
        trial = self._open[trial_id]
        trial.result = result
        self._notify(trial, "running")

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell the study how the trial ended: complete, pruned or failed, as it was."""
        trial = self._open.pop(trial_id, None)
        if trial is not None:
            trial.result = result or trial.result
            self._close(trial, trial.result.get("status") or ("error" if error else "interrupted"))

    def close_open(self, status: str) -> None:
        """End the trials that Ray never ended, as after an interrupt."""
        for trial_id in list(self._open):
            self._close(self._open.pop(trial_id), status)

    def _close(self, trial: OpenTrial, status: str) -> None:
        started = time.perf_counter()
        if self._study is not None and trial.study_trial is not None:
            trial.study_trial.set_user_attr("status", status)
            tell(self._study, trial.study_trial, status, trial.result.get("objective"))
        trial.search_seconds += time.perf_counter() - started
        self._notify(trial, status)

    def _notify(self, trial: OpenTrial, status: str) -> None:
        if self._on_change is not None:
            self._on_change(trial, status)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the study is the searcher's whole state."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing, see `save`."""

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles the searcher into its scratch files, where no storage address belongs.
        return {**self.__dict__, "_study": None, "_on_change": None, "_open": {}}
