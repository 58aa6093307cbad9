"""Our conversion from Arrow to a DataFrame against pyarrow's own, at 5 million rows of `epochs`.

    python tests/benchmarks/frame_conversion.py [--runs 10000] [--epochs 500] [--folder DIR]

Reads the table from one compacted file, which is in order already, and from 100 parts, whose rows
have to be sorted. Both ways read, sort and leave out replaced rows alike, and their frames are
compared: columns, types, categories and values. Each reading is a process of its own, the two ways
in turn; the least seconds and processor seconds of `--times` count, and the largest memory of the
process, libraries included. Results go to results/frame_conversion.json beside this file.

The rule: pyarrow's way is taken if it costs at most 20 % more in time and in memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from analysis_load import surroundings
from large_store import SWEEP, epoch_rows, run_ids

from analysis.store.conversion import last_of_each_key
from analysis.store.file_reader import OpenFile
from analysis.store.folders import Folder, open_folder
from analysis.store.keys import last_rows
from analysis.store.layout import compacted_file, part_name, parts_folder
from analysis.store.merging import _coded, _conform, _sortable
from analysis.store.open_files import open_files
from analysis.store.part_files import joined_row_list, write_part
from analysis.store.reading import _filled
from analysis.store.schema import EPOCHS
from analysis.store.table_files import write_table
from analysis.store.whole_files import make_folder

RESULTS = Path(__file__).with_name("results") / "frame_conversion.json"
STORES = ("compacted", "100 parts")
NULLABLE = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}


def ours(files: list[OpenFile], schema: pa.Schema, run_ids: Sequence[str]) -> pd.DataFrame:
    return last_of_each_key(_filled(files, schema, run_ids), EPOCHS.key)


def pyarrows(files: list[OpenFile], schema: pa.Schema, run_ids: Sequence[str]) -> pd.DataFrame:
    """Convert with `to_pandas`, a column at a time, so that a converted one can be let go."""
    groups = [group for file in files for group in file.groups]
    files.clear()
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda group: _conform(group.read(), _coded(schema)), groups))
    groups.clear()
    rows = pa.concat_tables(tables).unify_dictionaries()
    tables.clear()
    kept = last_rows([_sortable(rows[name]) for name in EPOCHS.key])
    arrays = {}
    for field in schema:
        column = rows[field.name]
        rows = rows.drop_columns(field.name)
        if kept is not None:
            column = column.take(pa.array(kept))
        arrays[field.name] = _array(column, field, run_ids)
    return pd.DataFrame(arrays, copy=False)


def _array(column: pa.ChunkedArray, field: pa.Field, run_ids: Sequence[str]) -> Any:
    if pa.types.is_dictionary(column.type):
        words = column.chunk(0).dictionary.to_pylist()
        sorted_words = sorted({*words, *(run_ids if field.name == "run_id" else ())})
        ranks = {word: rank for rank, word in enumerate(sorted_words)}
        lookup = pa.array([ranks[word] for word in words], pa.int32())
        codes = pa.chunked_array([lookup.take(chunk.indices) for chunk in column.chunks])
        kind = pd.CategoricalDtype(sorted_words)
        return pd.Categorical.from_codes(codes.to_numpy(), dtype=kind, validate=False)
    if pa.types.is_integer(field.type) and field.nullable:
        return column.to_pandas(types_mapper=NULLABLE.get).array
    values = column.to_numpy()
    return values if values.flags.writeable else values.copy()


WAYS: dict[str, Callable[..., pd.DataFrame]] = {"ours": ours, "pyarrow's": pyarrows}


def write_stores(folder: Path, runs: int, epochs: int) -> None:
    ids = run_ids(runs)
    hundredth = max(1, runs // 100)
    for store in STORES:
        sweep = open_folder(folder / store / SWEEP)
        make_folder(parts_folder(sweep))
    in_order = sorted(range(runs), key=ids.__getitem__)
    whole = compacted_file(open_folder(folder / STORES[0] / SWEEP), EPOCHS)
    chunks = [in_order[start : start + hundredth] for start in range(0, runs, hundredth)]
    write_table(whole, EPOCHS, (_rows(chunk, ids, epochs) for chunk in chunks))
    parts = parts_folder(open_folder(folder / STORES[1] / SWEEP))
    for start in range(0, runs, hundredth):
        rows = _rows(range(start, min(start + hundredth, runs)), ids, epochs)
        file = parts.child(part_name(f"w{start}", 0, [EPOCHS.name]))
        write_part(file, {EPOCHS.name: joined_row_list(EPOCHS, [rows])})


def _rows(indices: Sequence[int], ids: Sequence[str], epochs: int) -> pa.Table:
    return pa.concat_tables(epoch_rows(i, ids[i], epochs) for i in indices).combine_chunks()


def read(way: str, sweep: Folder, ids: Sequence[str]) -> pd.DataFrame:
    return WAYS[way](open_files(sweep, EPOCHS, EPOCHS.schema, {}), EPOCHS.schema, ids)


def child(way: str, store: Path, runs: int) -> None:
    """Read once in this process and print what it took, or check that the two ways agree."""
    if way == "check":
        check_alike(store, runs)
        return
    ids, sweep = sorted(run_ids(runs)), open_folder(store / SWEEP)
    started, processor = time.perf_counter(), time.process_time()
    frame = read(way, sweep, ids)
    took = {
        "seconds": time.perf_counter() - started,
        "processor_seconds": time.process_time() - processor,
        "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "rows": len(frame),
    }
    print(json.dumps({name: round(value, 3) for name, value in took.items()}))


def check_alike(store: Path, runs: int) -> None:
    """Check that both ways give the same frame; pandas' own comparison takes minutes."""
    ids, sweep = sorted(run_ids(runs)), open_folder(store / SWEEP)
    one, other = (read(way, sweep, ids) for way in WAYS)
    assert list(one.columns) == list(other.columns)
    for name in one.columns:
        assert one[name].dtype == other[name].dtype, name
        if isinstance(one[name].dtype, pd.CategoricalDtype):
            assert np.array_equal(one[name].cat.codes, other[name].cat.codes), name
        else:
            assert one[name].equals(other[name]), name


def measure(folder: Path, store: str, runs: int, times: int) -> dict[str, Any]:
    def run(way: str) -> str:
        # This process stays small: a child's greatest memory counts from its parent's on.
        command = [sys.executable, __file__, "--child", way, "--runs", str(runs)]
        command += ["--folder", str(folder / store)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    run("check")
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(times):
        for way, taken in found.items():
            taken.append(json.loads(run(way)))
    best = {
        way: {name: min(one[name] for one in taken) for name in taken[0]}
        for way, taken in found.items()
    }
    names = ("seconds", "processor_seconds", "peak_gigabytes")
    more = {name: round(best["pyarrow's"][name] / best["ours"][name] - 1, 2) for name in names}
    print(store, json.dumps({**best, "pyarrow's over ours": more}, indent=2), flush=True)
    return {**best, "pyarrow's over ours": more}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=500)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="of the stores; else they are deleted")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.folder, arguments.runs)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        if not (folder / STORES[0]).exists():
            write_stores(folder, arguments.runs, arguments.epochs)
        stores = {s: measure(folder, s, arguments.runs, arguments.times) for s in STORES}
    found = {"runs": arguments.runs, "epochs": arguments.epochs, "on": surroundings(), **stores}
    RESULTS.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
