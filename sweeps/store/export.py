"""Exports a sweep's runs to CSV, JSON or Parquet, with a manifest that describes the file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

import analysis
from analysis.exported import csv_text, json_lines
from analysis.store.errors import StoreError
from analysis.store.folders import open_folder
from analysis.store.schema import RUNS
from analysis.store.whole_files import whole_file

FORMATS = ("csv", "json", "parquet")
PAPER = {
    "title": "PolyNeuron: Automatic Neuron Discovery via Learned Polyharmonic Spline Activations",
    "authors": [{"name": "Andrew Hryniowski"}, {"name": "Alexander Wong"}],
    "reference": "https://arxiv.org/abs/1811.04303",
}


def export_runs(root: Path, name: str, form: str, out: Path | None, stream: TextIO) -> None:
    """Write one row a run to a file, or to a stream where `out` is None.

    Raises:
        StoreError: Parquet is asked for without a file, or the file cannot be written.
    """
    runs = analysis.load(root, [name]).runs
    if out is None and form == "parquet":
        raise StoreError("--parquet writes a binary file: say where with --out FILE")
    if out is None:
        _print(_text(runs, form), stream)
    else:
        _write(out, _content(runs, form))


def write_manifest(root: Path, name: str, exported: Path, manifest: Path) -> None:
    """Describe an exported file and its origin, in the form of CODECHECK's configuration files.

    Beyond CODECHECK's own fields the manifest has the file's hash, the columns with their units,
    and the sweep's specification, code, data and versions.

    Raises:
        StoreError: the file cannot be written.
    """
    results = analysis.load(root, [name])
    entry = {
        "file": exported.name,
        "comment": _comment(name, results.runs),
        "sha256": hashlib.sha256(exported.read_bytes()).hexdigest(),
        "rows": len(results.runs),
    }
    described = {
        "version": "https://codecheck.org.uk/spec/config/1.0/",
        "paper": PAPER,
        "manifest": [entry],
        "sweep": _provenance(results),
        "columns": analysis.columns("runs").drop(columns="table").to_dict("records"),
    }
    text = yaml.safe_dump(described, sort_keys=False, allow_unicode=True, width=100)
    _write(manifest, text.encode())


def _text(runs: pd.DataFrame, form: str) -> str:
    if form == "csv":
        return csv_text(runs)
    return json_lines(runs)


def _print(text: str, stream: TextIO) -> None:
    # A replaced character would be another value, so nothing is written instead.
    encoding = stream.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError as error:
        raise StoreError(
            f"standard output is {encoding}, which has no {text[error.start]!a}: write to a file"
            " with --out FILE"
        ) from None
    stream.write(text)


def _content(runs: pd.DataFrame, form: str) -> bytes:
    if form != "parquet":
        return _text(runs, form).encode()
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(runs, RUNS.schema, preserve_index=False), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _write(path: Path, content: bytes) -> None:
    try:
        with whole_file(open_folder(path)) as file:
            file.write(content)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from None


def _comment(name: str, runs: pd.DataFrame) -> str:
    counts = runs["status"].value_counts()
    outcomes = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"One row a run of the sweep {name}: {outcomes or 'none yet'}"


def _provenance(results: analysis.Results) -> dict[str, Any]:
    sweep = results.sweeps.iloc[0]
    hashes = results.runs["data_sha256"].dropna().astype(str)
    return {
        "name": str(sweep["sweep"]),
        "benchmark": _optional(sweep["benchmark"]),
        "purpose": _optional(sweep["purpose"]),
        "started_at": _optional(sweep["created_at"]),
        "code_version": _optional(sweep["code_version"]),
        "data_sha256": sorted({one for one in hashes if one}),
        "spec_sha256": _optional(sweep["spec_sha256"]),
        "spec": json.loads(sweep["spec_json"]) if _optional(sweep["spec_json"]) else None,
        "versions": json.loads(sweep["versions_json"]) if _optional(sweep["versions_json"]) else {},
        "claims": [str(claim) for claim in sweep["claims"]] if sweep["claims"] is not None else [],
    }


def _optional(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)
