"""Objectives and the loop that makes them small. Data come from the caller, drawn by step number."""

from .loop import Schedule, train
from .objectives import class_loss, contrastive_loss, label_loss, reconstruction_loss

__all__ = ["Schedule", "class_loss", "contrastive_loss", "label_loss", "reconstruction_loss", "train"]
