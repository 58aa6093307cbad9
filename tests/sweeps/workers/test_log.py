"""Ray's log, which goes to a file of the sweep's folder."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.workers.pool import _log_to


@pytest.fixture
def ray_log() -> Iterator[logging.Logger]:
    logger = logging.getLogger("ray")
    before = logger.handlers[:], logger.propagate, logger.level
    yield logger
    logger.handlers[:], logger.propagate, logger.level = before


def test_lines_go_to_the_file_alone(
    ray_log: logging.Logger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _log_to(tmp_path / "log.txt")
    ray_log.error("a worker is gone")
    assert "ERROR ray: a worker is gone" in (tmp_path / "log.txt").read_text()
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_lines_that_a_full_disk_refuses_are_lost_without_a_word(
    ray_log: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    _log_to(Path("/dev/full"))
    ray_log.error("a worker is gone")
    assert capsys.readouterr() == ("", "")
    ray_log.error("%d workers", "no")  # a mistake of the caller is told as ever
    assert "Logging error" in capsys.readouterr().err
