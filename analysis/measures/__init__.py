"""From stored runs to numbers: a value per run, trials in their order, comparisons and maps."""
