"""Continuation: a sweep goes on from its store and its study, whatever became of its driver."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
from rich.console import Console

import analysis
from analysis import Results
from analysis.measures.rows import records
from analysis.store.blocks import AddedSeeds, Block, added_seeds, blocks_json, read_blocks
from analysis.store.contract import Row
from analysis.store.errors import StoreError
from analysis.store.plain_rows import read_rows
from analysis.store.schema import EVENTS, SWEEPS, TRIALS
from analysis.store.statuses import FINAL, Status
from analysis.store.whole_files import write_atomically
from sweeps.driver.changes import note_code, refuse_changes
from sweeps.driver.driver import drive
from sweeps.driver.preparation import Prepared, keep_modules, prepare, stored_spec
from sweeps.driver.rows import OPEN, close_runs, declared, event, lost_errors
from sweeps.driver.spending import Spending
from sweeps.driver.sweep import Sweep, begun_view
from sweeps.search.early_stopping import Judge, judge_of
from sweeps.search.sampling import restored_parameters
from sweeps.search.study import SweepStudy, Work, check_there, reopen_study
from sweeps.spec.errors import SpecError
from sweeps.spec.overrides import with_settings
from sweeps.spec.reading import load_spec, parse_spec
from sweeps.spec.repetitions import seeds_of
from sweeps.spec.search_space import Params, trial_count
from sweeps.spec.sections import MAX_SEEDS, SweepSpec
from sweeps.store.locks import driver_lock
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version
from sweeps.view.overview import best_of, front_of_trials


@dataclass(frozen=True)
class Request:
    """A wish for how a sweep goes on; by default unchanged."""

    more_trials: int = 0
    seeds: int | None = None
    """Seeds of a trial, in all."""
    retry_errors: bool = False
    spec_source: str | None = None
    """A specification to go on with, in place of the sweep's own."""
    settings: tuple[str, ...] = ()
    """`key=value` settings on top of it."""
    accept_changes: bool = False
    blocks: tuple[Block, ...] = ()
    """Seeds to add to some trials."""

    @property
    def adds(self) -> bool:
        """True if there is more to train than was planned before."""
        return bool(self.more_trials or self.seeds or self.retry_errors or self.blocks)


def continue_sweep(
    root: Path, name: str, request: Request, console: Console, address: str | None
) -> bool:
    """Go on with a sweep until every trial has an end.

    Returns:
        True if every trial ran to an end of its own; False after an interrupt.

    Raises:
        StoreError: no such sweep, another driver runs it, or code or data changed.
        SpecError: the sweep cannot be extended as asked.
    """
    paths = SweepPaths(root.resolve(), name)
    wanted = _wanted_spec(paths, request)
    # All that can refuse comes before Ray, which takes seconds to start; the cheapest first.
    extended_spec = extended(wanted, request)
    with driver_lock(paths):
        pass
    results = analysis.load(paths.folder)
    row = _sweep_row(paths)
    _refuse_more_seeds(row, paths, request)
    check_there(extended_spec, paths, len(results.trials))
    if not request.accept_changes:
        hashes = results.runs["data_sha256"].dropna()
        trained_on = (str(one) for one in hashes if one)
        refuse_changes(paths, row, trained_on, wanted)
    failed = (results.trials["status"] == Status.ERROR).any()
    asked = request if failed else replace(request, retry_errors=False)
    if not asked.adds and complete(results, row, extended_spec, paths):
        lines = [_nothing_to_train(extended_spec, paths)]
        if request.retry_errors:
            lines.insert(0, f"no trial of {name} ended in an error, so none is tried again")
        console.print("\n".join(lines), soft_wrap=True, markup=False)
        return True
    prepared = prepare(extended_spec, address)
    return drive(_reopened(prepared, paths, request), prepared, console, address)


def complete(results: Results, row: Row, spec: SweepSpec, paths: SweepPaths) -> bool:
    """Return True if nothing is left to train, in the store and in the study."""
    if int(results.trials["status"].isin(FINAL).sum()) < int(row["trials_planned"]):
        return False
    with driver_lock(paths), closing(reopen_study(spec, paths, len(results.trials))) as study:
        return _work(results, spec, study, row, Request()).trials <= 0


def _nothing_to_train(spec: SweepSpec, paths: SweepPaths) -> str:
    """Say that a sweep is complete, and which command would add to it."""
    grid = spec.search.trials is None
    more = "--seeds N" if grid else "--trials +N"
    return (
        f"{spec.name} is complete, and nothing is left to train. Add"
        f" {'seeds' if grid else 'trials'} with {paths.hint('extend', more)}"
    )


