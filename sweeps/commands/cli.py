"""The command line: the commands that change something, and how bad input ends.

A command imports its work when it runs: ray, torch and optuna take seconds to import.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from errno import EACCES, EDQUOT, EISDIR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from analysis.store.errors import StoreError
from sweeps.commands.afar import app as afar
from sweeps.commands.afar import run_there
from sweeps.commands.ending import go_on, print_trials, to_the_end
from sweeps.commands.looking import app as views
from sweeps.commands.notification import Notify
from sweeps.commands.terminal import (
    HTTP,
    INTERRUPTED,
    ROOT,
    AcceptChanges,
    Address,
    JobsAddress,
    Root,
    Settings,
    SpecName,
    SweepName,
    console,
    errors,
    one_of,
    say,
)
from sweeps.commands.tracking import app as trackers
from sweeps.extras import NotInstalledError
from sweeps.spec.errors import SpecError
from sweeps.store.paths import SweepPaths
from sweeps.workers.environment import ClusterError
from trainers.data import DATASETS
from trainers.data.sources import DataUnavailableError
from trainers.networks import NETWORKS

app = typer.Typer(
    name="sweeps",
    no_args_is_help=True,
    rich_markup_mode=None,  # brackets in help texts are no markup
    pretty_exceptions_enable=False,  # a report of a bug needs the plain traceback
)
REPORTS = (".html", ".md", ".tex")
"""Files that `sweeps report` prints the paths of; figures and data lie beside them."""
OF_THE_MACHINE = (EACCES, EPERM, EROFS, ENOSPC, EDQUOT, ENOENT, ENOTDIR, EISDIR, ENAMETOOLONG)
"""Errors of files that say what a user can mend: another reason is a bug, with its traceback."""
USER_ERRORS = (ClusterError, DataUnavailableError, NotInstalledError, SpecError, StoreError)


def run_command() -> int:
    """Run the command line and return its exit code: 2 after bad input, named in two lines."""
    with warnings.catch_warnings():
        warnings.showwarning = _print_warning
        try:
            app()
        except SystemExit as stop:
            return int(stop.code or 0)
        except USER_ERRORS as error:
            say(errors, f"error: {error}", "red")
            return 2
        except OSError as error:
            if error.errno not in OF_THE_MACHINE or error.filename is None:
                raise
            say(errors, f"error: {error.filename}: {error.strerror}", "red")
            return 1
    return 0


def _print_version(wanted: bool) -> None:
    if wanted:
        import importlib.metadata

        console.print(f"polyneuron-sweeps {importlib.metadata.version('polyneuron-sweeps')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Hyperparameter sweeps over learned activation functions."""


@app.command()
def run(
    spec: SpecName,
    root: Root = ROOT,
    settings: Settings = None,
    name: Annotated[str | None, typer.Option(help="Name of the sweep, if not its own.")] = None,
    address: Address = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write each run's epochs as event files.")
    ] = False,
    notice: Notify = None,
) -> None:
    """Run a sweep on this machine, or on the Ray cluster at --address."""
    from sweeps.driver.driver import run_sweep
    from sweeps.driver.preparation import prepare
    from sweeps.spec.reading import load_spec

    with errors.status("reading the specification and looking for its data"):
        prepared = prepare(load_spec(spec, settings or (), name), address)
    _print_notes(prepared.notes)
    work = partial(run_sweep, prepared, root, console, address, tensorboard)
    to_the_end(root, prepared.spec.name, work, notice)


@app.command()
def resume(
    name: SweepName,
    root: Root = ROOT,
    spec: Annotated[str | None, typer.Option(help="Specification to go on with.")] = None,
    settings: Settings = None,
    address: Address = None,
    accept_changes: AcceptChanges = False,
    notice: Notify = None,
) -> None:
    """Go on with a sweep that was stopped, or whose driver died."""
    if address is not None and address.startswith(HTTP):
        if spec is not None or settings or notice is not None:
            raise SpecError("--spec, --set and --notify are of this machine, the sweep is not")
        accept = ["--accept-changes"] * accept_changes
        run_there(address, root, name, ["resume", name, "--address", "auto", *accept])
    from sweeps.driver.continuation import Request

    request = Request(
        spec_source=spec, settings=tuple(settings or ()), accept_changes=accept_changes
    )
    go_on(root, name, request, address, notice)


