"""The time from `sweeps run quickstart` to the first training step, as a time line.

    python tests/benchmarks/first_trial.py            into tests/benchmarks/results/first_trial.json
    python tests/benchmarks/first_trial.py --print    printed alone

The sweep runs as a user would run it; what it does is seen from outside, in /proc and among its
files: which processes start when, which libraries each has loaded, which files are there. Of
several runs the quickest counts, since whatever else the machine does only adds to a time.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import analysis
from sweeps.store.provenance import versions
from sweeps.workers.ports import descendants

RESULTS = Path(__file__).parent / "results" / "first_trial.json"
TARGET_SECONDS, AIM_SECONDS = 10.0, 5.0
WORKER = "ray::ImplicitFun"
PROCESSES = {
    "gcs_server": "Ray's control store starts",
    "raylet": "Ray's raylet starts",
    "ray::Mailbox": "the mailbox is up",
    WORKER: "the first worker runs our code",
}
"""Names of processes, as far as Linux keeps them (15 characters), and what their start means."""
LIBRARIES = {
    "libarrow_python": "pyarrow",
    "_raylet.so": "Ray",
    "libtorch_cpu": "torch",
}
FILES = {
    "spec.json": "the sweep's folder is made",
    "study.db": "the study is being made",
    "ray": "Ray Tune is asked for workers",
    "tables/parts": "the sweep's row is written",
}
LOOK_SECONDS = 0.05
LONGEST_SECONDS = 120.0


def time_line(root: Path) -> tuple[dict[str, float], float]:
    """Run a sweep until its first epoch.

    Returns:
        Seconds from its start by what happened, and the processor seconds of all its processes.
    """
    command = [sys.executable, "-m", "sweeps", "run", "quickstart", "--root", str(root)]
    seen: dict[str, float] = {}
    started, begun = time.time(), time.monotonic()
    with (root.parent / f"{root.name}.log").open("w") as log:
        sweep = subprocess.Popen(command, stdout=log, stderr=log)
        while time.monotonic() - begun < LONGEST_SECONDS and sweep.poll() is None:
            for what in _now(sweep.pid, root / "quickstart"):
                seen.setdefault(what, time.monotonic() - begun)
            if (root / "quickstart" / "progress.json").exists() and _first_epoch(root):
                break
            time.sleep(LOOK_SECONDS)
        spent = sum(map(_processor_seconds, descendants(sweep.pid)))
        sweep.send_signal(signal.SIGINT)
        sweep.wait(60)
    events = analysis.load(root).events
    first = events.loc[events["kind"] == "start", "at"].min().timestamp() - started
    seen["the first step is taken"] = first
    return dict(sorted(seen.items(), key=lambda one: one[1])), spent


def _processor_seconds(pid: int) -> float:
    """Return what a process and its children that have ended have taken."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _first_epoch(root: Path) -> bool:
    view = json.loads((root / "quickstart" / "progress.json").read_text("utf-8"))
    return bool(view["epochs_heard"])


def _now(pid: int, folder: Path) -> Iterator[str]:
    """Name what there is now: processes of a sweep, their libraries and its files."""
    for name, meaning in FILES.items():
        if (folder / name).exists():
            yield meaning
    for member in descendants(pid):
        try:
            place = Path("/proc") / str(member)
            name = (place / "comm").read_text().strip()
            maps = (
                (place / "maps").read_text()
                if name.startswith(("ray::", "python", "sweeps"))
                else ""
            )
        except OSError:
            continue
        for known, meaning in PROCESSES.items():
            if name == known[:15]:
                yield meaning
        # The guardian has such a name too; it loads none of the libraries.
        driver = name.startswith(("python", "sweeps"))
        who = "the driver" if driver else "a worker"
        if driver or name == WORKER[:15]:
            yield from (f"{who} loads {what}" for lib, what in LIBRARIES.items() if lib in maps)


def main() -> None:
    """Measure, print the quickest time line and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--print", action="store_true", help="store nothing")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    lines: list[tuple[dict[str, float], float]] = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.runs):
            lines.append(time_line(Path(folder) / str(number)))
            first, spent = lines[-1][0]["the first step is taken"], lines[-1][1]
            print(f"{first:.1f} s, {spent:.1f} s of processor time", flush=True)
    line, _ = min(lines, key=lambda one: one[0]["the first step is taken"])
    for what, seconds in line.items():
        print(f"  {seconds:6.2f} s  {what}")
    result = {
        "target_seconds": TARGET_SECONDS,
        "aim_seconds": AIM_SECONDS,
        "load_before_and_after": [load, os.getloadavg()[0]],
        "cores": os.cpu_count(),
        "versions": versions(),
        "seconds": line,
        "first_steps": [one["the first step is taken"] for one, _ in lines],
        "processor_seconds_to_the_first_epochs_end": [spent for _, spent in lines],
    }
    if not arguments.print:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
