"""Numbers a run: errors, shapes of learned functions, and comparisons between configurations."""
