"""The command that gives a sweep's runs to another program's tracker."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sweeps.commands.terminal import ROOT, Root, SweepName, console, say

app = typer.Typer()


class Tracker(StrEnum):
    """The trackers."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"


@app.command()
def track(
    name: SweepName,
    to: Annotated[Tracker, typer.Option(help="The tracker.")],
    root: Root = ROOT,
) -> None:
    """Give TensorBoard, MLflow or W&B (offline) the parameters and epochs of ended runs."""
    import analysis
    from analysis.printed import count
    from sweeps.store.paths import SweepPaths
    from sweeps.store.trackers import track

    paths = SweepPaths(root.resolve(), name)
    written = track(paths, analysis.load(root, [name]), to.value)
    say(console, f"{count(written.runs, 'new run')}; look at them with")
    say(console, f"  {written.hint}")
