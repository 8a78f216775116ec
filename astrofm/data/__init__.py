"""What travels, and the operations on it: arrays for many stars at once."""

from .sample import Batch, Sample, collate

__all__ = ["Batch", "Sample", "collate"]