def _refuse_more_seeds(row: Row, paths: SweepPaths, request: Request) -> None:
    """Refuse seeds for all trials where some have seeds of their own: a verdict counts its looks.

    Raises:
        SpecError: the sweep has such trials.
    """
    if request.seeds is not None and _blocks(row, Request()):
        raise SpecError(
            "--seeds: `settle` has given seeds to some trials of this sweep, and the others cannot"
            f" catch up; go on with {paths.hint('settle')}"
        )


@contextmanager
def _reopened(prepared: Prepared, paths: SweepPaths, request: Request) -> Iterator[Sweep]:
    spec = prepared.spec
    with driver_lock(paths):
        writer = paths.store.writer("driver")
        # Read once, for all below: a large store takes seconds.
        results = analysis.load(paths.folder)
        close_runs(results, paths.store)
        with closing(reopen_study(spec, paths, len(results.trials))) as study:
            if lost := lost_errors(spec, results, study):
                writer.write(TRIALS, lost)
                results = analysis.load(paths.folder)
            row = _sweep_row(paths)
            blocks = _blocks(row, request)
            queued = study.queue_again() if request.retry_errors else 0
            planned = int(row["trials_planned"]) + request.more_trials
            planned += _uncounted(row, study, queued)
            write_atomically(paths.spec, spec.to_json().encode())
            note_code(paths)
            keep_modules(spec, paths)
            writer.write(SWEEPS, [{**row, **_changed(spec, planned, blocks)}])
            if spec.hypotheses != parse_spec(json.loads(row["spec_json"])).hypotheses:
                writer.write(EVENTS, [declared(spec, len(results.runs))])
            if request.seeds is not None:
                before = int(row["seeds"])
                writer.write(EVENTS, [_extension(paths.sweep, before, len(spec.seeds))])
            work = _work(results, spec, study, {**row, "trials_planned": planned}, request)
            yield Sweep(
                spec,
                paths,
                prepared.data_root,
                writer,
                study,
                work,
                recalled_judge(spec, results),
                Spending(spec, paths),
                begun_view(
                    spec,
                    planned,
                    _ended_counts(results, study, work),
                    best_of(results.trials, spec.objective.of_sweep),
                    front_of_trials(results.trials, (spec.objective.of_sweep, *spec.also)),
                ),
            )


def _work(results: Results, spec: SweepSpec, study: SweepStudy, row: Row, request: Request) -> Work:
    """Return what is left to train of the trials that the sweep's row plans."""
    added = added_seeds(_blocks(row, request), results.trials)
    return Work(
        int(row["trials_planned"]) - len(study.ended()),
        trials_to_repeat(spec, results, study, added),
        frozenset(results.runs["config_id"].astype(str)),
        added,
    )


def _uncounted(row: Row, study: SweepStudy, queued: int) -> int:
    """Return the new attempts that a sweep's row does not plan yet.

    More than were queued just now, if a driver died between the study's row of one and the sweep's.

    Args:
        row: of the sweep.
        study: with the attempts.
        queued: just now.
    """
    counted = int(row["trials_planned"]) - trial_count(parse_spec(json.loads(row["spec_json"])))
    return queued if counted < 0 else max(queued, study.retries - counted)


def _wanted_spec(paths: SweepPaths, request: Request) -> SweepSpec:
    stored = stored_spec(paths)
    if request.spec_source is not None:
        wanted = load_spec(request.spec_source, request.settings, paths.sweep)
        # A sweep that began on its fallback stays on it, whatever data is there by now.
        fell_back = stored.data.name == stored.data_fallback == wanted.data_fallback
        return wanted.model_copy(update={"data": stored.data}) if fell_back else wanted
    return parse_spec(with_settings(stored.model_dump(mode="json"), request.settings))


def extended(spec: SweepSpec, request: Request) -> SweepSpec:
    """Raise the number of trials or seeds of a specification.

    Raises:
        SpecError: a grid has no more trials, or seeds would be taken away.
    """
    changed: dict[str, object] = {}
    if request.more_trials:
        if spec.search.trials is None:
            raise SpecError("--trials: a grid search has run its whole grid; start another sweep")
        trials = spec.search.trials + request.more_trials
        changed["search"] = spec.search.model_copy(update={"trials": trials})
    if request.seeds is not None:
        if spec.purpose == "timing":
            raise SpecError(
                "--seeds: a timing sweep's seeds are its repetitions, of which no result may"
                " decide; start another sweep"
            )
        if request.seeds <= len(spec.seeds):
            raise SpecError(
                f"--seeds: the sweep has {len(spec.seeds)} seeds a trial; ask for more than that"
            )
        if request.seeds > MAX_SEEDS:
            raise SpecError(f"--seeds: at most {MAX_SEEDS:,} a trial; got {request.seeds}")
        unused = (seed for seed in range(10**6) if seed not in spec.seeds)
        new = [next(unused) for _ in range(request.seeds - len(spec.seeds))]
        changed["seeds"] = (*spec.seeds, *new)
    return spec.model_copy(update=changed)


