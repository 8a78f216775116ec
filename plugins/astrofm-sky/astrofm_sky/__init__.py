"""Simulated stars with known truth, seen through any installed instrument."""

from .analytic import analytic_stars
from .night import Night, night
from .noise import NoiseModel
from .observing import observe, pairs, truth
from .sources import SOURCE_GRID, Sources
from .typical import typical_stars

__all__ = ["SOURCE_GRID", "Night", "NoiseModel", "Sources", "analytic_stars", "night", "observe", "pairs", "truth",
           "typical_stars"]
