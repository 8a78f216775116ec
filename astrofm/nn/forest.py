"""A forest of decision trees as tensors: grown elsewhere, asked here, many stars and all trees at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..interfaces.head import Head, Label
from .classes import as_extras

#: pairs of a star and a tree that are followed at a time, so that memory stays bounded
FOLLOWED = 400_000


class ForestHead(Head):
    """Read the probabilities of named classes out of an embedding and named numbers, by the mean of many decision trees.

    Parameters
    ----------
    dim : int
        Numbers of the embedding.
    extras : sequence of mapping
        The arguments of `~astrofm.interfaces.Extra`, in the order in which they are read.
    label : str
        Name of the column.
    classes : sequence of str
    parents : mapping of str to str
        The class above each; see `~astrofm.interfaces.Label`.
    description : str
    trees, nodes, leaves, depth : int
        Of the forest: trees, nodes of all of them, different leaves, and steps from a root to the farthest leaf.

    Attributes
    ----------
    feature : Tensor of int16, shape ``(nodes,)``
        Which number a node asks for; -1 at a leaf.
    threshold : Tensor, shape ``(nodes,)``
        A star whose number is not larger goes ``left``, the others go ``right``.
    left, right : Tensor of int32, shape ``(nodes,)``
        Next nodes; at a leaf, ``left`` is its row of ``leaf``.
    root : Tensor of int32, shape ``(trees,)``
    leaf : Tensor, shape ``(leaves, number of classes)``
        Parts of the classes; leaves that say the same are one row.
    fill : Tensor, shape ``(dim + number of extras,)``
        What stands for a number that is missing: the median of the stars it was grown on.

    Notes
    -----
    14 bytes a node. Breiman 2001, Machine Learning 45, 5; Geurts et al. 2006, Machine Learning 63, 3. The mean is that of
    scikit-learn's ``predict_proba``.
    """

    name = "forest"
    takes_missing = True
    keeps_float32 = True

    def __init__(self, *, dim: int = 128, extras: Sequence[Mapping[str, Any]] = (), label: str = "variable_class",
                 classes: Sequence[str] = ("constant", "variable"), parents: Mapping[str, str] | None = None,
                 description: str = "", trees: int = 16, nodes: int = 48, leaves: int = 2, depth: int = 1):
        super().__init__(dim=dim, extras=[{**extra} for extra in extras], label=label, classes=list(classes),
                         parents=dict(parents or {}), description=description, trees=trees, nodes=nodes, leaves=leaves,
                         depth=depth)
        self.extras = as_extras(extras)
        self.dim, self.depth = dim + len(self.extras), depth
        self.labels = (Label(label, "", description, classes=tuple(classes), parents=dict(parents or {})),)
        self.register_buffer("feature", torch.full((nodes,), -1, dtype=torch.int16))
        self.register_buffer("threshold", torch.zeros(nodes))
        self.register_buffer("left", torch.zeros(nodes, dtype=torch.int32))
        self.register_buffer("right", torch.zeros(nodes, dtype=torch.int32))
        self.register_buffer("root", torch.zeros(trees, dtype=torch.int32))
        self.register_buffer("leaf", torch.full((leaves, len(classes)), 1 / len(classes)))
        self.register_buffer("fill", torch.zeros(self.dim))
        if nodes == 3 * trees and leaves == 2 and depth == 1:
            self._plant()

    def _plant(self) -> None:
        """Make each tree one question, so that a forest that was not grown yet tells stars apart."""
        root = torch.arange(0, len(self.feature), 3)
        self.root.copy_(root)
        self.feature[root] = (torch.arange(len(root)) % self.dim).to(torch.int16)
        self.left[root], self.right[root] = (root + 1).int(), (root + 2).int()
        self.left[root + 2] = 1
        self.leaf.copy_(torch.eye(2, self.leaf.shape[1]))

    def _read(self, embedding: torch.Tensor) -> Mapping[str, torch.Tensor]:
        size = max(1, FOLLOWED // len(self.root))
        found = [self._mean(embedding[at: at + size].float()) for at in range(0, len(embedding), size)]
        return {f"{self.labels[0].name}_probability": torch.cat(found) if found else
                embedding.new_zeros(0, self.leaf.shape[1])}

    def _mean(self, given: torch.Tensor) -> torch.Tensor:
        given = torch.where(torch.isfinite(given), given, self.fill)
        node = self.root.repeat_interleave(len(given))  # tree after tree: the nodes of one are near each other
        start = torch.arange(len(given), device=given.device).repeat(len(self.root)) * given.shape[1]
        on_the_way, given = torch.arange(len(node), device=given.device), given.flatten()
        for _ in range(self.depth):
            here = node[on_the_way]
            feature = self.feature[here]
            further = (feature >= 0).nonzero()[:, 0]
            on_the_way, here, feature = on_the_way[further], here[further], feature[further]
            low = given[start[on_the_way] + feature] <= self.threshold[here]
            node[on_the_way] = torch.where(low, self.left[here], self.right[here])
        row = self.left[node].view(len(self.root), -1).T.contiguous()
        return torch.nn.functional.embedding_bag(row, self.leaf.double(), mode="mean").float()
