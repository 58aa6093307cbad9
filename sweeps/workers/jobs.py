"""Commands that run on a Ray cluster, started from elsewhere through its Jobs API.

The driver of a sweep is then a job of the cluster: whoever submitted it may leave. The code that
runs is ours, which is shipped with the job, so that laptop and cluster cannot differ in it.

Ray reads how it is guarded when it is imported: call `set_ray_variables` before importing this.
"""

from __future__ import annotations

import dataclasses
import logging
import shlex
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobStatus, JobSubmissionClient

from analysis.program import program
from sweeps.extras import optional
from sweeps.spec.own_modules import OURS
from sweeps.workers.environment import ClusterError
from sweeps.workers.token import check_token

SWEEP = "sweep"
"""The entry of a job's metadata that names its sweep."""
LOOK_SECONDS = 1.0
UPLOADS = ("ray.dashboard.modules.dashboard_sdk", "ray._private.runtime_env.packaging")
"""The loggers of Ray's that tell of each folder it ships."""
OF_RAY = ("Running entrypoint for job", "Runtime env is setting up")
"""Words of the lines that Ray itself writes into a job's log."""
SHIPPED = Path(__file__).parents[2]
# A job's own folder goes with the job: results must never lie there.
ROOT_THERE = 'export SWEEPS_ROOT="${SWEEPS_ROOT:-$HOME/results}"'


@dataclasses.dataclass(frozen=True)
class Job:
    """A job of a cluster, and the lines that it has printed."""

    client: JobSubmissionClient
    id: str

    def lines(self) -> Iterator[str]:
        """Yield the lines of the job, also while it runs; they end when the job does.

        Raises:
            ClusterError: the cluster no longer answers.
        """
        printed = 0
        while True:
            try:
                ended = self.client.get_job_status(self.id).is_terminal()
                whole = self.client.get_job_logs(self.id).splitlines(keepends=True)
            except OSError as error:  # of `requests`, whose errors are OSErrors
                raise ClusterError(
                    f"the cluster no longer answers ({type(error).__name__}). A job goes on"
                    f" without its followers: follow it again with `{program()} logs`"
                ) from None
            lines = whole if ended else [one for one in whole if one.endswith("\n")]
            for line in lines[printed:]:
                if not any(words in line for words in OF_RAY):
                    yield line.rstrip("\n")
            printed = len(lines)
            if ended:
                return
            time.sleep(LOOK_SECONDS)

    def code(self) -> int:
        """Return the exit code of a job that has ended; 1 where it was killed before one."""
        details = self.client.get_job_info(self.id)
        if details.driver_exit_code is not None:
            return int(details.driver_exit_code)
        return 0 if details.status == JobStatus.SUCCEEDED else 1


def connect(address: str) -> JobSubmissionClient:
    """Connect to a cluster's Jobs API with the user's token.

    Raises:
        ClusterError: nothing answers there, or the token is missing or another cluster's.
        NotInstalledError: Ray was installed without what talks to its Jobs API.
    """
    check_token()
    optional("aiohttp", "jobs", "a sweep on another machine")
    try:
        client = JobSubmissionClient(address)
        for name in UPLOADS:
            logging.getLogger(name).setLevel(logging.WARNING)
        return client
    except (ConnectionError, RuntimeError, AuthenticationError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[0].partition(". ")[0].rstrip(".")
        raise ClusterError(
            f"no Jobs API at {address}: {reason}. Is it the head's dashboard, as"
            " http://head:8265, and RAY_AUTH_TOKEN_PATH its token?"
        ) from None


def start(client: JobSubmissionClient, sweep: str, command: Sequence[str], folder: Path) -> Job:
    """Start a command of this program on a cluster.

    Args:
        client: of the cluster.
        sweep: the name under which `latest` finds the job.
        command: the words after `sweeps`.
        folder: is shipped and becomes the command's working directory; our packages are added.
    """
    for name in OURS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SHIPPED / name, folder / name, ignore=ignored)
    job = client.submit_job(
        entrypoint=f"{ROOT_THERE}; exec python -m sweeps {shlex.join(command)}",
        runtime_env={"working_dir": str(folder)},
        metadata={SWEEP: sweep, "command": command[0]},
    )
    return Job(client, job)


def latest(client: JobSubmissionClient, sweep: str) -> Job:
    """Return the last job that drives, or drove, a sweep.

    Raises:
        ClusterError: the cluster knows of none.
    """
    driving = ("run", "resume")

    def began(one: JobDetails) -> int:
        return int(one.start_time or 0)

    found = [
        one
        for one in client.list_jobs()
        if (one.metadata or {}).get(SWEEP) == sweep
        and (one.metadata or {}).get("command") in driving
    ]
    if not found:
        raise ClusterError(f"no job of this cluster drives a sweep {sweep!r}; submit it first")
    newest = max(found, key=began)
    assert newest.submission_id is not None
    return Job(client, newest.submission_id)
