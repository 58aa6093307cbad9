"""Faults on real processes: a sweep meets one, is resumed, and is compared with an undisturbed one.

    python tests/faults/random_faults.py --faults 100

Everything but the moments follows from the seed. A full and a closed disk need a file system of
their own, which root alone can mount; elsewhere these kinds are left out, and the report says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

import analysis
from sweeps.workers.ports import descendants

SPEC = """
name: hurt
data: {name: digits, train_images: 600}
recipe: {epochs: 4, flip: none}
activation: relu
space: {learning_rate: {grid: [1e-3, 2e-3, 4e-3, 8e-3]}}
search: grid
seeds: 2
limits: {silence_seconds: 8}
"""
RUN = ["run_id", "trial", "seed", "status", "epochs_done", "last_val_error_percent"]
TRIAL = ["trial", "config_id", "status", "objective", "seeds_done"]
EPOCH = ["run_id", "epoch", "train_loss", "val_error_percent", "gradient_norm"]
DISK_BYTES = 24 * 2**20
END_SECONDS = 120
RESUMES = 4
WORKER, RAYLET, GCS = "ray::ImplicitFu", "raylet", "gcs_server"
DASHBOARD_AGENT, ENVIRONMENT_AGENT = "ray::DashboardA", "ray::RuntimeEnv"
MODES_BIND = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
]
"""Starts a process of root's to whom the modes of files apply, as to every other user."""


@dataclass
class Scene:
    """A sweep under way."""

    root: Path
    driver: subprocess.Popen[str]
    chance: random.Random

    @property
    def folder(self) -> Path:
        """The sweep's own."""
        return self.root / "hurt"

    def named(self, name: str) -> list[int]:
        """List the processes of the sweep that the kernel knows by a name."""
        found = []
        for pid in descendants(self.driver.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().startswith(name):
                    found.append(pid)
        return found

    def send(self, name: str, number: int) -> None:
        """Send a signal to one of these processes, if any is there."""
        if found := self.named(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.chance.choice(found), number)


def _driver(number: int) -> Callable[[Scene], None]:
    return lambda scene: scene.driver.send_signal(number)


def _process(name: str, number: int) -> Callable[[Scene], None]:
    return lambda scene: scene.send(name, number)


def _kill_child(scene: Scene) -> None:
    """Kill the process in which the command runs; its parent is the one that was started."""
    children = Path(f"/proc/{scene.driver.pid}/task/{scene.driver.pid}/children").read_text()
    os.kill(int(children.split()[0]), signal.SIGKILL)


def _pause_driver(scene: Scene) -> None:
    for pid in descendants(scene.driver.pid):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGSTOP)
    time.sleep(3)
    for pid in descendants(scene.driver.pid):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGCONT)


def _delete_checkpoint(scene: Scene) -> None:
    if found := sorted(scene.folder.glob("checkpoints/*/epoch-*.ckpt")):
        scene.chance.choice(found).unlink(missing_ok=True)
    scene.send(WORKER, signal.SIGKILL)


