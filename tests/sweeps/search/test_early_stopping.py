import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.store.metric import Metric
from sweeps.search.brackets import bracket_of, shares
from sweeps.search.early_stopping import Judge
from sweeps.spec.sections import EarlyStoppingSection

ASHA = EarlyStoppingSection(rule="asha", grace_epochs=1, reduction=3)
HYPERBAND = EarlyStoppingSection(rule="hyperband", grace_epochs=1, reduction=3)
MEDIAN = EarlyStoppingSection(rule="median", grace_epochs=2, startup_trials=3)


def run(judge: Judge, trial: int, errors: list[float], seed: int = 0) -> int | None:
    """Train one seed of a trial; return the epoch that ended it."""
    for epoch, error in enumerate(errors, start=1):
        judge.value(trial, seed, epoch, error)
        if judge.verdict(trial, seed, epoch):
            return epoch
    return None


def test_without_a_rule_every_trial_goes_on() -> None:
    judge = Judge(EarlyStoppingSection(), seeds=1, epochs=4)
    assert [run(judge, trial, [9.0 + trial] * 4) for trial in range(9)] == [None] * 9


def test_asha_keeps_the_best_third_of_each_rung() -> None:
    judge = Judge(ASHA, seeds=1, epochs=10)
    assert run(judge, 0, [50.0] * 10) is None
    assert run(judge, 1, [60.0] * 10) == 1
    assert run(judge, 2, [40.0] * 10) is None
    # The best third of the six at the first rung now: 30, 40.
    assert run(judge, 3, [30.0, 30.0, 45.0]) == 3
    judge.value(4, 0, 1, 70.0)
    judge.value(5, 0, 1, 39.0)
    assert not judge.verdict(5, 0, 1)


@pytest.mark.parametrize(
    ("trials", "kept"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (6, 2), (8, 2), (9, 3)]
)
def test_asha_rounds_the_third_that_it_keeps_down(trials: int, kept: int) -> None:
    for place in range(1, trials + 1):
        judge = Judge(ASHA, seeds=1, epochs=10)
        for trial in range(1, trials + 1):
            judge.value(trial, 0, 1, 10.0 * trial)
        assert (judge.verdict(place, 0, 1) == "") == (place <= kept)


def test_asha_s_rungs_go_on_over_the_seeds() -> None:
    judge = Judge(ASHA, seeds=4, epochs=3)
    rungs = [step for step in range(1, 13) if judge._is_rung(step)]
    assert rungs == [1, 3, 9]
    for trial, error in ((0, 20.0), (1, 10.0)):
        for seed in range(2):
            for epoch in range(1, 4):
                judge.value(trial, seed, epoch, error)
    judge.value(0, 2, 3, 20.0)
    judge.value(1, 2, 3, 37.0)
    # Step 9 is the third seed's last epoch: the means over three seeds are 20 and 19.
    assert "20.00 % is not among the best 1 of 2 trials after 9 epochs" in judge.verdict(0, 2, 3)
    assert not judge.verdict(1, 2, 3)


def test_the_last_epoch_is_nobody_s_to_take() -> None:
    judge = Judge(ASHA, seeds=1, epochs=3)
    judge.value(0, 0, 3, 1.0)
    judge.value(1, 0, 3, 99.0)
    assert judge.verdict(1, 0, 3) == ""


def test_the_median_rule_waits_for_its_quorum_and_its_grace() -> None:
    judge = Judge(MEDIAN, seeds=1, epochs=5)
    assert run(judge, 0, [90.0] * 5) is None
    for trial, error in ((1, 20.0), (2, 30.0)):
        assert run(judge, trial, [error] * 5) is None
    assert run(judge, 3, [99.0] * 5) is None  # nobody has finished yet
    for trial in range(3):
        judge.end(trial, completed=True)
    assert run(judge, 4, [31.0] * 5) == 2
    assert run(judge, 5, [30.0] * 5) is None
    assert run(judge, 6, [29.0, 99.0, 99.0, 99.0, 99.0]) is None  # its best counts


def test_hyperband_shares_trials_as_optuna_does() -> None:
    for grace, reduction, total in ((1, 3, 27), (2, 3, 30), (1, 2, 9), (4, 3, 5)):
        pruner = optuna.pruners.HyperbandPruner(grace, total, reduction)
        pruner._try_initialization(optuna.create_study(pruner=pruner))
        assert shares(grace, reduction, total) == pruner._trial_allocation_budgets
    parts = shares(1, 3, 27)
    counts = [0] * len(parts)
    for trial in range(10 * sum(parts)):
        counts[bracket_of(trial, parts)] += 1
    assert counts == pytest.approx([10 * part for part in parts], abs=2)


@given(st.lists(st.lists(st.floats(0, 100), min_size=9, max_size=9), min_size=2, max_size=40))
def test_hyperband_is_asha_in_each_bracket_by_itself(curves: list[list[float]]) -> None:
    judge = Judge(HYPERBAND, 1, 9)
    parts = shares(1, 3, 9)
    assert len(parts) == 3
    alone = [
        Judge(EarlyStoppingSection(rule="asha", grace_epochs=3**bracket), 1, 9)
        for bracket in range(3)
    ]
    for trial, curve in enumerate(curves):
        bracket = bracket_of(trial, parts)
        assert run(judge, trial, curve) == run(alone[bracket], trial, curve)


