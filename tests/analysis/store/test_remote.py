"""Tables at an address: written, merged, compacted and read through an S3 client on a socket."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from s3_server import s3_server
from synthetic_store import SyntheticSweep, configuration, learning_curve

import analysis
from analysis.store.schema import EPOCHS, RUNS, SWEEPS, TABLES

store = pytest.importorskip("sweeps.store.paths", reason="the writer needs the extra `sweep`")


def write_as_the_engine_does(paths, sweep: SyntheticSweep) -> None:
    paths.create()
    store.PartWriter(paths, "driver").write(SWEEPS, sweep.rows["sweeps"])
    for run in sweep.rows["runs"]:
        writer = store.PartWriter(paths, run["run_id"])
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


def test_a_store_at_an_s3_address_is_the_same_store(sweep, tmp_path: Path, monkeypatch) -> None:
    here, there = store.SweepPaths(tmp_path / "a", "far"), store.SweepPaths(tmp_path / "b", "far")
    write_as_the_engine_does(here, sweep)
    with s3_server() as server:
        monkeypatch.setenv("SWEEPS_TABLES", server.address("bucket/results"))
        write_as_the_engine_does(there, sweep)
        monkeypatch.delenv("SWEEPS_TABLES")
        assert not there.tables.exists()
        methods = [method for method, path in server.requests if path.endswith(".arrows")]
        assert methods.count("PUT") == 1 + 2 * (4 + 2), "each part is one request"
        assert "POST" not in methods
        local = analysis.load(tmp_path / "a")
        for _ in range(2):
            for address in (tmp_path / "b", server.address("bucket/results")):
                remote = analysis.load(address)
                assert remote.names == ("far",)
                for name in TABLES:
                    pd.testing.assert_frame_equal(getattr(remote, name), getattr(local, name))
            assert store.run_row(there, sweep.rows["runs"][0]["run_id"])["status"] == "completed"
            store.compact(there)
        parts = {path.removeprefix("bucket/results/far/tables/") for path in server.objects}
        assert {part for part in parts if not part.endswith("/")} == {
            "sweeps.parquet",
            "runs.parquet",
            "epochs.parquet",
        }


def test_a_name_that_is_taken_there_is_refused(sweep, tmp_path: Path, monkeypatch) -> None:
    with s3_server() as server:
        monkeypatch.setenv("SWEEPS_TABLES", server.address("bucket/results"))
        write_as_the_engine_does(store.SweepPaths(tmp_path / "a", "far"), sweep)
        with pytest.raises(analysis.StoreError, match="the name 'far' is taken: s3://"):
            store.SweepPaths(tmp_path / "b", "far").create()
        assert not (tmp_path / "b" / "far").exists()


def test_an_upload_that_fails_leaves_the_earlier_object(sweep, tmp_path: Path) -> None:
    from analysis.store.folders import open_folder
    from analysis.store.writing import whole_file

    with s3_server() as server:
        file = open_folder(server.address("bucket/results/runs.parquet"))
        with whole_file(file) as stream:
            stream.write(b"earlier")

        def interrupted() -> None:
            with whole_file(file) as stream:
                stream.write(b"half of the la")
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert server.objects == {"bucket/results/runs.parquet": b"earlier"}


def test_a_bucket_that_may_not_be_read_is_one_line() -> None:
    with s3_server() as server:
        server.forbidden = True
        with pytest.raises(
            analysis.StoreError, match=r"cannot read s3://.*ACCESS_DENIED"
        ) as caught:
            analysis.load(server.address("bucket/results"))
    assert "\n" not in str(caught.value)
