"""A wheel has all that runs: it trains, plans and reports without the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder / "site")
    return folder / "site"


def test_a_run_a_report_and_the_bundled_questions_need_no_checkout(
    site: Path, tmp_path: Path
) -> None:
    # The wheel's packages come before those of the checkout, wherever that is installed.
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def python(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import analysis, polyneuron, sweeps, trainers as t; print(sweeps.__file__, t.__file__)"
    assert all(file.startswith(str(site)) for file in python("-c", where).split())
    python("-m", "sweeps", "train", "--data", "digits", "--epochs", "1", "--name", "one")
    report = python("-m", "sweeps", "report", "one")
    assert (tmp_path / report.splitlines()[0]).read_text("utf-8").startswith("<!doctype html>")
    assert '"space"' in python("-m", "sweeps", "schema")


def test_a_wheel_has_the_sources_of_kernels_and_no_tests(site: Path) -> None:
    packages = ("analysis", "polyneuron", "sweeps", "trainers")
    tracked = subprocess.check_output(["git", "ls-files", *packages], cwd=ROOT, text=True)
    packed = {file.relative_to(site).as_posix() for file in site.rglob("*") if file.is_file()}
    assert set(tracked.split()) <= packed
    assert not any(name.startswith(("tests", "docs")) for name in packed)