@given(
    st.lists(st.lists(st.floats(0, 100), min_size=9, max_size=9), min_size=2, max_size=12),
    st.sampled_from([ASHA, HYPERBAND, MEDIAN]),
    st.integers(0, 60),
)
def test_a_judge_that_recalls_the_store_judges_as_one_that_never_stopped(
    curves: list[list[float]], stopping: EarlyStoppingSection, cut: int
) -> None:
    def events() -> list[tuple[int, int, float]]:
        """Two workers at a time, an epoch each in turn."""
        found = []
        for first in range(0, len(curves), 2):
            pair = range(first, min(first + 2, len(curves)))
            found += [
                (one, epoch, curves[one][epoch - 1]) for epoch in range(1, 10) for one in pair
            ]
        return found

    def play(restart_at: int | None) -> dict[int, int]:
        judge, ended, recorded = Judge(stopping, 1, 9), {}, []
        finished: set[int] = set()
        for count, (trial, epoch, error) in enumerate(events()):
            if count == restart_at:
                judge = Judge(stopping, 1, 9)
                judge.recall(recorded, finished)
            if trial in ended:
                continue
            recorded.append((trial, 0, epoch, error))
            judge.value(trial, 0, epoch, error)
            if judge.verdict(trial, 0, epoch):
                ended[trial] = epoch
            elif epoch == 9:
                judge.end(trial, completed=True)
                finished.add(trial)
        return ended

    assert play(cut) == play(None)


@pytest.mark.parametrize("rule", ["asha", "median"])
def test_a_verdict_says_what_was_compared(rule: str) -> None:
    judge = Judge(EarlyStoppingSection(rule=rule, startup_trials=1), seeds=1, epochs=9)
    run(judge, 0, [10.0] * 9)
    judge.end(0, completed=True)
    judge.value(1, 0, 1, 20.0)
    assert "20.00 %" in judge.verdict(1, 0, 1)


@pytest.mark.parametrize("stopping", [ASHA, MEDIAN])
def test_the_largest_values_go_on_where_the_largest_is_best(
    stopping: EarlyStoppingSection,
) -> None:
    """A metric is judged as its negative is where the smallest is best, and told as it is."""
    curves = [[float(7 * trial * step % 11) for step in range(1, 10)] for trial in range(12)]
    small = Judge(stopping, seeds=1, epochs=10)
    large = Judge(stopping, seeds=1, epochs=10, metric=Metric("score", largest=True))
    ended = []
    for judge, sign in ((small, -1.0), (large, 1.0)):
        found = []
        for number, curve in enumerate(curves):
            found.append(run(judge, number, [sign * value for value in curve]))
            judge.end(number, completed=found[-1] is None)
        ended.append(found)
    assert ended[0] == ended[1]
    assert any(ended[0])
    assert large.values(0) == dict(enumerate(curves[0], start=1))


def test_the_reason_names_the_metric_s_own_value() -> None:
    judge = Judge(ASHA, seeds=1, epochs=10, metric=Metric("score", largest=True))
    judge.value(0, 0, 1, 0.75)
    judge.value(1, 0, 1, 0.5)
    assert judge.verdict(1, 0, 1) == "0.5 is not among the best 1 of 2 trials after 1 steps"


CURVES = st.lists(
    st.lists(st.integers(0, 40), min_size=6, max_size=6, unique=True), min_size=3, max_size=6
)
"""Badness by trial and step; the last trial is judged, the others have finished."""


def pruned_by_optuna(pruner: optuna.pruners.BasePruner, curves: list[list[int]]) -> int | None:
    """Return the last trial's step, from 1, at which one of Optuna's pruners ends it."""
    study = optuna.create_study(pruner=pruner)
    for curve in curves[:-1]:
        trial = study.ask()
        for step, value in enumerate(curve, start=1):
            trial.report(value, step)
        study.tell(trial, sum(curve) / len(curve))
    trial = study.ask()
    for step, value in enumerate(curves[-1][:-1], start=1):
        trial.report(value, step)
        if trial.should_prune():
            return step
    return None


@given(CURVES)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_percentiles_are_optunas(curves: list[list[int]]) -> None:
    section = EarlyStoppingSection(rule="percentile", percentile=40, startup_trials=1)
    judge = Judge(section, seeds=1, epochs=6)
    for number, curve in enumerate(curves[:-1]):
        judge.recall(((number, 0, epoch, v) for epoch, v in enumerate(curve, 1)), [number])
    pruner = optuna.pruners.PercentilePruner(40, n_startup_trials=1)
    assert run(judge, len(curves), curves[-1]) == pruned_by_optuna(pruner, curves)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@given(CURVES)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_ranks_of_seeds_are_optunas(curves: list[list[int]]) -> None:
    """Steps are seeds, of two epochs each: the first epoch is nobody's to judge by."""
    judge = Judge(EarlyStoppingSection(rule="wilcoxon"), seeds=6, epochs=2)
    for number, curve in enumerate(curves[:-1]):
        judge.recall(((number, seed, 2, value) for seed, value in enumerate(curve)), [number])
    found = None
    for seed, value in enumerate(curves[-1]):
        found = found or (seed + 1 if run(judge, len(curves), [99.0, value], seed) else None)
    pruner = optuna.pruners.WilcoxonPruner(p_threshold=0.1, n_startup_steps=0)
    assert found == pruned_by_optuna(pruner, curves)
