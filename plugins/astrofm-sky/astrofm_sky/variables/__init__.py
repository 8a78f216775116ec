"""Simulated variable stars: their classes, their truth, and their light at any time and wavelength."""

from .classes import CLASSES, PARENTS, VariableClass
from .colours import BandLaw
from .shape import Shape, Span
from .stars import Variables, variable_stars

__all__ = ["CLASSES", "PARENTS", "BandLaw", "Shape", "Span", "VariableClass", "Variables", "variable_stars"]
