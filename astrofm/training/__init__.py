"""Objectives and the loop that makes them small; data sets on disk, drawn from by step number."""

from .curves import ContrastiveViews
from .dataset import ShardedData, part_of
from .loop import Loss, Schedule, train
from .objective import Objective
from .objectives import class_loss, contrastive_loss, label_loss, mask_runs, masked_loss, reconstruction_loss
from .points import MaskedPoints
from .shards import ShardWriter
from .team import Team
from .variables import VariableStars

__all__ = ["ContrastiveViews", "Loss", "MaskedPoints", "Objective", "Schedule", "ShardWriter", "ShardedData", "Team",
           "VariableStars", "class_loss", "contrastive_loss", "label_loss", "masked_loss", "mask_runs", "part_of",
           "reconstruction_loss", "train"]