@app.command()
def extend(
    name: SweepName,
    trials: Annotated[str | None, typer.Option(help="Trials to add, as +50.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Seeds that a trial shall have in all.")] = None,
    root: Root = ROOT,
    address: Address = None,
    accept_changes: AcceptChanges = False,
    notice: Notify = None,
) -> None:
    """Add trials or seeds to a sweep; no finished run is trained again."""
    from sweeps.driver.continuation import Request, more_trials

    more = None if trials is None else more_trials(trials)
    if more is None and seeds is None:
        raise SpecError("say what to extend: --trials +50, or --seeds 10")
    go_on(root, name, Request(more or 0, seeds, accept_changes=accept_changes), address, notice)


@app.command()
def settle(
    name: SweepName,
    claims: Annotated[
        list[str] | None, typer.Option("--claim", help="A claim to settle; default: all.")
    ] = None,
    max_seeds: Annotated[
        int | None, typer.Option(min=1, help="Seeds that a trial may have in all.")
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(help="Limit of the whole sweep, as wall_hours=2; may be repeated."),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what is open, and what it will cost.")
    ] = False,
    root: Root = ROOT,
    address: Address = None,
    accept_changes: AcceptChanges = False,
    notice: Notify = None,
) -> None:
    """Add seeds to the trials that undecided claims compare, until each claim is decided."""
    import analysis
    from analysis.paper.claims import paper
    from sweeps.driver.settling import Wish, say_plan, standings
    from sweeps.driver.settling import settle as settle_claims

    wish = Wish(tuple(claims or ()), max_seeds, tuple(budget or ()), accept_changes)
    if plan:
        results = analysis.load(root, [name])
        say_plan(console, results, standings(results, wish, paper().claims))
        return
    to_the_end(root, name, partial(settle_claims, root, name, wish, console, address), notice)


@app.command()
def retry(
    name: SweepName,
    root: Root = ROOT,
    failed: Annotated[bool, typer.Option("--failed", help="The default, spelled out.")] = True,
    address: Address = None,
    accept_changes: AcceptChanges = False,
    notice: Notify = None,
) -> None:
    """Run the trials again that ended in an error; a diverged trial is a result and stays."""
    from sweeps.driver.continuation import Request

    request = Request(retry_errors=True, accept_changes=accept_changes)
    go_on(root, name, request, address, notice)


@app.command()
def stop(name: SweepName, root: Root = ROOT, address: JobsAddress = None) -> None:
    """Stop a running sweep at the end of its epochs; `sweeps resume` goes on with it."""
    if address is not None:
        run_there(address, root, name, ["stop", name])
    from sweeps.driver.signals import stop_driver

    stop_driver(root, name)
    command = SweepPaths(root, name).hint("resume")
    console.print(f"asked {name} to stop; go on with {command}", soft_wrap=True)