def more_trials(text: str) -> int:
    """Read `+50`.

    Raises:
        SpecError: the text is no such number.
    """
    if not text.removeprefix("+").isdecimal() or int(text) < 1:
        raise SpecError(f"--trials: expected how many more, as +50; got {text!r}")
    return int(text)


def recalled_judge(spec: SweepSpec, results: Results) -> Judge:
    """Make a judge that has every epoch in the store.

    Epochs of seeds that the specification does not list any more count for nothing.
    """
    judge = judge_of(spec)
    seed_index = {seed: index % spec.seeds_each for index, seed in enumerate(spec.seeds)}
    runs = results.runs.loc[results.runs["seed"].isin(spec.seeds), ["run_id", "trial", "seed"]]
    known = _values_by_epoch(spec, results).join(runs.set_index("run_id"), on="run_id").dropna()
    completed = results.trials.loc[results.trials["status"] == Status.COMPLETED, "trial"]
    judge.recall(
        zip(
            known["trial"].astype(int),
            known["seed"].astype(int).map(seed_index),
            known["epoch"].astype(int),
            known["value"].astype(float),
            strict=True,
        ),
        completed.astype(int),
    )
    return judge


def _values_by_epoch(spec: SweepSpec, results: Results) -> pd.DataFrame:
    """Return the number by which trials are judged: columns run_id, epoch, value."""
    if spec.trainer is None:
        epochs = results.table("epochs", ["val_error_percent"]).drop(columns="sweep")
        return epochs.rename(columns={"val_error_percent": "value"})
    metrics = results.metrics
    return metrics.loc[metrics["name"] == spec.objective.metric, ["run_id", "epoch", "value"]]


def trials_to_repeat(
    spec: SweepSpec, results: Results, study: SweepStudy, added: AddedSeeds
) -> tuple[tuple[int, Params], ...]:
    """List the trials that ended in the study but not in the store, or there without some seed.

    A trial of a confirmatory sweep that diverged with one seed is trained with every other, too.
    """
    whole = [Status.COMPLETED, *([Status.DIVERGED] if spec.purpose == "confirmatory" else [])]
    known = results.trials[["trial", "status", "config_id"]]
    in_store = {row["trial"]: row for row in records(known)}
    ended = results.runs[results.runs["status"].isin(FINAL)]
    seeds: dict[str, set[int]] = {}
    # By configuration: two trials of one configuration share their runs.
    for config_id, seed in zip(ended["config_id"], ended["seed"].astype(int), strict=True):
        seeds.setdefault(config_id, set()).add(seed)
    again = []
    for one in study.ended():
        row = in_store.get(one.number, {"status": Status.RUNNING})
        cut_off = row["status"] in OPEN
        params = restored_parameters(spec, one.params)
        own = str(row.get("config_id"))
        wanted = set(seeds_of(spec, params, added.get(own, ())))
        if cut_off or (row["status"] in whole and not seeds.get(own, set()) >= wanted):
            again.append((one.number, params))
    return tuple(again)


def _blocks(row: Row, request: Request) -> tuple[Block, ...]:
    """Return the blocks of seeds of a sweep, and those that are asked for."""
    return (*read_blocks(row["blocks_json"]), *request.blocks)


def _ended_counts(results: Results, study: SweepStudy, work: Work) -> dict[Status, int]:
    """Count by status the trials that keep their end; one that the study has lost does not."""
    keeps = {one.number for one in study.ended()} - {number for number, _ in work.again}
    kept = results.trials.loc[results.trials["trial"].isin(keeps), "status"]
    counts = {status: int((kept == status).sum()) for status in Status}
    return {status: n for status, n in counts.items() if n and status not in OPEN}


def _sweep_row(paths: SweepPaths) -> Row:
    # As plain values: pandas has NaN for null, which no column of text takes back.
    found, _ = read_rows([paths.store.folder], SWEEPS, SWEEPS.schema.names)
    if not found:
        raise StoreError(f"the table `sweeps` of {paths.folder} cannot be read")
    return found[0]


def _extension(name: str, before: int, seeds: int) -> Row:
    """Record that seeds were added: a verdict then is that of another look."""
    return event(name, "extend", f"from {before} to {seeds} seeds a trial")


def _changed(spec: SweepSpec, planned: int, blocks: Sequence[Block]) -> Row:
    return {
        "trials_planned": planned,
        "seeds": spec.seeds_each,
        "blocks_json": blocks_json(blocks),
        "spec_json": spec.to_json(),
        "spec_sha256": spec.sha256,
        "code_version": code_version(),
    }
