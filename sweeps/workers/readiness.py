"""Readiness: what a worker checks before it takes its first trial."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version
from sweeps.workers.storage import storage_error
from trainers.config import Execution
from trainers.data import DATASETS
from trainers.data.sources import available


def problem_here(spec: SweepSpec, paths: SweepPaths, execution: Execution, code: str) -> str:
    """Say what keeps this machine from training any trial of a sweep; empty where nothing does.

    Args:
        spec: of the sweep.
        paths: of the sweep.
        execution: has the folder of all data.
        code: the driver's version of the training code; empty on the driver's own machine.
    """
    host = socket.gethostname()
    if not paths.spec.exists():
        return (
            f"the worker on {host} does not see {paths.folder}: give every machine the same storage"
            " at the same path"
        )
    try:
        with tempfile.TemporaryFile(dir=paths.folder):
            pass
    except OSError as error:
        return f"{storage_error(error, paths.folder)}"
    if code and code != code_version():
        return (
            f"the worker on {host} has training code {code_version()}, this machine {code}:"
            " install the same version on both"
        )
    if spec.data.folder and not Path(spec.data.folder).is_dir():
        return (
            f"the worker on {host} has no folder {spec.data.folder}: copy it there, or name a"
            " shared one"
        )
    # Whatever the user's function reads is not known here.
    if spec.trainer is not None or spec.data.name not in DATASETS:
        return ""
    if execution.data_root is not None and not available(spec.data.name, execution.data_root):
        return (
            f"the worker on {host} has no {spec.data.name} under {execution.data_root}: copy the"
            " folder there, or name a shared one in SWEEPS_DATA"
        )
    return ""
