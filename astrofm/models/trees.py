"""Forests grown by scikit-learn, and kept as tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..errors import DataError
from ..nn.forest import ForestHead

if TYPE_CHECKING:
    from .class_stars import Stars

#: trees of a forest, and the part of the numbers that each of their splits looks at
TREES, LOOKED_AT = 300, 0.4


def grow(known: Stars, told: Mapping[str, Any], *, seed: int,
         progress: Callable[[str], None] | None) -> tuple[ForestHead, np.ndarray, str]:
    """Grow a forest on stars of known class.

    Returns
    -------
    head : ForestHead
    chance : ndarray, shape ``(n, k)``
        Of each star, by the trees that did not see it (or, where stars have several rows, by forests that saw none of them).
    how : str
        Which of the two.

    Raises
    ------
    DataError
        scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import ExtraTreesClassifier
    except ImportError as error:
        raise DataError("a forest is grown by scikit-learn: pip install 'astrofm[variables]'. What was grown is read "
                        "without it") from error

    def grown(rows: np.ndarray, **more: Any) -> Any:
        forest = ExtraTreesClassifier(TREES, max_features=LOOKED_AT, bootstrap=True, random_state=seed, n_jobs=1,
                                     **more)
        return forest.fit(_filled(known.given[rows], fill), known.truth[rows], sample_weight=known.weight[rows])

    fill = _middle(known.given)
    every = np.ones(len(known.truth), bool)
    forest = grown(every, oob_score=not known.repeated)
    classes = len(told["classes"])
    if known.repeated:
        chance = np.zeros((len(known.truth), classes))
        for fold in np.unique(known.fold):
            out = known.fold == fold
            one = grown(~out)
            chance[np.ix_(out, one.classes_)] = one.predict_proba(_filled(known.given[out], fill))
    else:
        chance = np.zeros((len(known.truth), classes))
        chance[:, forest.classes_] = forest.oob_decision_function_
    head = as_head(forest, fill, told)
    if progress:
        size = sum(tensor.nbytes for tensor in head.state_dict().values())
        progress(f"{told['label']}: {TREES} trees of {len(head.feature):,} nodes, {size / 1e6:.1f} MB")
    return head, chance, f"{len(np.unique(known.fold))}-fold" if known.repeated else "out of bag"


def as_head(forest: Any, fill: np.ndarray, told: Mapping[str, Any]) -> ForestHead:
    """Turn a forest of scikit-learn into tensors.

    Parameters
    ----------
    forest : ExtraTreesClassifier or RandomForestClassifier
        Fitted to the places of classes, 0 to k - 1, of which some may be absent.
    fill : ndarray, shape ``(d,)``
        What stands for a number that is missing.
    told : mapping
        Of `ForestHead`: ``dim``, ``extras``, ``label``, ``classes``, ``parents`` and ``description``.
    """
    feature, threshold, left, right, root, leaves, start = [], [], [], [], [], [], 0
    for one in forest.estimators_:
        tree = one.tree_
        leaf = tree.children_left < 0
        root.append(start)
        feature.append(np.where(leaf, -1, tree.feature))
        threshold.append(_rounded_down(np.where(leaf, 0.0, tree.threshold)))
        left.append(np.where(leaf, -1, tree.children_left + start))
        right.append(np.where(leaf, 0, tree.children_right + start))
        value = np.zeros((int(leaf.sum()), len(told["classes"])))
        value[:, forest.classes_.astype(int)] = tree.value[leaf][:, 0]
        leaves.append((value / value.sum(axis=1, keepdims=True)).astype(np.float32))
        start += tree.node_count
    different, place = np.unique(np.concatenate(leaves), axis=0, return_inverse=True)
    children = np.concatenate(left)
    children[np.concatenate(feature) < 0] = place.ravel()
    depth = max(one.tree_.max_depth for one in forest.estimators_)
    head = ForestHead(**told, trees=len(root), nodes=start, leaves=len(different), depth=int(depth))
    columns = {"feature": np.concatenate(feature), "threshold": np.concatenate(threshold), "left": children,
               "right": np.concatenate(right), "root": np.array(root), "leaf": different, "fill": fill}
    for name, array in columns.items():
        tensor = getattr(head, name)
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)).to(tensor.dtype))
    return head.eval()


def _middle(given: np.ndarray) -> np.ndarray:
    """Give the median of each number over the stars that have it, as float32; 0 where none has."""
    hidden = np.ma.masked_invalid(given)
    return np.ma.filled(np.ma.median(hidden, axis=0), 0.0).astype(np.float32)


def _filled(given: np.ndarray, fill: np.ndarray) -> np.ndarray:
    given = given.astype(np.float32)
    return np.where(np.isfinite(given), given, fill)


def _rounded_down(threshold: np.ndarray) -> np.ndarray:
    """Give the largest float32 that is not larger: float32 numbers lie on the same side of both."""
    near = threshold.astype(np.float32)
    return np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