@app.command()
def results(
    name: SweepName,
    root: Root = ROOT,
    csv: Annotated[bool, typer.Option("--csv", help="One row a run, as CSV.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One row a run, as JSON lines.")] = False,
    parquet: Annotated[bool, typer.Option("--parquet", help="One row a run; needs --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="File to write to.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Also write a CODECHECK-style description of --out here.")
    ] = None,
    address: JobsAddress = None,
) -> None:
    """Print the trials of a sweep, or export its runs as CSV, JSON lines or Parquet."""
    if address is not None:
        if parquet or out is not None or manifest is not None:
            raise StoreError("--out, --manifest and --parquet write files: use them there")
        forms = ["--csv"] * csv + ["--json"] * json
        run_there(address, root, name, ["results", name, *forms])
    chosen = [form for form, on in (("csv", csv), ("json", json), ("parquet", parquet)) if on]
    if len(chosen) > 1:
        raise StoreError(f"choose one of --{' and --'.join(chosen)}")
    if manifest is not None and (out is None or not chosen):
        raise StoreError("--manifest describes a file: export one with --csv --out FILE")
    if not chosen:
        print_trials(root, name)
        return
    from sweeps.store.export import export_runs, write_manifest

    export_runs(root, name, chosen[0], out, sys.stdout)
    if out is not None:
        console.print(str(out), soft_wrap=True)
    if manifest is not None and out is not None:
        write_manifest(root, name, out, manifest)
        console.print(str(manifest), soft_wrap=True)


@app.command()
def note(
    name: SweepName,
    text: Annotated[
        str | None, typer.Argument(help="What to keep in mind; '' takes it away.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A word to add; may be repeated.")] = None,
    untag: Annotated[list[str] | None, typer.Option(help="A word to take away.")] = None,
    root: Root = ROOT,
) -> None:
    """Write a note or tags on a sweep, for `sweeps list` and the report; or show them."""
    from sweeps.store.notes import annotate

    found = annotate(root, name, text, tag or (), untag or ())
    say(console, f"note: {found.text or 'none'}")
    say(console, f"tags: {' '.join(found.tags) or 'none'}")


@app.command()
def compact(name: SweepName, root: Root = ROOT) -> None:
    """Put each table of a sweep into one file, which reads faster; done at a sweep's end too."""
    import analysis
    from sweeps.store.locks import driver_lock

    analysis.load(root, [name])
    paths = SweepPaths(root.resolve(), name)
    with driver_lock(paths):
        damaged = paths.store.compact()
    if damaged:
        raise typer.Exit(1)


@app.command()
def report(
    names: Annotated[list[str], typer.Argument(help="Sweeps to report on together.")],
    root: Root = ROOT,
    out: Annotated[Path | None, typer.Option(help="Folder to write to.")] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Rewrite it as results come in, until all are there."),
    ] = False,
    code: Annotated[
        str | None, typer.Option(help="Only runs of this training code, or of this start of it.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Only runs on data of this hash, or of this start of it.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    latex: Annotated[
        bool, typer.Option("--latex", help="Also as LaTeX, with the figures as PDF.")
    ] = False,
) -> None:
    """Write a report of one or more sweeps as HTML and Markdown."""
    import analysis
    from analysis.reporting.report import FORMATS, USUAL

    folder = out or root / names[0] / "report"
    if watch and (code or data):
        raise typer.BadParameter("--watch follows all runs: leave out --code and --data")
    formats = FORMATS if latex else USUAL
    if watch:
        _watch_report(root, names, folder, formats)
        return
    results = analysis.load(root, names).where(code_version=code, data_sha256=data)
    for path in analysis.report(results, folder, formats):
        if path.suffix in REPORTS:
            console.print(str(path), soft_wrap=True)
    if show:
        typer.launch(str(folder / "report.html"))


@app.command()
def train(
    activation: Annotated[str, typer.Option(help="Name of the activation.")] = "polyneuron_r",
    network: Annotated[str, typer.Option(help=one_of(NETWORKS))] = "lenet5",
    data: Annotated[str, typer.Option(help=one_of(DATASETS))] = "mnist",
    seed: Annotated[int, typer.Option(help="Seed of the run.")] = 0,
    epochs: Annotated[int | None, typer.Option(help="Epochs; default: the paper's.")] = None,
    settings: Settings = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    name: Annotated[str | None, typer.Option(help="Name of the results.")] = None,
    root: Root = ROOT,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
) -> None:
    """Train one run in this process, without Ray, as for a debugger."""
    from sweeps.driver.preparation import prepare
    from sweeps.driver.single_run import single_run_spec, train_single_run

    spec = single_run_spec(activation, network, data, seed, epochs, settings or (), name)
    prepared = prepare(spec)
    _print_notes(prepared.notes)
    try:
        train_single_run(prepared, root, device, resume, console)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _watch_report(root: Path, names: Sequence[str], folder: Path, formats: Sequence[str]) -> None:
    from analysis.reporting.watching import watch

    try:
        for results, paths in watch(root, names, folder, formats):
            ended = (results.runs["status"] != "running").sum()
            console.print(f"{paths[0]}: {ended} of {len(results.runs)} runs", soft_wrap=True)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


app.add_typer(views)
app.add_typer(afar)
app.add_typer(trackers)


def _print_warning(message: Warning | str, *_: object, **__: object) -> None:
    say(errors, f"warning: {message}", "yellow")


def _print_notes(notes: Sequence[str]) -> None:
    for note in notes:
        say(errors, f"note: {note}", "yellow")
