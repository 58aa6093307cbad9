"""Write the documentation's tables of speed from the figures in results/, a GPU's where there are.

python tests/benchmarks/speed_table.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "speed.md"
RESULTS = Path(__file__).parent / "results"
NAMES = ("speed_cpu.json", "lenet_step.json", "speed_gpu.json")
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"


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


def with_table(page: str, table: str) -> str:
    """Put the table between its two marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(), speed_tables()))
