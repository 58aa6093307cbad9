"""Two sweeps on one machine, and a machine that joins late: who trains when, as the kernel sees it.

    python tests/benchmarks/shared_machine.py

First two sweeps are run without --address, the second while the first has every core. Then a sweep
runs on a cluster of one core that a second node joins. Figures: how long until the newcomer trains,
how long a trial is, and how many workers there were at once: each trains in one thread.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

import analysis
from sweeps.workers.ports import descendants

RESULTS = Path(__file__).parent / "results" / "shared_machine.json"
WORKER = "ray::ImplicitFu"
LOOK_SECONDS = 0.1
SPEC = """
name: {name}
data: digits
recipe: {{epochs: {epochs}}}
activation: relu
space: {{learning_rate: {{log: [1.0e-4, 1.0e-2]}}}}
search: {{algorithm: random, trials: {trials}}}
seeds: [{seed}]
"""
TRIALS, EPOCHS = 6, 20


@dataclass
class Driver:
    """A sweep under way, and the workers that were seen."""

    process: subprocess.Popen[str]
    log: Path
    begun: float
    workers: list[int] = field(default_factory=list)
    """At each look: processes of workers."""


def main() -> None:
    """Measure, print and keep the figures."""
    with tempfile.TemporaryDirectory() as place:
        os.environ["SWEEPS_BOARD"] = f"{place}/board"  # apart from other sweeps of this machine
        figures = {
            "cores": os.cpu_count(),
            "two sweeps": two_sweeps(Path(place)),
            "a node joins": late_node(Path(place)),
        }
    print(json.dumps(figures, indent=1))
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n")


def two_sweeps(place: Path) -> dict[str, object]:
    """Run two equal sweeps, the second once the first trains on every core."""
    root = place / "results"
    first = start(place, root, "first")
    watch([first], lambda: len(epochs(root, "first")) >= 2 * (os.cpu_count() or 1))
    second = start(place, root, "second")
    both = [first, second]
    watch(both, lambda: all(one.process.poll() is not None for one in both))
    seen = zip(first.workers[-len(second.workers) :], second.workers, strict=True)
    trials = analysis.load(root).trials
    lengths = (trials["ended_at"] - trials["started_at"]).dt.total_seconds()
    waits = [line for line in second.log.read_text().splitlines() if "waits for a place" in line]
    return {
        "codes": [one.process.returncode for one in both],
        "median seconds of a trial": round(float(lengths.median()), 2),
        "longest trial": round(float(lengths.max()), 2),
        "seconds until the second trains": round(first_epoch(root, "second") - second.begun, 2),
        "seconds until the first trained alone": round(first_epoch(root, "first") - first.begun, 2),
        "most workers at once": max(map(sum, seen)),
        "said by the one that waits": waits[:1],
    }


def late_node(place: Path) -> dict[str, object]:
    """Run a sweep on a cluster of one core, to which a second node comes."""
    root = place / "joined"
    with cluster(place) as (address, ray):
        driver = start(place, root, "grown", "--address", address)
        watch([driver], lambda: len(epochs(root, "grown")) >= 2)
        ray("start", f"--address={address}", "--num-cpus=1", "--disable-usage-stats")
        joined = time.time()
        watch([driver], lambda: driver.process.poll() is not None)
    runs = analysis.load(root).runs
    begins = [one.timestamp() for one in runs["started_at"]]
    ends = [one.timestamp() for one in runs["ended_at"]]
    second = min(
        start
        for start in begins
        if any(b < start - 1 and start + 1 < e for b, e in zip(begins, ends, strict=True))
    )
    return {"code": driver.process.returncode, "seconds until it trains": round(second - joined, 2)}


def start(place: Path, root: Path, name: str, *options: str) -> Driver:
    """Start a sweep of its own process, as in a terminal of its own."""
    spec, log = place / f"{name}.yaml", place / f"{name}.log"
    spec.write_text(SPEC.format(name=name, trials=TRIALS, epochs=EPOCHS, seed=len(name)))
    command = [sys.executable, "-m", "sweeps", "run", str(spec), "--root", str(root), *options]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, text=True)
    return Driver(process, log, time.time())


def watch(drivers: list[Driver], over: Callable[[], bool]) -> None:
    """Look at the workers of some sweeps until something has happened."""
    while not over():
        for one in drivers:
            workers = [pid for pid in descendants(one.process.pid) if named(pid) == WORKER]
            one.workers.append(len(workers))
        time.sleep(LOOK_SECONDS)


def named(pid: int) -> str:
    """Return the name by which the kernel knows a process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def epochs(root: Path, name: str) -> pd.DataFrame:
    """Return the epochs that a sweep has by now."""
    if not (root / name / "tables").is_dir():
        return pd.DataFrame()
    return analysis.load(root, [name]).epochs


def first_epoch(root: Path, name: str) -> float:
    """Return when a sweep's first epoch was under way, as the time of day in seconds."""
    events = analysis.load(root, [name]).events
    return float(events.loc[events["kind"] == "start", "at"].min().timestamp())


@contextlib.contextmanager
def cluster(place: Path) -> Iterator[tuple[str, Callable[..., None]]]:
    """Start a head of one core; yield its address and how to call `ray` on it."""
    temporary = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
    token = place / "token"
    token.touch(0o600)
    token.write_text(secrets.token_hex(32))
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    nodes: list[subprocess.Popen[bytes]] = []

    def ray(*arguments: str) -> None:
        program = str(Path(sys.executable).parent / "ray")
        command = [program, *arguments, "--block"]
        nodes.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT))

    ray(
        *("start", "--head", f"--port={port}", "--num-cpus=1", "--disable-usage-stats"),
        *("--include-dashboard=false", f"--temp-dir={temporary}"),
    )
    address = f"{socket.gethostbyname(socket.gethostname())}:{port}"
    try:
        while socket.socket().connect_ex((address.partition(":")[0], port)):
            time.sleep(0.1)
        time.sleep(5)
        yield address, ray
    finally:
        for node in reversed(nodes):
            node.terminate()
            node.wait()
        shutil.rmtree(temporary, ignore_errors=True)


if __name__ == "__main__":
    main()
