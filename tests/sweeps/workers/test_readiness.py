"""A worker says what its machine lacks before it takes a trial."""

from pathlib import Path

import pytest

from sweeps.spec.reading import parse_spec
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version
from sweeps.workers.readiness import problem_here
from trainers import Execution


@pytest.fixture
def paths(tmp_path: Path) -> SweepPaths:
    paths = SweepPaths(tmp_path, "x")
    paths.create()
    paths.spec.write_text("{}")
    return paths


def spec_of(data: str) -> SweepSpec:
    space = {"learning_rate": {"grid": [1e-4]}}
    return parse_spec({"name": "x", "data": data, "space": space, "search": "grid"})


def test_a_sound_machine_has_no_problem(paths: SweepPaths, tmp_path: Path) -> None:
    execution = Execution(data_root=tmp_path)
    for code in ("", code_version()):
        assert problem_here(spec_of("digits"), paths, execution, code) == ""
    assert {path.name for path in paths.folder.iterdir()} == {"spec.json"}


def test_missing_data_is_named_with_its_folder(paths: SweepPaths, tmp_path: Path) -> None:
    told = problem_here(spec_of("mnist"), paths, Execution(data_root=tmp_path), "")
    assert f"has no mnist under {tmp_path}: copy the folder there" in told


def test_another_version_of_the_code_is_named(paths: SweepPaths, tmp_path: Path) -> None:
    told = problem_here(spec_of("digits"), paths, Execution(data_root=tmp_path), "0.1.0+other")
    assert f"has training code {code_version()}, this machine 0.1.0+other" in told


def test_a_storage_that_is_not_shared_is_named(tmp_path: Path) -> None:
    elsewhere = SweepPaths(tmp_path / "elsewhere", "x")
    told = problem_here(spec_of("digits"), elsewhere, Execution(data_root=tmp_path), "")
    assert f"does not see {elsewhere.folder}: give every machine the same storage" in told


def test_a_storage_that_cannot_be_written_is_named(
    paths: SweepPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    told = problem_here(spec_of("digits"), paths, Execution(data_root=tmp_path), "")
    assert told.endswith(f"cannot write in {paths.folder}: Permission denied")
