"""A sweep that goes on: the judge's memory, the trials that are trained again, changed seeds."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import analysis
from analysis.store.blocks import Block, added_seeds, blocks_json, read_blocks
from analysis.store.errors import StoreError
from analysis.store.schema import EPOCHS, RUNS, SWEEPS, TRIALS
from analysis.store.statuses import Status
from sweeps.driver.changes import refuse_changes
from sweeps.driver.continuation import Request, extended, recalled_judge, trials_to_repeat
from sweeps.driver.rows import close_runs, sweep_row, trial_row
from sweeps.search.open_trials import OpenTrial, TrialOutcome
from sweeps.search.sampling import draw_parameters
from sweeps.search.study import SweepStudy, check_there, create_study, reopen_study
from sweeps.spec.errors import SpecError
from sweeps.spec.overrides import with_settings
from sweeps.spec.reading import load_spec, parse_spec
from sweeps.spec.repetitions import seeds_of
from sweeps.spec.search_space import configure
from sweeps.spec.sections import MAX_SEEDS, SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version

RAW = {
    "name": "goes-on",
    "data": "digits",
    "recipe": {"epochs": 3},
    "space": {"learning_rate": {"log": [1e-4, 1e-2]}},
    "search": {"algorithm": "random", "trials": 4},
    "early_stopping": "asha",
    "seeds": [7, 2],
}
ERRORS = {7: (60.0, 40.0, 20.0), 2: (50.0, 30.0, 10.0)}
"""Of each seed, by epoch, in percent."""


def spec_of(*settings: str) -> SweepSpec:
    return parse_spec(with_settings(RAW, settings))


class Stored:
    """A store and a study on disk, in which whole trials can be put."""

    def __init__(self, root: Path, spec: SweepSpec | None = None) -> None:
        self.spec = spec or spec_of()
        self.paths = SweepPaths(root, self.spec.name)
        self.paths.create()
        self.writer = self.paths.store.writer("driver")
        self.writer.write(SWEEPS, [sweep_row(self.spec, 4)])
        self.study: SweepStudy = create_study(self.spec, self.paths)

    def results(self) -> analysis.Results:
        return analysis.load(self.paths.folder)

    def add_trial(self, *seeds: int, status: Status = Status.COMPLETED, told: bool = True) -> int:
        """Train a trial with these seeds; `told`: the study has its end."""
        drawn = self.study.ask()
        params = draw_parameters(self.spec, drawn)
        config_id = configure(self.spec, params).config_id
        for seed in seeds:
            run = {"sweep": self.spec.name, "run_id": f"{config_id}-s{seed}"}
            columns = {"trial": drawn.number, "config_id": config_id, "seed": seed}
            self.writer.write(RUNS, [{**run, **columns, "status": Status.COMPLETED}])
            self.writer.write(
                EPOCHS,
                [
                    {**run, "epoch": epoch, "val_error_percent": error}
                    for epoch, error in enumerate(ERRORS[seed], start=1)
                ],
            )
        trial = OpenTrial(drawn.number, params, config_id, given_at=0.0, study_trial=drawn)
        trial.outcome = TrialOutcome(status, objective=10.0, seeds_done=len(seeds))
        self.writer.write(TRIALS, [trial_row(self.spec.name, trial)])
        if told:
            self.study.tell(drawn, status, [10.0])
        return drawn.number


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(tmp_path)


def test_a_recalled_judge_has_each_seed_at_its_place_in_the_list(stored: Stored) -> None:
    stored.add_trial(7, 2)
    assert stored.results().sweeps["blocks_json"].tolist() == [blocks_json(())]  # it is sound
    judge = recalled_judge(stored.spec, stored.results())
    # The second seed's epochs are steps 4 to 6; there a value is the mean over both seeds.
    assert judge.values(0) == {1: 60.0, 2: 40.0, 3: 20.0, 4: 55.0, 5: 35.0, 6: 15.0}


def test_seeds_in_another_order_are_other_steps(stored: Stored) -> None:
    stored.add_trial(7, 2)
    judge = recalled_judge(spec_of("seeds=[2, 7]"), stored.results())
    assert judge.values(0) == {1: 50.0, 2: 30.0, 3: 10.0, 4: 55.0, 5: 35.0, 6: 15.0}


def test_epochs_of_a_seed_that_is_listed_no_more_count_for_nothing(stored: Stored) -> None:
    stored.add_trial(7, 2)
    judge = recalled_judge(spec_of("seeds=[2, 5]"), stored.results())
    assert judge.values(0) == {1: 50.0, 2: 30.0, 3: 10.0}


def test_changed_seeds_are_refused_until_accepted(stored: Stored) -> None:
    row = {"spec_json": stored.spec.to_json(), "code_version": code_version()}
    for seeds in ("[7, 5]", "[2, 7]", "[7]", "[7, 2, 5]"):
        with pytest.raises(StoreError, match=r"seeds: \[7, 2\] -> ") as refused:
            refuse_changes(stored.paths, row, (), spec_of(f"seeds={seeds}"))
        assert f"seeds: [7, 2] -> {seeds}" in str(refused.value)


@pytest.mark.parametrize(
    ("seeds", "again"), [("[7, 2]", []), ("[2, 7]", []), ("[2]", []), ("[7, 5]", [0])]
)
def test_a_completed_trial_is_trained_again_for_a_seed_that_it_lacks(
    stored: Stored, seeds: str, again: list[int]
) -> None:
    stored.add_trial(7, 2)
    found = trials_to_repeat(spec_of(f"seeds={seeds}"), stored.results(), stored.study, {})
    assert [number for number, _ in found] == again


def test_a_trial_is_trained_again_for_a_seed_of_its_own_alone(stored: Stored) -> None:
    first, second = stored.add_trial(7, 2), stored.add_trial(7, 2)
    blocks = (Block(("a",), {second: (0,)}), Block(("b",), {second: (0, 1)}))
    read = read_blocks(blocks_json(blocks))
    assert read == blocks
    added = added_seeds(read, stored.results().trials)
    assert list(added.values()) == [(0, 1)]
    found = trials_to_repeat(stored.spec, stored.results(), stored.study, added)
    assert [number for number, _ in found] == [second]
    assert first not in [number for number, _ in found]
    assert seeds_of(stored.spec, {}, (0, 1, 2)) == (7, 2, 0, 1)


def test_a_store_without_blocks_has_no_seeds_of_single_trials(stored: Stored) -> None:
    number = stored.add_trial(7, 2)
    for text in (None, float("nan"), blocks_json(())):
        assert added_seeds(read_blocks(text), stored.results().trials) == {}
    unknown = Block((), {number + 1: (0,)})  # a block of which the store lost the trial
    assert added_seeds([unknown], stored.results().trials) == {}


def test_only_trials_without_an_end_in_the_store_are_repeated(stored: Stored) -> None:
    stored.add_trial(7, 2)
    stored.add_trial(7, status=Status.DIVERGED)
    cut_off = stored.add_trial(7, status=Status.INTERRUPTED, told=False)
    lost = stored.add_trial(7, status=Status.RUNNING)  # the driver died before it wrote the end
    found = trials_to_repeat(stored.spec, stored.results(), stored.study, {})
    assert [number for number, _ in found] == [lost]  # the study itself queues the cut-off one
    assert cut_off not in [number for number, _ in found]
    assert found[0][1] == dict(stored.study.trials[lost].params)


def test_runs_that_no_worker_has_any_more_are_interrupted(stored: Stored) -> None:
    stored.add_trial(7)
    key = {"sweep": stored.spec.name, "run_id": "gone-s2"}
    run = {**key, "started_at": datetime.now(UTC), "seed": 2, "trial": 0}
    stored.writer.write(RUNS, [{**run, "status": Status.RUNNING}])
    stored.writer.write(EPOCHS, [{**key, "epoch": 1, "val_error_percent": 50.0}])
    close_runs(stored.results(), stored.paths.store)
    runs = stored.results().runs.set_index("run_id")
    assert runs.loc["gone-s2", ["status", "epochs_done", "seed"]].tolist() == ["interrupted", 1, 2]
    assert (runs["status"] == Status.COMPLETED).sum() == 1


def test_seeds_are_extended_up_to_a_bound() -> None:
    assert len(extended(spec_of(), Request(seeds=MAX_SEEDS)).seeds) == MAX_SEEDS
    with pytest.raises(SpecError, match=r"--seeds: at most 10,000 a trial; got 10001"):
        extended(spec_of(), Request(seeds=MAX_SEEDS + 1))
    with pytest.raises(SpecError, match="a timing sweep's seeds are its repetitions"):
        extended(load_spec("timing_lenet5"), Request(seeds=9))


def test_a_repetition_is_trained_again_for_its_own_seed_alone(tmp_path: Path) -> None:
    """Repetitions share a configuration: the others' runs are no run of this one."""
    timed = {"purpose": "timing", "search": "grid", "space": {}, "seeds": [7, 2, 0, 1, 3]}
    stored = Stored(tmp_path, parse_spec({**RAW, **timed, "early_stopping": "none"}))
    stored.add_trial(7)
    lost = stored.add_trial()
    found = trials_to_repeat(stored.spec, stored.results(), stored.study, {})
    assert found == ((lost, {"repetition": 2}),)


