"""Nearest neighbours in a model's shared space, within an instrument and across instruments."""

from .index import Index, build_index

__all__ = ["Index", "build_index"]
