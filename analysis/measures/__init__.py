"""From stored runs to numbers: a value a run, trials in their order, comparisons and maps."""
