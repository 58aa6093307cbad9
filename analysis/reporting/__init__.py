"""Reports of stored sweeps as HTML, Markdown and LaTeX."""
