"""Simulated stars with known truth, seen through any installed instrument."""

from .analytic import analytic_stars
from .night import Night, night
from .nights import observe_variables, variable_pairs
from .noise import NoiseModel
from .observing import observe, pairs, truth
from .seeing import Band, SurveyCadence
from .sources import SOURCE_GRID, Sources
from .typical import typical_stars
from .variables import CLASSES, Variables, variable_stars

__all__ = ["CLASSES", "SOURCE_GRID", "Band", "Night", "NoiseModel", "Sources", "SurveyCadence", "Variables", "analytic_stars",
           "night", "observe", "observe_variables", "pairs", "truth", "typical_stars", "variable_pairs", "variable_stars"]
