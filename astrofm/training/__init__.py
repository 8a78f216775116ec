"""Objectives and the loop that makes them small; data sets on disk, drawn from by step number."""

from .dataset import ShardedData, part_of
from .loop import Loss, Schedule, train
from .objective import Objective
from .objectives import class_loss, contrastive_loss, label_loss, mask_runs, masked_loss, reconstruction_loss
from .shards import ShardWriter
from .team import Team

__all__ = ["Loss", "Objective", "Schedule", "ShardWriter", "ShardedData", "Team", "class_loss", "contrastive_loss",
           "label_loss", "masked_loss", "mask_runs", "part_of", "reconstruction_loss", "train"]
