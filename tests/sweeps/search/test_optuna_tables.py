"""Rows written in one transaction are those that Optuna writes in many."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import optuna
import pytest
import sqlalchemy as sa
from optuna.trial import FrozenTrial

from analysis.store.errors import StoreError
from analysis.store.statuses import Status
from sweeps.search import optuna_tables, study
from sweeps.search.sampling import draw_parameters
from sweeps.search.study import create_study
from sweeps.spec.reading import parse_spec
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths

SPACE = {
    "activation": {"choice": ["relu", "polyneuron_r"]},
    "s": {"choice": [3, 5, 9]},
    "lambda_sum": {"log": [1e-4, 1e-1]},
    "batch_size": {"int": [32, 256]},
    "learning_rate": {"uniform": [1e-4, 1e-2]},
}
ALGORITHMS = ["tpe", "gp", "cmaes", "qmc", "random", "nsga2"]


def spec_of(algorithm: str, trials: int = 12) -> SweepSpec:
    space = SPACE
    if algorithm == "cmaes":
        space = {name: SPACE[name] for name in ("batch_size", "learning_rate")}
    search = {"algorithm": algorithm, "trials": trials}
    return parse_spec({"name": "kept", "data": "digits", "space": space, "search": search})


def work(one: study.SweepStudy, spec: SweepSpec, trials: int) -> None:
    """Draw trials and end them in every way there is."""
    for index in range(trials):
        trial = one.ask()
        draw_parameters(spec, trial)
        trial.set_user_attr("config_id", f"{index:016x}")
        one.save()
        for step in (1, 2):
            one.report(trial, math.inf if index == 4 else 50.0 - index - step, step)
            one.save()
        status = ("completed", "pruned", "diverged", "completed")[index % 4]
        values = [float(index), 0.5] if spec.search.algorithm == "nsga2" else [float(index)]
        one.tell(trial, status, values if status == "completed" else None)
        one.save()


def read(paths: SweepPaths) -> list[FrozenTrial]:
    url = f"sqlite:///{paths.study}"
    return optuna.load_study(study_name="kept", storage=url).trials


def same(one: FrozenTrial, other: FrozenTrial) -> bool:
    names = "number state values params distributions user_attrs system_attrs intermediate_values"
    return all(getattr(one, name) == getattr(other, name) for name in names.split())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_plain_optuna_reads_what_the_search_holds(algorithm: str, tmp_path: Path) -> None:
    spec, paths = spec_of(algorithm), SweepPaths(tmp_path, "kept")
    paths.create()
    kept = study.create_study(spec, paths)
    work(kept, spec, 12)
    on_disk = read(paths)
    assert len(on_disk) == 12
    for held, stored in zip(kept.trials, on_disk, strict=True):
        assert same(held, stored)
        assert stored.datetime_start == held.datetime_start
        assert stored.datetime_complete == held.datetime_complete


def test_the_file_is_read_while_it_is_written_and_whole_by_itself_afterwards(
    tmp_path: Path,
) -> None:
    spec, paths = spec_of("random"), SweepPaths(tmp_path, "kept")
    paths.create()
    kept = study.create_study(spec, paths)
    with closing(sqlite3.connect(paths.study)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM trials").fetchall()
        work(kept, spec, 2)
        assert len(read(paths)) == 2
    kept.close()
    copy = tmp_path / "copy.db"
    copy.write_bytes(paths.study.read_bytes())
    found = optuna.load_study(study_name="kept", storage=f"sqlite:///{copy}").trials
    assert [one.number for one in found] == [0, 1]


def without_answer(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Have the database refuse so many transactions, each after it was asked for."""
    refusals = iter(range(times))
    begin = sa.Engine.begin

    @contextmanager
    def begin_or_refuse(engine: sa.Engine) -> Iterator[sa.Connection]:
        with begin(engine) as connection:
            yield connection
            if next(refusals, None) is not None:
                raise sa.exc.OperationalError("COMMIT", {}, OSError("server closed"))

    monkeypatch.setattr(sa.Engine, "begin", begin_or_refuse)
    monkeypatch.setattr(optuna_tables, "FIRST_PAUSE_SECONDS", 0.0)


def test_a_transaction_that_failed_is_made_again_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, paths = spec_of("random"), SweepPaths(tmp_path, "kept")
    paths.create()
    kept = study.create_study(spec, paths)
    without_answer(monkeypatch, times=3)
    work(kept, spec, 4)
    assert all(same(*pair) for pair in zip(kept.trials, read(paths), strict=True))


def test_a_database_that_stays_away_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, paths = spec_of("random"), SweepPaths(tmp_path, "kept")
    paths.create()
    kept = study.create_study(spec, paths)
    without_answer(monkeypatch, times=1000)
    monkeypatch.setattr(optuna_tables, "PATIENCE_SECONDS", 0.0)
    with pytest.raises(StoreError, match="does not answer: server closed"):
        work(kept, spec, 1)
    monkeypatch.undo()
    assert read(paths) == []


def test_optuna_itself_would_have_written_the_same_rows(tmp_path: Path) -> None:
    spec, paths = spec_of("tpe"), SweepPaths(tmp_path, "kept")
    paths.create()
    kept = study.create_study(spec, paths)
    work(kept, spec, 8)
    url = f"sqlite:///{tmp_path / 'plain.db'}"
    plain = optuna.create_study(study_name="kept", storage=url)
    plain.add_trials(kept.trials)

    def rows(url: str, table: str, columns: str) -> list[tuple]:
        # A trial's id is the database's own; its number is the study's.
        query = f"SELECT number, {columns} FROM {table} JOIN trials USING (trial_id)"
        with sa.create_engine(url).connect() as connection:
            return sorted(tuple(row) for row in connection.execute(sa.text(query)))

    steps = "step, ifnull(intermediate_value, -1), intermediate_value_type"
    for table, columns in {
        "trial_params": "param_name, param_value, distribution_json",
        "trial_values": "objective, value, value_type",
        "trial_intermediate_values": steps,
        "trial_user_attributes": "key, value_json",
        "trial_system_attributes": "key, value_json",
    }.items():
        written = rows(f"sqlite:///{paths.study}", table, columns)
        assert rows(url, table, columns) == written
        assert written or table == "trial_system_attributes"


def test_a_retried_trial_is_kept_whole(tmp_path: Path) -> None:
    """It waited in the study of this very driver: Optuna changes such a trial where it lies."""
    space = {"learning_rate": {"grid": [1e-4]}}
    spec = parse_spec({"name": "x", "data": "digits", "space": space, "search": "grid"})
    paths = SweepPaths(tmp_path, "x")
    paths.create()
    kept = create_study(spec, paths)

    def fail() -> None:
        trial = kept.ask()
        draw_parameters(spec, trial)
        trial.set_user_attr("config_id", "c")
        kept.save()
        kept.tell(trial, Status.ERROR, None)
        kept.save()

    fail()
    assert kept.queue_again() == 1
    fail()
    kept.close()
    url = f"sqlite:///{paths.folder / 'study.db'}"
    again = optuna.load_study(study_name="x", storage=url).trials[1]
    assert again.params == {"learning_rate": 1e-4}
    assert again.user_attrs == {"retry_of": 0, "config_id": "c", "status": "error"}
