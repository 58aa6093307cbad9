"""Tables at an address: written, merged, compacted and read through an S3 client on a socket."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from synthetic_store import SyntheticSweep, configuration, learning_curve

import analysis
from analysis.store.folders import ElsewhereError, open_folder
from analysis.store.schema import EPOCHS, RUNS, SWEEPS, TABLES
from analysis.store.whole_files import whole_file

store = pytest.importorskip("sweeps.store.paths", reason="sweeps need the extra `sweep`")


def write_as_the_engine_does(paths, sweep: SyntheticSweep) -> None:
    paths.create()
    paths.store.writer("driver").write(SWEEPS, sweep.rows["sweeps"])
    for run in sweep.rows["runs"]:
        writer = paths.store.writer(run["run_id"])
        writer.write(RUNS, [run | {"status": "running"}])
        epochs = [row for row in sweep.rows["epochs"] if row["run_id"] == run["run_id"]]
        writer.write(EPOCHS, epochs[:-1])
        writer.write(EPOCHS, epochs[-1:])
        writer.write(RUNS, [run])
        writer.merge()


@pytest.fixture
def sweep() -> SyntheticSweep:
    made = SyntheticSweep("far")
    rng = np.random.default_rng(0)
    for seed in range(2):
        made.add_run(configuration(), seed, learning_curve(2, 5, rng))
    return made


def test_a_store_at_an_s3_address_is_the_same_store(
    bucket, sweep, tmp_path: Path, monkeypatch
) -> None:
    write_as_the_engine_does(store.SweepPaths(tmp_path / "a", "far"), sweep)
    monkeypatch.setenv("SWEEPS_TABLES", bucket.address("results"))
    there = store.SweepPaths(tmp_path / "b", "far")
    write_as_the_engine_does(there, sweep)
    assert not there.tables.exists()
    methods = [method for method, path in bucket.requests if path.endswith(".arrows")]
    assert methods.count("PUT") == 1 + 2 * (4 + 2), "each part is one request"
    assert "POST" not in methods
    local = analysis.load(tmp_path / "a")
    for _ in range(2):
        for address in (tmp_path / "b", bucket.address("results")):
            remote = analysis.load(address)
            assert remote.names == ("far",)
            for name in TABLES:
                pd.testing.assert_frame_equal(getattr(remote, name), getattr(local, name))
        assert there.store.row_of_run(sweep.rows["runs"][0]["run_id"])["status"] == "completed"
        there.store.compact()
    keys = {key.removeprefix("results/far/tables/") for key in bucket.keys}
    assert {key for key in keys if not key.endswith("/")} == {
        "sweeps.parquet",
        "runs.parquet",
        "epochs.parquet",
    }


def test_a_pointer_to_a_place_that_the_user_did_not_name_sends_nothing(
    bucket, sweep, tmp_path: Path, monkeypatch
) -> None:
    write_as_the_engine_does(store.SweepPaths(tmp_path, "mine"), sweep)
    stranger = store.SweepPaths(tmp_path, "far", bucket.address("results"))
    write_as_the_engine_does(stranger, sweep)
    before = len(bucket.requests)
    place, _, options = bucket.address("results").partition("?")
    for known in (None, bucket.address("others"), f"{place}?{options}&region=x", place + "/far/.."):
        if known is not None:
            monkeypatch.setenv("SWEEPS_TABLES", known)
        with pytest.warns(analysis.StoreWarning, match="far lie at 's3://.*set SWEEPS_TABLES="):
            assert analysis.load(tmp_path).names == ("mine",)
        for path, names in ((tmp_path / "far", None), (tmp_path, ["far"])):
            with pytest.raises(analysis.StoreError, match="not asked without your word"):
                analysis.load(path, names)
        with pytest.raises(analysis.StoreError, match="not asked without your word"):
            _ = store.SweepPaths(tmp_path, "far").store
    assert len(bucket.requests) == before
    found = analysis.load(tmp_path, tables_at=bucket.address("results"))
    assert found.names == ("far", "mine")
    assert len(found.runs) == 2
    assert len(bucket.requests) > before


def test_a_refused_pointer_shows_no_key_or_password() -> None:
    """Messages end in logs."""
    address = "s3://KEY:PASSWORD@bucket/results/far?secret_key=SECRET&region=x"
    message = str(ElsewhereError("mine/far", address))
    assert "s3://bucket/results" in message
    assert "mine/far/tables_at.txt" in message
    for hidden in ("KEY", "PASSWORD", "SECRET"):
        assert hidden not in message


def test_a_name_that_is_taken_there_is_refused(bucket, sweep, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SWEEPS_TABLES", bucket.address("results"))
    write_as_the_engine_does(store.SweepPaths(tmp_path / "a", "far"), sweep)
    with pytest.raises(analysis.StoreError, match="the name 'far' is taken: s3://"):
        store.SweepPaths(tmp_path / "b", "far").create()
    assert not (tmp_path / "b" / "far").exists()


def test_an_upload_that_fails_leaves_the_earlier_object(bucket) -> None:
    file = open_folder(bucket.address("results/runs.parquet"))
    with whole_file(file) as stream:
        stream.write(b"earlier")

    def interrupted() -> None:
        with whole_file(file) as stream:
            stream.write(b"half of the la")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert bucket.keys == {"results/runs.parquet"}
    assert bucket.content("results/runs.parquet") == b"earlier"


def test_a_bucket_that_may_not_be_read_is_one_line(bucket) -> None:
    bucket.forbid()
    with pytest.raises(analysis.StoreError, match=r"cannot read s3://.*ACCESS_DENIED") as caught:
        analysis.load(bucket.address("results"))
    assert "\n" not in str(caught.value)
