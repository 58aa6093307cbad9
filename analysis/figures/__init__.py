"""The report's figures: each takes a tidy frame and returns drawings, a caption and its data.

matplotlib is imported here and in `analysis.drawing` alone.
"""

from analysis.figures.cost import cost
from analysis.figures.forest import forest
from analysis.figures.functions import Shown, activation_functions
from analysis.figures.importance import importance
from analysis.figures.learning import learning_curves
from analysis.figures.maps import error_map, shrinkage_map
from analysis.figures.parameters import parameters
from analysis.figures.strips import rate_response, seeds_strip

__all__ = [
    "Shown",
    "activation_functions",
    "cost",
    "error_map",
    "forest",
    "importance",
    "learning_curves",
    "parameters",
    "rate_response",
    "seeds_strip",
    "shrinkage_map",
]
