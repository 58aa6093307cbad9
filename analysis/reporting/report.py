"""The report's files: HTML, Markdown and LaTeX from one document, so that no number can differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.reporting.model import Attachment, Document, PrintedFigure
from analysis.store.results import Results

FORMATS = ("html", "md", "tex")
USUAL = ("html", "md")
"""LaTeX takes every figure drawn a second time, as PDF."""


def report(
    results: Results,
    out: str | Path,
    formats: Sequence[str] = USUAL,
    *,
    refresh_seconds: float | None = None,
) -> list[Path]:
    """Write the report into the folder `out` and return the paths of its files.

    `report.html` needs no other file. `report.md` shows `figures/*.svg` and `report.tex`
    `figures/*.pdf`; the data of every figure is `data/*.csv` beside both.

    Args:
        results: from `load`.
        out: the folder.
        formats: some of `FORMATS`; LaTeX takes every figure drawn once more.
        refresh_seconds: time after which a browser loads the page again; None: never.

    Raises:
        ValueError: an unknown format.
    """
    for form in formats:
        if form not in FORMATS:
            raise ValueError(f"no format {form!r}: there is {', '.join(FORMATS)}")
    # matplotlib and jinja2 take a second to load, which reading results need not pay
    from analysis.reporting.rendering import render
    from analysis.reporting.sections import document_of

    document = document_of(results)
    folder = Path(out)
    written = [
        _write(folder / f"report.{form}", render(document, form, refresh_seconds).encode())
        for form in formats
    ]
    if "md" in formats or "tex" in formats:
        written += _write_beside(folder, document, formats)
    return written


def _write_beside(folder: Path, document: Document, formats: Sequence[str]) -> Iterator[Path]:
    from analysis.reporting.drawing import standalone_svg

    for block in (block for section in document.sections for block in section.blocks):
        if isinstance(block, PrintedFigure | Attachment):
            yield _write(folder / "data" / f"{block.name}.csv", block.data.encode())
        for panel in block.panels if isinstance(block, PrintedFigure) else ():
            stem = folder / "figures" / panel.name
            if "md" in formats:
                yield _write(stem.with_name(f"{panel.name}.svg"), standalone_svg(panel).encode())
            if "tex" in formats:
                yield _write(stem.with_name(f"{panel.name}.pdf"), panel.pdf())


def _write(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all: a browser may be reading it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    return unfinished.replace(path)
