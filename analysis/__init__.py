"""Results of sweeps as DataFrames, intervals, verdicts on the paper's claims and a report.

Reads what `sweeps` writes and stands on nothing else of the project: no torch, no ray.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.measures.beside import beside
    from analysis.measures.comparisons import compare, surface
    from analysis.measures.front import pareto_front
    from analysis.measures.values import values
    from analysis.paper.hypotheses import hypotheses
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
    "hypotheses",
    "load",
    "pareto_front",
    "report",
    "surface",
    "table1",
    "values",
    "verdicts",
]

_HOMES = {
    "Results": "store.results",
    "StoreError": "store.errors",
    "StoreWarning": "store.errors",
    "beside": "measures.beside",
    "columns": "store.columns",
    "compare": "measures.comparisons",
    "hypotheses": "paper.hypotheses",
    "load": "store.results",
    "pareto_front": "measures.front",
    "report": "reporting.report",
    "surface": "measures.comparisons",
    "table1": "paper.table1",
    "values": "measures.values",
    "verdicts": "paper.verdicts",
}


def __getattr__(name: str) -> Any:
    # Pandas is loaded with the first result: a command that shows its help needs none.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"analysis.{_HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
