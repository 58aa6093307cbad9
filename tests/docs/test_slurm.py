"""The page on SLURM: its script runs a sweep, and goes on with one.

Without a SLURM cluster, two shell scripts stand for `scontrol` and `srun` on a single node.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import analysis

sys.path.insert(0, str(Path(__file__).parents[1]))
from pasted import ROOT, newcomer

PAGE = ROOT / "docs" / "how-to" / "slurm.md"
SPEC = """
name: my-sweep
data: digits
recipe: {epochs: 40}
activation: relu
space: {learning_rate: {log: [1.0e-3, 1.0e-2]}}
search: {algorithm: random, trials: 3}
seeds: 1
"""
SRUN = '#!/bin/bash\nwhile [[ $1 == --* ]]; do shift; done\nexec "$@"\n'
pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        "SWEEPS_PAGES" not in os.environ, reason="a minute: run by `make test-pages`"
    ),
    pytest.mark.skipif(
        not (Path(sys.prefix) / "bin" / "activate").exists(), reason="needs a virtual environment"
    ),
]


@pytest.fixture
def job(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """The folder of a job, and the environment that SLURM gives it."""
    (block,) = re.findall(r"^```text\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "sweep.sbatch").write_text(block)
    (tmp_path / "my-sweep.yaml").write_text(SPEC)
    stand_ins = tmp_path / "slurm"
    stand_ins.mkdir()
    for name, text in {"scontrol": "#!/bin/sh\nhostname\n", "srun": SRUN}.items():
        (stand_ins / name).write_text(text)
        (stand_ins / name).chmod(0o755)
    with newcomer(tmp_path) as environment:
        yield (
            tmp_path,
            {
                **environment,
                "PATH": f"{stand_ins}:{environment['PATH']}",
                "SLURM_JOB_ID": str(os.getpid()),
                "SLURM_JOB_NODELIST": "here",
                "SLURM_NNODES": "1",
                "SLURM_CPUS_PER_TASK": "1",
            },
        )


def start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["bash", "sweep.sbatch", "my-sweep"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(one: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for a job's script, then end its steps, as SLURM does."""
    code = one.wait(timeout=300)
    os.killpg(one.pid, signal.SIGTERM)
    out, _ = one.communicate(timeout=60)
    return code, out


def test_a_job_whose_time_is_over_stops_and_the_next_one_goes_on(
    job: tuple[Path, dict[str, str]],
) -> None:
    folder, environment = job
    first = start(folder, environment)
    while not list(folder.glob("results/my-sweep/checkpoints/*/epoch-*.ckpt")):
        assert first.poll() is None
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGINT)  # --signal=B:INT@120 signals the script alone
    code, out = ended(first)
    assert code == 130, out
    code, out = ended(start(folder, environment))
    assert code == 0, out
    trials = analysis.load(folder / "results").trials
    assert list(trials["status"]) == ["completed"] * 3