def _cut_checkpoint(scene: Scene) -> None:
    if found := sorted(scene.folder.glob("checkpoints/*/epoch-*.ckpt")):
        with contextlib.suppress(OSError), scene.chance.choice(found).open("rb+") as file:
            file.truncate(file.seek(0, os.SEEK_END) // 2)
    scene.send(WORKER, signal.SIGKILL)


def _fill_disk(scene: Scene) -> None:
    with contextlib.suppress(OSError), (scene.root / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


def _close_disk(scene: Scene) -> None:
    # Files that are open for writing keep a mount from becoming read-only; a lazy bind does not.
    subprocess.run(["mount", "--bind", scene.root, scene.root], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", scene.root], check=True)


def _close_folder(scene: Scene) -> None:
    scene.folder.chmod(0)


def _open_folder(scene: Scene) -> None:
    scene.folder.chmod(0o755)


def _heal(scene: Scene) -> None:
    (scene.root / "filler").unlink(missing_ok=True)


def _open_disk(scene: Scene) -> None:
    subprocess.run(["umount", "--lazy", scene.root], check=True)


KINDS: dict[str, Callable[[Scene], None]] = {
    "driver killed": _driver(signal.SIGKILL),
    "child of the driver killed": _kill_child,
    "Ctrl-C": _driver(signal.SIGINT),
    "asked to terminate": _driver(signal.SIGTERM),
    "terminal closed": _driver(signal.SIGHUP),
    "worker killed": _process(WORKER, signal.SIGKILL),
    "worker stopped": _process(WORKER, signal.SIGSTOP),
    "raylet killed": _process(RAYLET, signal.SIGKILL),
    "GCS killed": _process(GCS, signal.SIGKILL),
    "all paused": _pause_driver,
    "checkpoint deleted": _delete_checkpoint,
    "checkpoint cut": _cut_checkpoint,
    "disk full": _fill_disk,
    "disk closed": _close_disk,
    "dashboard agent killed": _process(DASHBOARD_AGENT, signal.SIGKILL),
    "environment agent killed": _process(ENVIRONMENT_AGENT, signal.SIGKILL),
    "folder closed": _close_folder,
}
MOUNTED = ("disk full", "disk closed")
HEALED = {"disk full": _heal, "disk closed": _open_disk, "folder closed": _open_folder}
CUT_OFF = {
    "child of the driver killed",
    "raylet killed",
    "GCS killed",
    "dashboard agent killed",
    "environment agent killed",
    *HEALED,
}
"""Kinds after which a sweep cannot go on by itself."""


def sweeps(root: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a command of the product."""
    command = [sys.executable, "-m", "sweeps", *arguments, "--root", str(root)]
    if os.geteuid() == 0:
        command = [*MODES_BIND, *command]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True)


def hurt(root: Path, spec: Path, kind: str, chance: random.Random) -> list[str]:
    """Run a sweep, let a fault happen, and resume until it is complete; list what is wrong."""
    found = []
    driver = sweeps(root, "run", str(spec))
    scene = Scene(root, driver, chance)
    begun = chance.randint(1, 8)
    while driver.poll() is None and len(list(root.glob("hurt/checkpoints/*"))) < begun:
        time.sleep(0.01)
    time.sleep(0.2 * chance.random())
    if driver.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            KINDS[kind](scene)
    try:
        out, _ = driver.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        driver.kill()
        out, _ = driver.communicate()
        found.append(f"no end within {END_SECONDS} s")
    code = driver.returncode
    last = (out.strip().splitlines() or [""])[-1]
    if kind in CUT_OFF and code != 0 and (code != 1 or "go on with" not in last):
        found.append(f"code {code}, and the last line is {last!r}")
    if "Traceback" in out:
        found.append(f"a traceback: {out[out.index('Traceback') :]!r}")
    HEALED.get(kind, lambda scene: None)(scene)
    for _ in range(RESUMES):
        if code == 0:
            break
        with sweeps(root, "resume", "hurt") as driver:
            out, _ = driver.communicate(timeout=END_SECONDS)
            code = driver.returncode
    if code != 0:
        found.append(f"cannot be resumed: {out.strip().splitlines()[-1:]}")
    return found


def compared(here: Path, there: Path) -> list[str]:
    """Compare the tables of two roots; list runs that are lost, doubled or other."""
    mine, other = analysis.load(here), analysis.load(there)
    found = []
    for name, columns in (("trials", TRIAL), ("runs", RUN), ("epochs", EPOCH)):
        try:
            pd.testing.assert_frame_equal(
                getattr(mine, name)[columns], getattr(other, name)[columns]
            )
        except AssertionError as error:
            found.append(f"table {name}: {str(error).splitlines()[0]}")
    lost = set(other.runs["run_id"]) - set(mine.runs["run_id"])
    ends = mine.events[mine.events["kind"] == "done"].groupby("run_id", observed=True).size()
    found += [f"run {run} is lost" for run in lost]
    found += [f"run {run} ended {count} times" for run, count in ends.items() if count > 1]
    return found


@contextlib.contextmanager
def place(kind: str) -> Iterator[Path]:
    """Make a folder for results; for faults of a disk, on a small one of its own."""
    folder = Path(tempfile.mkdtemp(prefix="hurt-"))
    mounted = kind in MOUNTED
    if mounted:
        options = ["-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs"]
        subprocess.run(["mount", *options, folder], check=True)
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def can_mount() -> bool:
    """Return True if this user may mount a file system."""
    folder = tempfile.mkdtemp()
    done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True)
    if done.returncode == 0:
        subprocess.run(["umount", folder], check=True)
    Path(folder).rmdir()
    return done.returncode == 0


def main() -> None:
    """Let faults happen; the exit code says whether any left something wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faults", type=int, default=len(KINDS))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kind", choices=KINDS)
    arguments = parser.parse_args()
    mounts = can_mount()
    kinds = [kind for kind in KINDS if mounts or kind not in MOUNTED]
    begun, injected, wrong = time.perf_counter(), Counter[str](), defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        spec, undisturbed = Path(name) / "hurt.yaml", Path(name) / "undisturbed"
        spec.write_text(SPEC)
        with sweeps(undisturbed, "run", str(spec)) as driver:
            driver.communicate()
        for number in range(arguments.first, arguments.first + arguments.faults):
            kind = arguments.kind or kinds[number % len(kinds)]
            with place(kind) as root:
                found = hurt(root, spec, kind, random.Random(number))
                found = found or compared(root, undisturbed)
            injected[kind] += 1
            wrong[kind] += [f"fault {number}: {one}" for one in found]
            print(f"{number} {kind}: {'; '.join(found) or 'as undisturbed'}", flush=True)
    report = {
        "injected": dict(injected),
        "left out": [kind for kind in KINDS if kind not in kinds],
        "wrong": {kind: told for kind, told in wrong.items() if told},
        "seconds": round(time.perf_counter() - begun),
    }
    print(json.dumps(report))
    sys.exit(bool(report["wrong"]))


if __name__ == "__main__":
    main()
