"""A sweep run from Python, and all that looks at it: one small real sweep for the whole file."""

import json
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import optuna
import pandas as pd
import pytest

import sweeps
from analysis import Results
from analysis.store.errors import StoreError
from sweeps import extras
from sweeps.commands.dashboard import make_dashboard
from sweeps.search.databases import database_url
from sweeps.spec.errors import SpecError
from sweeps.store.locks import driver_lock
from sweeps.store.paths import SweepPaths
from sweeps.view.overview import current_view, sweep_view
from sweeps.view.progress import SweepView

SPEC = {
    "name": "small",
    "data": {"name": "digits", "train_images": 200},
    "recipe": {"epochs": 2, "flip": "none"},
    "activation": "relu",
    "space": {"learning_rate": {"grid": [1e-3, 1e6]}},
    "search": "grid",
    "seeds": 2,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def results(root: Path) -> Results:
    """Two trials of two seeds, one of which cannot but diverge."""
    return sweeps.run(SPEC, root=root, tensorboard=True, show=False)


def test_a_misspelt_name_is_no_function() -> None:
    assert callable(sweeps.resume)
    with pytest.raises(AttributeError, match="has no attribute 'rum'"):
        _ = sweeps.rum


def test_a_sweep_returns_its_results_and_loads_again(results: Results, root: Path) -> None:
    assert list(results.trials["status"]) == ["completed", "diverged"]
    assert results.trials["objective"].iloc[0] == pytest.approx(
        results.runs["last_val_error_percent"].iloc[:2].mean()
    )
    again = sweeps.load("small", root=root)
    pd.testing.assert_frame_equal(again.runs, results.runs)


def test_bad_input_raises_what_the_command_line_prints(results: Results, root: Path) -> None:
    with pytest.raises(StoreError, match="the name 'small' is taken"):
        sweeps.run(SPEC, root=root)
    with pytest.raises(SpecError, match=r"epochs: expected at least 1; got 0"):
        sweeps.run(SPEC, settings=["recipe.epochs=0"], root=root)
    with pytest.raises(StoreError, match="did you mean 'small'"):
        sweeps.load("smal", root=root)


def test_the_driver_publishes_what_its_store_says(results: Results, root: Path) -> None:
    paths = SweepPaths(root, "small")
    shown = SweepView.from_json(paths.progress.read_text("utf-8"))
    rebuilt = sweep_view(root, "small")
    assert shown.counts == rebuilt.counts == {"completed": 1, "diverged": 1}
    assert shown.best == rebuilt.best
    assert (
        shown.subject
        == rebuilt.subject
        == "relu on lenet5/digits, grid, 2 seeds x 2 epochs a trial"
    )
    assert (shown.total, shown.done, shown.running) == (2, 2, {})
    assert shown.troubles == rebuilt.troubles
    assert "trial 1 diverged: epoch 1" in shown.troubles[0]


def test_another_process_sees_the_drivers_own_view_while_it_lives(
    results: Results, root: Path
) -> None:
    paths = SweepPaths(root, "small")
    before = paths.progress.read_text("utf-8")
    view = SweepView.from_json(before)
    view.notes.append("a note of the driver alone")
    try:
        paths.progress.write_text(view.to_json(), "utf-8")
        with driver_lock(paths):
            assert current_view(root, "small") == view
        assert current_view(root, "small").notes == []
    finally:
        paths.progress.write_text(before, "utf-8")


def test_event_files_hold_the_epochs_of_each_run(results: Results, root: Path) -> None:
    folders = sorted((root / "small" / "tensorboard").iterdir())
    assert [folder.name for folder in folders][:2] == ["trial-0000-seed-0", "trial-0000-seed-1"]
    values = scalars(folders[0])
    run = results.runs[results.runs["seed"] == 0].iloc[0]
    epochs = results.epochs[results.epochs["run_id"] == run["run_id"]]
    for column in ("val_error_percent", "train_loss", "learning_rate"):
        assert values[column] == pytest.approx(dict(epochs[["epoch", column]].to_numpy()))


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Read an event file: records of a length, its checksum, the event and its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (file,) = folder.iterdir()
    content, found = file.read_bytes(), {}
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


@pytest.fixture
def dashboard(results: Results, root: Path) -> Iterator[str]:
    storage = optuna.storages.RDBStorage(database_url(SweepPaths(root, "small")))
    with make_dashboard(storage, 0) as server:
        assert server.server_address[0] == "127.0.0.1"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_dashboard_shows_the_study(dashboard: str) -> None:
    with urllib.request.urlopen(f"{dashboard}/api/studies/1") as answer:
        study = json.load(answer)
    assert study["name"] == "small"
    assert [trial["state"] for trial in study["trials"]] == ["Complete", "Fail"]
    with urllib.request.urlopen(f"{dashboard}/dashboard/studies/1") as page:
        assert b"<html" in page.read().lower()


@pytest.mark.parametrize(
    ("method", "host"), [("DELETE", "127.0.0.1:1"), ("POST", "localhost:1"), ("GET", "evil.org:1")]
)
def test_the_dashboard_changes_nothing_and_answers_nobody_else(
    method: str, host: str, dashboard: str
) -> None:
    request = urllib.request.Request(
        f"{dashboard}/api/studies/1", method=method, headers={"Host": host}
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request)
    with urllib.request.urlopen(f"{dashboard}/api/studies/1") as answer:
        assert json.load(answer)["name"] == "small"


def test_a_package_that_is_missing_is_named_with_its_extra() -> None:
    message = r"sweeps dashboard needs no-such-package.*pip install 'polyneuron-sweeps\[dash\]'"
    with pytest.raises(extras.NotInstalledError, match=message):
        extras.optional("no_such_package", "dash", "sweeps dashboard")
