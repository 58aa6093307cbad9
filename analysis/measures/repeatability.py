"""Runs that were trained more than once: did the same training give the same error again?"""

from __future__ import annotations

import pandas as pd

from analysis.measures.origins import ORIGIN
from analysis.measures.values import SEED
from analysis.store.statuses import Status

REPEATED = (*SEED, *ORIGIN)
"""Columns of `runs` that fix a training, but for its device and its threads."""


def repeated(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the trainings that several sweeps ran to their end, each by itself.

    A run that is taken over was not trained again.

    Args:
        runs: rows of `runs`.

    Returns:
        One row a training: its `config_id`, `seed`, `code_version`, `data_sha256`, the number of
        `times`, the `spread` of its last validation errors in points (0: equal to the last digit)
        and the number of `devices`.
    """
    own = runs[(runs["status"] == Status.COMPLETED) & runs["reused_from"].isna()]
    own = own[own["last_val_error_percent"].notna()]
    groups = own.groupby(list(REPEATED), observed=True, dropna=False)
    error = groups["last_val_error_percent"]
    found = pd.DataFrame(
        {
            "times": error.size(),
            "spread": error.max() - error.min(),
            "devices": groups["device"].nunique(),
        }
    )
    return found[found["times"] > 1].reset_index()
