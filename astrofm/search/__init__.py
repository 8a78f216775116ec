"""Nearest neighbours in a model's shared space, within an instrument and across instruments."""

from .building import build_index
from .index import Index

__all__ = ["Index", "build_index"]
