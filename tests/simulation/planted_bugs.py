"""Bugs put back on purpose: the simulation has to find each of them.

    python tests/simulation/planted_bugs.py

tries seeds until each bug is found, and says which seed found it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from simulated_sweep import simulate

from analysis.store import part_writer, whole_files
from analysis.store.folders import Folder
from sweeps.driver import continuation
from sweeps.search import optuna_tables, study
from sweeps.search.searcher import StudySearcher, _Held
from sweeps.search.study import SweepStudy
from sweeps.store import recorder
from sweeps.workers.dispatch import Dispatcher
from sweeps.workers.mailbox import Letter

Patch = pytest.MonkeyPatch
MOST = 2000


def no_rename(patch: Patch) -> None:
    """Write files under their last name at once, as if no crash came in between."""

    @contextmanager
    def whole_file(file: Folder) -> Iterator[Any]:
        with Path(file.path).open("wb") as stream:
            yield stream
            stream.flush()
            whole_files.os.fsync(stream.fileno())

    from analysis.store import part_files

    patch.setattr(part_files, "whole_file", whole_file)


def overwritten_parts(patch: Patch) -> None:
    """Have a writer that starts again count its parts from 0."""
    patch.setattr(part_writer, "next_number", lambda sweep, name: 0)


def lost_letter(patch: Patch) -> None:
    """Forget each eleventh letter that comes in."""
    answers, count = Dispatcher.answers, iter(range(10**9))

    def forgetful(one: Dispatcher, letters: Iterable[Letter], places: int | None = None) -> Any:
        return answers(one, [each for each in letters if next(count) % 11], places)

    patch.setattr(Dispatcher, "answers", forgetful)


def place_given_twice(patch: Patch) -> None:
    """Give a lost worker's trial to another and leave it with the first one, too."""

    def lose(one: StudySearcher, worker: str, reason: str) -> str:
        held = one._held.get(worker)
        if held is None:
            return ""
        one._returned.append(_Held(held.trial, held.losses + 1, held.started))
        return f"trial {held.trial.number} goes on elsewhere"

    patch.setattr(StudySearcher, "lose", lose)


def late_letters_count(patch: Patch) -> None:
    """Hear the letters of a worker that was counted as lost."""
    patch.setattr(StudySearcher, "holds", lambda one, worker: True)


def trained_before_recorded(patch: Patch) -> None:
    """Let workers hear of trials that the study does not have yet."""
    patch.setattr(StudySearcher, "unrecorded", property(lambda one: False))


def ends_forgotten(patch: Patch) -> None:
    """Train a run again although the store has its end."""
    patch.setattr(recorder, "is_final", lambda row: False)


def running_for_ever(patch: Patch) -> None:
    """Leave the trials of a dead driver running in the study."""

    patch.setattr(study, "put_back_running", lambda storage, trials: None)


def missing_in_the_store(patch: Patch) -> None:
    """Do not look for trials that have ended in the study and not in the store."""
    patch.setattr(continuation, "trials_to_repeat", lambda spec, results, study, added: ())


def shared_dicts(patch: Patch) -> None:
    """Compare what the database has with what changed together with it."""
    patch.setattr(optuna_tables, "_copied", lambda trial: trial)


def retried_twice(patch: Patch) -> None:
    """Queue another attempt at a trial that has one already."""

    def queue_again(one: SweepStudy) -> int:
        failed = [t for t in one.ended() if t.user_attrs.get("status") == "error"]
        for trial in failed:
            one._changed.add(len(one.trials))
            one._memory.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})
        one.save()
        return len(failed)

    patch.setattr(SweepStudy, "queue_again", queue_again)


def impatient(patch: Patch) -> None:
    """Count a worker as lost without ending its process."""

    def overdue(pool: Any, worker: str) -> None:
        """Leave the process to itself."""

    patch.setattr("simulated_cluster.Cluster.end", overdue)


def laid_out_and_given(patch: Patch) -> None:
    """Give a trial that workers may take without asking to one that asks, too."""
    patch.setattr("simulated_cluster.Cluster.take_back", lambda one: list(range(1000)))


BUGS: tuple[Callable[[Patch], None], ...] = (
    no_rename,
    overwritten_parts,
    lost_letter,
    place_given_twice,
    late_letters_count,
    trained_before_recorded,
    ends_forgotten,
    running_for_ever,
    missing_in_the_store,
    shared_dicts,
    retried_twice,
    impatient,
    laid_out_and_given,
)


def finds(bug: Callable[[Patch], None], seed: int) -> str:
    """Return how a seed shows a bug; empty where it does not."""
    with pytest.MonkeyPatch.context() as patch:
        bug(patch)
        try:
            return "; ".join(simulate(seed).faults)
        except Exception as error:  # a bug may end a driver in any way
            return f"{type(error).__name__}: {error}"


def main() -> None:
    """Look for each bug; the exit code says whether any stays hidden."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=MOST)
    parser.add_argument("--bug", choices=[bug.__name__ for bug in BUGS])
    arguments = parser.parse_args()
    hidden = 0
    for bug in BUGS:
        if arguments.bug in (None, bug.__name__):
            shown = ((seed, finds(bug, seed)) for seed in range(arguments.seeds))
            seed, told = next((one for one in shown if one[1]), (-1, "hidden"))
            hidden += told == "hidden"
            print(f"{bug.__name__}: seed {seed}: {told}", flush=True)
    sys.exit(bool(hidden))


if __name__ == "__main__":
    main()
