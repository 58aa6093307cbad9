"""Results of sweeps as DataFrames, intervals, verdicts on the paper's claims and a report.

Reads what `sweeps` writes and stands on nothing else of the project: no torch, no ray.
"""

from analysis.measures.beside import beside
from analysis.measures.comparisons import compare, surface
from analysis.measures.values import values
from analysis.paper.table1 import table1
from analysis.paper.verdicts import verdicts
from analysis.reporting.report import report
from analysis.store.columns import columns
from analysis.store.errors import StoreError, StoreWarning
from analysis.store.results import Results, load

__all__ = [
    "Results",
    "StoreError",
    "StoreWarning",
    "beside",
    "columns",
    "compare",
    "load",
    "report",
    "surface",
    "table1",
    "values",
    "verdicts",
]
