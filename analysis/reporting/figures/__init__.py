"""The report's figures: each takes a tidy frame and returns panels, a caption and the data.

matplotlib is imported here and in `analysis.reporting.drawing` alone.
"""

from analysis.reporting.figures.cost import cost
from analysis.reporting.figures.forest import forest
from analysis.reporting.figures.front import front
from analysis.reporting.figures.functions import Shown, activation_functions
from analysis.reporting.figures.importance import importance
from analysis.reporting.figures.learning import learning_curves
from analysis.reporting.figures.maps import error_map, shrinkage_map
from analysis.reporting.figures.parallel import parallel
from analysis.reporting.figures.parameters import parameters
from analysis.reporting.figures.strips import rate_response, seeds_strip
from analysis.reporting.figures.times import Timed, times

__all__ = [
    "Shown",
    "Timed",
    "activation_functions",
    "cost",
    "error_map",
    "forest",
    "front",
    "importance",
    "learning_curves",
    "parallel",
    "parameters",
    "rate_response",
    "seeds_strip",
    "shrinkage_map",
    "times",
]
