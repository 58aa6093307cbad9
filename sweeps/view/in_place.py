"""A view that is redrawn where it stands: in a terminal by rich, in a notebook as HTML."""

from __future__ import annotations

import io
import logging
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live

NOTEBOOK_SECONDS = 1.0
"""The shortest time between two drawings in a notebook, each of which goes to a browser."""
NOTEBOOK_WIDTH = 100
_PAGE = '<pre style="white-space:pre;overflow-x:auto;line-height:1.3">{code}</pre>'


class NotebookView:
    """One output of a notebook's cell, whose content is replaced."""

    def __init__(self, get_renderable: Callable[[], RenderableType]) -> None:
        self._get_renderable = get_renderable
        self._handle: Any = None
        self._drawn_at = 0.0

    def start(self) -> None:
        """Make the output."""
        from IPython.display import HTML, display

        self._handle = display(HTML(self._html()), display_id=True)

    def refresh(self) -> None:
        """Draw the view, unless it was drawn a moment ago."""
        if time.monotonic() - self._drawn_at > NOTEBOOK_SECONDS:
            self.stop()

    def stop(self) -> None:
        """Draw the view as it is now; it stays."""
        from IPython.display import HTML

        self._handle.update(HTML(self._html()))

    def _html(self) -> str:
        self._drawn_at = time.monotonic()
        return as_html(self._get_renderable())


def as_html(renderable: RenderableType, width: int = NOTEBOOK_WIDTH) -> str:
    """Return what a terminal of so many columns would show, as HTML."""
    console = Console(file=io.StringIO(), record=True, width=width, force_jupyter=False)
    console.print(renderable, highlight=False, markup=False)
    return console.export_html(inline_styles=True, code_format=_PAGE)


def in_notebook() -> bool:
    """Return True in a kernel of Jupyter; a terminal's IPython is no notebook."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def in_place(
    console: Console, get_renderable: Callable[[], RenderableType]
) -> Live | NotebookView | None:
    """Return a view to start, refresh and stop; None where lines can only be added, as in a log.

    Args:
        console: on which lines would be printed otherwise.
        get_renderable: returns what is to be shown now.
    """
    if console.quiet:
        return None
    if in_notebook():
        return NotebookView(get_renderable)
    if not console.is_terminal:
        return None
    # Its caller redraws. The table of trials takes the view's place at the end.
    return Live(get_renderable=get_renderable, console=console, auto_refresh=False, transient=True)


def silence_hints() -> None:
    """Keep tqdm and Ray from asking for ipywidgets in a notebook; call it before their import."""
    if in_notebook():
        warnings.filterwarnings("ignore", message="IProgress not found")
        logging.getLogger("ray.widgets.util").setLevel(logging.WARNING)


def python_console(show: bool = True) -> Console:
    """Return the console of a call from Python: rich's own for Jupyter asks for ipywidgets."""
    notebook = in_notebook()
    silence_hints()
    return Console(
        quiet=not show,
        force_jupyter=False,
        # A kernel's output says that it is a terminal, and knows few of a terminal's signs.
        force_terminal=False if notebook else None,
        width=NOTEBOOK_WIDTH if notebook else None,
        highlight=False,
    )
