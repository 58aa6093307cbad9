"""Train one run twice: once in peace, once in a process that is killed again and again.

Usage: killed_run.py FOLDER SEED KILLS. Prints what was done to the second run as JSON. Each
attempt is a forked process, so torch is imported once.
"""

import dataclasses
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from trainers import ActivationConfig, DataConfig, Execution, Recipe, RunConfig, train
from trainers.data import datasets

EPOCHS = 32
WRITE_SECONDS = 0.03


def run_config(folder: Path, seed: int) -> RunConfig:
    return RunConfig(
        activation=ActivationConfig("polyneuron_r"),
        data=DataConfig("digits", train_images=300),
        recipe=Recipe(epochs=EPOCHS),
        seed=seed,
        execution=Execution(threads=1, checkpoint_folder=folder / "checkpoints"),
    )


def write_down(folder: Path):
    """Return a report callback that appends each record to a file, as a consumer would."""
    file = os.open(folder / "records.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def report(record):
        (folder / "begun").touch()
        fields = dataclasses.asdict(record)
        if "correct_bits" in fields:
            fields["correct_bits"] = fields["correct_bits"].hex()
        os.write(file, (json.dumps([type(record).__name__, fields]) + "\n").encode())

    return report


def slow_fsync(folder: Path):
    """Return an fsync during which a watcher has time to see that a file is being written."""
    fsync = os.fsync

    def slow(descriptor):
        (folder / "writing").touch()
        time.sleep(WRITE_SECONDS)
        fsync(descriptor)
        (folder / "writing").rename(folder / "written")

    return slow


def attempt(folder: Path, seed: int) -> int:
    """Start a process that trains, or goes on training, and return its id."""
    for sign in ("begun", "writing", "written"):
        (folder / sign).unlink(missing_ok=True)
    child = os.fork()
    if child:
        return child
    os.fsync = slow_fsync(folder)
    train(run_config(folder, seed), write_down(folder))
    os._exit(0)


def ended(child: int) -> bool:
    found, status = os.waitpid(child, os.WNOHANG)
    if found and os.waitstatus_to_exitcode(status) != 0:
        sys.exit("a run that was not killed failed")
    return bool(found)


def run(folder: Path, seed: int, kills: int, epoch_seconds: float) -> dict:
    """Train to the end in spite of `kills`: at random moments, and within a checkpoint's write.

    Some come only after a file was written: on a slow machine too the run gets on between kills.
    """
    chance = random.Random(seed)
    done = {"kills": 0, "kills_in_write": 0, "attempts": 0}
    while True:
        after = chance.choice(["start", "begun", "written", "writing", "writing"])
        patience = chance.uniform(0.0, 1.5 * epoch_seconds)
        child, since = attempt(folder, seed), time.monotonic()
        done["attempts"] += 1
        while not ended(child):
            if after in ("begun", "written") and not (folder / after).exists():
                since = time.monotonic()
            writing = (folder / "writing").exists()
            late = time.monotonic() - since > patience
            if late and done["kills"] < kills and (writing or after != "writing"):
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                done["kills"] += 1
                done["kills_in_write"] += writing
                break
            time.sleep(0.001)
        else:
            return done


def main() -> None:
    folder, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    # What every attempt needs is loaded once: the images, and what torch's optimizers import.
    datasets.load("digits", datasets.data_root(), 28)
    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])
    for name in ("peace", "killed"):
        (folder / name).mkdir()
    started = time.monotonic()
    run(folder / "peace", seed, kills=0, epoch_seconds=0.0)
    epoch_seconds = (time.monotonic() - started) / EPOCHS
    print(json.dumps(run(folder / "killed", seed, kills, epoch_seconds)))


if __name__ == "__main__":
    main()