@pytest.mark.parametrize(
    "changed", ["objective.also={parameters: min}", "objective.also={epoch_seconds: max}"]
)
def test_other_objectives_than_the_search_has_learned_from_are_refused(
    tmp_path: Path, changed: str
) -> None:
    spec = spec_of("objective.also={epoch_seconds: min}")
    paths = SweepPaths(tmp_path, spec.name)
    paths.create()
    create_study(spec, paths).close()
    check_there(spec, paths, trials_known=1)
    with pytest.raises(StoreError, match="objective: the search of this sweep has learned from"):
        check_there(spec_of(changed), paths, trials_known=1)


CHOICE = "space.s={choice: [3, 5]}"


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ("space.s={choice: [3, 7]}", True),
        ("space.s={choice: [5, 3]}", True),
        ("space.s={int: [3, 7]}", True),
        ("space.s=5", False),
        ("space.learning_rate={log: [1e-5, 1e-1]}", False),
        ("space.k={choice: [1, 3]}", False),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
def test_a_space_that_a_waiting_trial_cannot_be_drawn_in_is_refused_by_name(
    tmp_path: Path, changed: str, refused: bool, waits: bool
) -> None:
    """Whatever is not refused, the trial goes on in: Optuna raises nothing in the middle."""
    spec = spec_of(CHOICE, "activation=polyneuron_r")
    paths = SweepPaths(tmp_path, spec.name)
    paths.create()
    study = create_study(spec, paths)
    drawn = study.ask()
    before = draw_parameters(spec, drawn)
    study.tell(drawn, Status.INTERRUPTED if waits else Status.COMPLETED, None if waits else [1.0])
    study.save()
    study.close()
    now = spec_of(CHOICE, "activation=polyneuron_r", changed)
    if refused and waits:
        with pytest.raises(StoreError, match=r"space\.s: trial 0 was interrupted with s = [35]"):
            check_there(now, paths, trials_known=1)
        return
    check_there(now, paths, trials_known=1)
    reopened = reopen_study(now, paths, trials_known=1)
    after = draw_parameters(now, reopened.ask())
    assert set(after) == set(now.space)
    if waits and "space.s=5" not in changed:
        assert after["s"] == before["s"]
    reopened.close()
