"""The contract of a search: properties that hold of every entry of `ALGORITHMS`.

    @pytest.mark.parametrize("holds", CONTRACT)
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_search_keeps_its_contract(holds, algorithm, tmp_path):
        holds(algorithm, tmp_path)

Each property takes an algorithm's name and an empty folder, works on a real study there, and raises
an AssertionError that says what is broken.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from analysis.store.statuses import Status
from sweeps.search.databases import database_url
from sweeps.search.sampling import draw_parameters
from sweeps.search.study import SweepStudy, create_study, reopen_study
from sweeps.spec.algorithms import ALGORITHMS
from sweeps.spec.domain import RANGES, Domain
from sweeps.spec.reading import parse_spec
from sweeps.spec.search_space import Params, applies, configure, grid, trial_count
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from trainers.config import OptionValue

TRIALS = 12
"""More than the ten that Optuna's samplers draw at random before they learn."""
ACTIVATIONS = ["relu", "polyneuron_r"]
SPACE = {
    "activation": {"choice": ACTIVATIONS},
    "s": {"choice": [3, 5, 9]},
    "k": {"int": [1, 5]},
    "lambda_sum": {"log": [1e-4, 1e-1]},
    "learning_rate": {"log": [1e-4, 1e-2]},
    "drop_factor": {"uniform": [0.1, 0.9]},
}
WALKED_SPACE = {
    "activation": {"grid": ACTIVATIONS},
    "s": {"grid": [3, 5, 9]},
    "k": 3,
    "lambda_sum": {"grid": [0.0, 0.1]},
}

Score = Callable[[int], float]


def draws_what_applies(algorithm: str, folder: Path) -> None:
    """A trial has each parameter that applies to its activation, with a value of its domain."""
    spec = _spec(algorithm)
    for params in _run(_new_study(spec, folder), spec, trial_count(spec)):
        expected = {key for key in spec.space if applies(key, str(params["activation"]))}
        assert set(params) == expected, f"{algorithm} drew {sorted(params)} of {sorted(expected)}"
        for key, value in params.items():
            assert _lies_in(value, spec.space[key]), f"{algorithm} drew {key} = {value!r}"
        configure(spec, params)


def repeats_itself(algorithm: str, folder: Path) -> None:
    """The same seed and results draw the same trials; another seed draws others."""
    first, again, other = (
        _run(_new_study(spec, folder / name), spec, trial_count(spec))
        for name, spec in (
            ("first", _spec(algorithm, seed=1)),
            ("again", _spec(algorithm, seed=1)),
            ("other", _spec(algorithm, seed=2)),
        )
    )
    assert first == again, f"{algorithm} drew other trials from the same seed"
    if not ALGORITHMS[algorithm].walks_grid:
        assert first != other, f"{algorithm} drew the same trials from another seed"


def draws_ahead_only_what_no_result_changes(algorithm: str, folder: Path) -> None:
    """A search that is said to learn nothing draws the same trials whatever came of them."""
    spec = _spec(algorithm)
    if not spec.search.method.learns:
        count = trial_count(spec)
        rising = _run(_new_study(spec, folder / "rising"), spec, count, float)
        falling = _run(_new_study(spec, folder / "falling"), spec, count, lambda n: -float(n))
        assert rising == falling, f"{algorithm} learns from results"


def draws_nothing_twice(algorithm: str, folder: Path) -> None:
    """A resumed search draws none of its earlier trials again, and walks a grid to its end."""
    spec = _spec(algorithm)
    method, count = spec.search.method, trial_count(spec)
    study = _new_study(spec, folder / "cut")
    before = _run(study, spec, count // 2)
    study.close()
    after = _run(_reopened(spec, folder / "cut"), spec, count - count // 2)
    again = [params for params in after if params in before]
    assert not again, f"{algorithm} drew again after a resume: {again}"
    if method.walks_grid:
        assert before + after == grid(spec), f"{algorithm} did not walk its grid once"
    if method.keeps_seed:
        whole = _run(_new_study(spec, folder / "whole"), spec, count)
        assert before + after == whole, f"{algorithm} lost its place in the sequence"


def gives_unfinished_trials_again(algorithm: str, folder: Path) -> None:
    """An interrupted trial, and one whose driver died, come again: same number and parameters."""
    spec = _spec(algorithm)
    study = _new_study(spec, folder)
    interrupted, lost = ((trial := study.ask(), draw_parameters(spec, trial)) for _ in range(2))
    study.tell(interrupted[0], Status.INTERRUPTED, None)
    study.save()
    reopened = _reopened(spec, folder)
    for trial, params in (interrupted, lost):
        again = reopened.ask()
        assert again.number == trial.number, f"{algorithm} gave trial {again.number} before others"
        assert draw_parameters(spec, again) == params, f"{algorithm} gave a trial other parameters"


def is_told_every_objective(algorithm: str, folder: Path) -> None:
    """Plain Optuna reads a value for each objective, and a failure where there was none."""
    spec = _spec(algorithm)
    objectives = (spec.objective.of_sweep, *spec.also)
    study = _new_study(spec, folder)
    _run(study, spec, 1)
    trial = study.ask()
    draw_parameters(spec, trial)
    study.tell(trial, Status.COMPLETED, None)
    study.save()
    completed, failed = _stored(spec, folder)
    assert completed.state is TrialState.COMPLETE, f"{algorithm}: {completed.state}"
    assert len(completed.values) == len(objectives), f"{algorithm}: {completed.values}"
    assert failed.state is TrialState.FAIL, f"{algorithm}: {failed.state} without a value"


CONTRACT: tuple[Callable[[str, Path], None], ...] = (
    draws_what_applies,
    repeats_itself,
    draws_ahead_only_what_no_result_changes,
    draws_nothing_twice,
    gives_unfinished_trials_again,
    is_told_every_objective,
)


def _spec(algorithm: str, seed: int = 0) -> SweepSpec:
    search: dict[str, object] = {"algorithm": algorithm, "seed": seed}
    walks_grid = ALGORITHMS[algorithm].walks_grid
    if not walks_grid:
        search["trials"] = TRIALS
    space = WALKED_SPACE if walks_grid else SPACE
    return parse_spec({"name": "contract", "data": "digits", "space": space, "search": search})


def _new_study(spec: SweepSpec, folder: Path) -> SweepStudy:
    paths = SweepPaths(folder, spec.name)
    paths.create()
    return create_study(spec, paths)


def _reopened(spec: SweepSpec, folder: Path) -> SweepStudy:
    return reopen_study(spec, SweepPaths(folder, spec.name), trials_known=1)


def _stored(spec: SweepSpec, folder: Path) -> list[FrozenTrial]:
    url = database_url(SweepPaths(folder, spec.name))
    return optuna.load_study(study_name=spec.name, storage=url).trials


def _run(study: SweepStudy, spec: SweepSpec, count: int, score: Score = float) -> list[Params]:
    """Draw and complete trials; a trial's score, by its place, is each of its objectives."""
    drawn = []
    for place in range(count):
        trial = study.ask()
        drawn.append(draw_parameters(spec, trial))
        values = [score(place)] * (1 + len(spec.also))
        study.tell(trial, Status.COMPLETED, values)
        study.save()
    return drawn


def _lies_in(value: OptionValue, domain: Domain) -> bool:
    if domain.kind not in RANGES:
        return value in domain.values
    low, high = (float(end) for end in domain.values)
    whole = domain.kind != "int" or isinstance(value, int)
    return whole and low <= float(value) <= high
