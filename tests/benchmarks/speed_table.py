"""Write the documentation's tables of speed from the figures in results/.

python tests/benchmarks/speed_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "explanation" / "speed.md"
RESULTS = Path(__file__).parent / "results"
NAMES = ("speed_cpu.json", "lenet_step.json", "speed_gpu.json")
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
RIVALS_BEGIN, RIVALS_END = "<!-- rivals: begin -->", "<!-- rivals: end -->"


def speed_table(content: dict[str, Any]) -> str:
    """Render the rows that have a target, with the machine they were measured on."""
    lines = ["| what | against | ratio | target |", "| --- | --- | --- | --- |"]
    for row in content["rows"]:
        if row["target"] is not None:
            met = "" if row["ratio"] <= row["target"] else " (missed)"
            figures = f"{row['ratio']:.3g} | {row['target']:.3g}{met}"
            lines.append(f"| {row['operator']}{_threads(row)} | {row['rival']} | {figures} |")
    machine = content["machine"]
    if "device" in machine:
        place = f"{machine['device']}, CUDA {machine['cuda']}, Triton {machine['triton']}"
        command = "python tests/benchmarks/gpu.py"
    else:
        threads = f"{machine['threads']} threads"
        place = f"{threads}, {machine['processor']} ({machine['vectors']})"
        command = "make bench"
    kept = f" Tensors of x's size kept for the backward pass: {content.get('kept_for_backward')}."
    if "load_before_and_after" in machine:
        before, after = machine["load_before_and_after"]
        busy = f"other work on the machine (load {before:.0f} before, {after:.0f} after)"
        place += f", {busy if before > 1 else 'nothing else on the machine'}"
        command, kept = "python tests/benchmarks/lenet_step.py", ""
    lines.append(
        f"\n*{place}, torch {machine['torch']}; least of many turns, rivals in alternation:"
        f" `{command}`.{kept}*"
    )
    return "\n".join(lines)


def _threads(row: dict[str, Any]) -> str:
    """Name a row's threads, where a table has rows of several numbers."""
    if "threads" not in row:
        return ""
    return f", {row['threads']} thread" + ("" if row["threads"] == 1 else "s")


def speed_tables(folder: Path = RESULTS) -> str:
    """Render all that was measured."""
    paths = [folder / name for name in NAMES]
    return "\n\n".join(speed_table(json.loads(p.read_text())) for p in paths if p.exists())


def rivals_table(path: Path = RESULTS / "rivals.json") -> str:
    """Render our activations beside those of others."""
    content = json.loads(path.read_text())
    machine = content["machine"]
    lines = ["| ours | beside | ours, ms | theirs, ms | ratio |", "| --- | --- | --- | --- | --- |"]
    for row in content["rows"]:
        figures = f"{row['ours_ms']:.3g} | {row['rival_ms']:.3g} | {row['ratio']:.2g}"
        lines.append(f"| {row['operator']} | {row['rival']} | {figures} |")
    packages = ", ".join(f"{name} {number}" for name, number in machine["packages"].items())
    place = f"{machine['processor']} ({machine['vectors']}), torch {machine['torch']}, {packages}"
    load = " and ".join(f"{one:.0f}" for one in machine["load_before_and_after"])
    lines.append(
        f"\n*One thread, {place}; load {load} before and after, which the thread's own clock leaves"
        " out, but not what it does to caches and memory; least of many turns, rivals in"
        " alternation: `python tests/benchmarks/rivals.py`.*"
    )
    return "\n".join(lines)


def readme_table(folder: Path = RESULTS) -> str:
    """Render the figures that a user asks for first."""

    def found(name: str) -> Any:
        return json.loads((folder / f"{name}.json").read_text())

    def ratio(name: str, operator: str, rival: str, threads: int | None = None) -> str:
        rows = found(name)["rows"]
        wanted = (operator, rival, threads)
        keys = ((row["operator"], row["rival"], row.get("threads")) for row in rows)
        return next(
            f"{row['ratio']:.2g}" for row, key in zip(rows, keys, strict=True) if key == wanted
        )

    ours = "PolyNeuron-R, s=3 k=3"
    eager = "torch's ReLU ResNet-20, eager, channels-last"
    overhead = found("sweep_overhead")
    trial = overhead["engine"][0]["control_plane_milliseconds"]["median"]
    tune = min(one["milliseconds_a_trial_and_slot"] for one in overhead["ray_tune"])
    rows = [
        (
            "LeNet-5, a training step with PolyNeuron-R, on one core",
            f"{ratio('lenet_step', 'LeNet-5 step, polyneuron_r', 'torch ReLU, eager', 1)} of the"
            " time with torch's ReLU",
        ),
        (
            "ResNet-20, likewise on two cores",
            f"{ratio('speed_cpu', 'ResNet-20 step, PolyNeuron-R', eager)} of it",
        ),
        (
            "PolyNeuron-R alone, forward and backward",
            f"{ratio('rivals', ours, 'torch ReLU')} times torch's ReLU;"
            f" {ratio('rivals', ours, 'torch.compile of eq. 1')} of `torch.compile`'s time for its"
            " formula",
        ),
        (
            "from `sweeps run quickstart` to the first training step",
            f"{found('first_trial')['seconds']['the first step is taken']:.0f} s",
        ),
        (
            "a trial, beside its training",
            f"{trial:.0f} ms; Ray Tune with Optuna {tune:.0f} ms",
        ),
    ]
    lines = ["| what | measured |", "| --- | --- |"]
    return "\n".join([*lines, *(f"| {what} | {how} |" for what, how in rows)])


def with_table(page: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """Put the table between its two marks."""
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n{table}\n{end}{after}"


if __name__ == "__main__":
    page = with_table(PAGE.read_text(), speed_tables())
    PAGE.write_text(with_table(page, rivals_table(), RIVALS_BEGIN, RIVALS_END))
    README.write_text(with_table(README.read_text(), readme_table()))
