"""Results of sweeps as DataFrames, intervals, verdicts on the paper's claims and a report.

Reads what `sweeps` writes and stands on nothing else of the project: no torch, no ray.
"""

from analysis.columns import columns
from analysis.comparisons import compare, surface
from analysis.errors import StoreError, StoreWarning
from analysis.load import Results, load
from analysis.report import report
from analysis.tables import table1
from analysis.values import values
from analysis.verdicts import verdicts

__all__ = [
    "Results",
    "StoreError",
    "StoreWarning",
    "columns",
    "compare",
    "load",
    "report",
    "surface",
    "table1",
    "values",
    "verdicts",
]
