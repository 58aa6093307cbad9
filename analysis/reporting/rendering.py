"""One document as HTML, Markdown and LaTeX."""

from __future__ import annotations

import base64
import hashlib
import re

import jinja2
from markupsafe import Markup, escape

from analysis.reporting.drawing import inline_svg
from analysis.reporting.model import Document, PrintedTable

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "λ": r"$\lambda$",
    "Σ": r"$\Sigma$",
    "δ": r"$\delta$",
    "β": r"$\beta$",
    "±": r"$\pm$",
    "∞": r"$\infty$",
    "·": r"$\cdot$",
    "−": r"$-$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "○": r"$\circ$",
    "△": r"$\triangle$",
    "✓": r"$\surd$",
    "✕": r"$\times$",
    "–": "--",
    "…": r"\ldots{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
}
"""LaTeX for markup, and for signs that its standard fonts lack."""

_NUMBER = r"[−+±]?\d[\d,]*(?:\.\d+)?(?:e−?\d+)?"

_TEMPLATES = jinja2.PackageLoader("analysis.reporting")


def render(document: Document, form: str, refresh_seconds: float | None = None) -> str:
    """Return the document as text in `html`, `md` or `tex`."""
    template = _environment(form).get_template(f"report.{form}")
    return template.render(document=document, refresh_seconds=refresh_seconds, **_style(form))


def _environment(form: str) -> jinja2.Environment:
    # LaTeX has braces and percent signs of its own
    block, variable = (
        (("<%", "%>"), ("<<", ">>")) if form == "tex" else (("{%", "%}"), ("{{", "}}"))
    )
    environment = jinja2.Environment(
        *block,
        *variable,
        loader=_TEMPLATES,
        autoescape=form == "html",
        undefined=jinja2.StrictUndefined,  # a misspelt name is an error, not an empty place
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(markdown=markdown, latex=latex, inline_svg=inline_svg)
    environment.filters.update(column_shares=column_shares, unbroken=unbroken)
    return environment


def unbroken(text: str) -> Markup:
    """Return a text for a page, each number with its sign, deviation and percent sign on one line.

    Digits within a word, as of a hash, may break: the word is longer than a line.
    """
    pieces = re.split(rf"(?<![\w.])({_NUMBER}(?: ± {_NUMBER})?(?: %)?)(?![\w])", text)
    marked = [
        Markup('<span class="whole">{}</span>').format(piece) if place % 2 else escape(piece)
        for place, piece in enumerate(pieces)
    ]
    return Markup("").join(marked)


def _style(form: str) -> dict[str, str]:
    """Return the page's style sheet and its hash, by which the page's policy allows it alone."""
    if form != "html":
        return {}
    css, _, _ = _TEMPLATES.get_source(_environment(form), "report.css")
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    return {"css": css, "css_hash": f"sha256-{digest}"}


def markdown(text: str) -> str:
    """Escape the characters that Markdown reads as markup; a percent sign stays with its number."""
    text = text.replace(" %", "\N{NO-BREAK SPACE}%")
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", text)


def latex(text: str) -> str:
    """Escape the characters that LaTeX reads as markup, and write signs that its fonts lack.

    A hash may break after every sixteen characters, a name after an underscore.
    """
    pieces = re.split(r"([0-9a-f]{16})(?=[0-9a-f])", text)
    return r"\allowbreak{}".join(_latex(piece) for piece in pieces if piece)


def column_shares(table: PrintedTable) -> list[float]:
    """Return each column's share of a LaTeX page's width: the wider its text, the more."""
    lengths = []
    for place, name in enumerate(table.columns):
        words = max(len(word) for word in name.split())
        cells = max((len(row[place]) for row in table.rows), default=0)
        # at most 60, or a sentence would squeeze the numbers beside it
        lengths.append(min(max(words, cells, 3), 60) + 1)
    # the rest of the width is the space between columns
    return [0.94 * length / sum(lengths) for length in lengths]


def _latex(text: str) -> str:
    text = "".join(_LATEX.get(character, character) for character in text)
    return text.replace(r" \%", r"~\%").replace(r"\_", r"\_\allowbreak{}")
