"""Sphinx: how the documentation is built. `make docs`; warnings are errors there."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

project = "PolyNeuron Sweeps"
copyright = "2026, the authors of PolyNeuron Sweeps"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "reference/generated"]

# Formulas are text: MathJax would come from the network, and GitHub shows the pages as well.
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "pydata_sphinx_theme"
html_title = "PolyNeuron Sweeps"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
}
# The prompt and the output of an example are not copied.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def _write_reference(app: Sphinx) -> None:
    from reference_pages import write_all

    write_all(HERE / "reference" / "generated")


def _plain_bars(_app: Sphinx, _kind: str, _name: str, *rest: object) -> None:
    """Replace | in docstrings, where it is a distance, by a sign that reST does not read."""
    lines = rest[-1]
    assert isinstance(lines, list)
    lines[:] = [line.replace("|", "\N{DIVIDES}") for line in lines]


def setup(app: Sphinx) -> None:
    """Generate the reference before Sphinx reads the pages."""
    app.connect("builder-inited", _write_reference)
    app.connect("autodoc-process-docstring", _plain_bars)
