import json
from pathlib import Path

import pytest

from analysis.store.errors import StoreError
from sweeps.driver import changes
from sweeps.spec.overrides import with_settings
from sweeps.spec.reading import parse_spec
from sweeps.spec.sections import SweepSpec
from sweeps.store.paths import SweepPaths
from sweeps.store.provenance import code_version

RAW = {
    "name": "kept",
    "data": "digits",
    "recipe": {"epochs": 2},
    "space": {"s": {"grid": [3, 5]}},
    "search": "grid",
}


def spec_of(*settings: str) -> SweepSpec:
    return parse_spec(with_settings(RAW, settings))


def refuse(root: Path, now: SweepSpec, code: str | None = None, data: tuple[str, ...] = ()) -> None:
    paths = SweepPaths(root, "kept")
    paths.folder.mkdir(parents=True, exist_ok=True)
    row = {"spec_json": spec_of().to_json(), "code_version": code or code_version()}
    changes.refuse_changes(paths, row, data, now)


def test_what_is_the_same_is_not_refused(tmp_path: Path) -> None:
    from trainers.data.datasets import load

    refuse(tmp_path, spec_of(), data=(load("digits", tmp_path, 28).sha256,))


def test_a_changed_specification_is_a_diff(tmp_path: Path) -> None:
    now = spec_of("recipe.epochs=3", "space.s={grid: [3, 7]}", "space.k=2")
    with pytest.raises(StoreError, match="--accept-changes") as caught:
        refuse(tmp_path, now)
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert "recipe.epochs: 2 -> 3" in lines
    assert "space.s: {grid: [3, 5]} -> {grid: [3, 7]}" in lines
    assert "space.k: not there -> 2" in lines
    assert len(lines) == 5


@pytest.mark.parametrize("setting", ["budget.wall_hours=3", "concurrency=1"])
def test_what_decides_only_how_much_and_how_fast_is_free(tmp_path: Path, setting: str) -> None:
    refuse(tmp_path, spec_of(setting))


def test_changed_code_names_its_files(tmp_path: Path) -> None:
    paths = SweepPaths(tmp_path, "kept")
    paths.create()
    changes.note_code(paths)
    files = json.loads(paths.code.read_text())
    files["trainers/loop.py"] = "older"
    del files["polyneuron/basis.py"]
    files["trainers/gone.py"] = "older"
    paths.code.write_text(json.dumps(files))
    with pytest.raises(StoreError, match=r"training code: 0\.0\.1\+older -> ") as caught:
        refuse(tmp_path, spec_of(), code="0.0.1+older")
    for line in ("trainers/loop.py changed", "polyneuron/basis.py is new", "gone.py is gone"):
        assert line in str(caught.value)
    assert "trainers/step.py" not in str(caught.value)


def test_changed_data_is_told_by_its_hash(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="data: 0123456789ab -> "):
        refuse(tmp_path, spec_of(), data=("0123456789abcdef",))


def test_a_long_diff_is_cut(tmp_path: Path) -> None:
    options = {f"space.polyneuron_r.x{index}": index for index in range(20)}
    now = spec_of(*(f"{key}={value}" for key, value in options.items()))
    with pytest.raises(StoreError, match=r"\(and 8 more\)"):
        refuse(tmp_path, now)
