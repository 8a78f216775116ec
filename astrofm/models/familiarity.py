"""How far a star is from those that a model was trained on, and from the classes that it knows."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ..nn.classes import BesideInput


class Familiarity(nn.Module):
    """Distance of an embedding from the training set, in its own covariance (Mahalanobis 1936).

    Parameters
    ----------
    dim : int
        Numbers a star.

    Attributes
    ----------
    mean : Tensor, shape ``(dim,)``
    whitening : Tensor, shape ``(dim, dim)``
        Brings ``embedding - mean`` to unit variance in every direction.
    threshold : Tensor, shape ``()``
        Distance beyond which a star is unlike the training set.

    Notes
    -----
    As a measure of out-of-distribution inputs: Lee et al. 2018, arXiv:1807.03888, with one class.

    Examples
    --------
    >>> import numpy as np
    >>> from astrofm.models import Familiarity
    >>> random = np.random.default_rng(0)
    >>> known = Familiarity.fit(random.normal(size=(1000, 4)))
    >>> bool(known.distance(np.full((1, 4), 10.0))[0] > known.threshold.item())
    True
    """

    def __init__(self, dim: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("whitening", torch.eye(dim))
        self.register_buffer("threshold", torch.tensor(float("inf")))

    @classmethod
    def fit(cls, embeddings: np.ndarray, *, kept: np.ndarray | None = None, quantile: float = 0.995,
            ridge: float = 1e-3) -> Familiarity:
        """Learn the training set's mean, covariance and threshold.

        Parameters
        ----------
        embeddings : ndarray, shape ``(n, dim)``
            Of training stars; rows that are not finite are left out. ``n`` must exceed ``dim``.
        kept : ndarray, shape ``(m, dim)``, optional
            Of stars like them, on which the threshold is set: those of the covariance lie too near where they are few.
            Themselves, by default.
        quantile : float
            Part of these stars that lie within the threshold.
        ridge : float
            Variance added to every direction, as a fraction of the mean variance.
        """
        embeddings = np.asarray(embeddings, float)
        embeddings = embeddings[np.isfinite(embeddings).all(axis=1)]
        n, dim = embeddings.shape
        if n <= dim:
            raise ValueError(f"{n} stars are too few for the covariance of {dim} numbers: give more than {dim}")
        mean = embeddings.mean(axis=0)
        covariance = np.cov(embeddings.T).reshape(dim, dim)
        values, vectors = np.linalg.eigh(covariance + ridge * np.trace(covariance) / dim * np.eye(dim))
        made = cls(dim)
        made.mean.copy_(torch.from_numpy(mean))
        made.whitening.copy_(torch.from_numpy(vectors / np.sqrt(values)))
        found = made.distance(embeddings if kept is None else kept)
        made.threshold.fill_(float(np.quantile(found[np.isfinite(found)], quantile)))
        return made

    def distance(self, embeddings: np.ndarray | torch.Tensor) -> np.ndarray:
        """Give the distance of each embedding, divided by the square root of ``dim``; shape ``(n,)``.

        Parameters
        ----------
        embeddings : array, shape ``(n, dim)``
        """
        embeddings = torch.as_tensor(embeddings, dtype=torch.float32, device=self.mean.device)
        white = (embeddings - self.mean) @ self.whitening
        return white.square().mean(dim=1).sqrt().cpu().numpy().astype(float)


class ClassDistance(nn.Module):
    """Distance of a star from the nearest class, in the covariance that the classes have in common (Lee et al. 2018).

    Parameters
    ----------
    dim, extras : int
        Numbers of the embedding, and of the extras behind them, which may be NaN.
    classes : int

    Attributes
    ----------
    enter : BesideInput
        Like scales for all numbers; what is missing is the median and a number that says so.
    mean : Tensor, shape ``(classes, size)``
    whitening : Tensor, shape ``(size, size)``

    Notes
    -----
    arXiv:1807.03888. With few stars the covariance is shrunk to that of unrelated numbers of equal variance.

    Examples
    --------
    >>> import numpy as np
    >>> from astrofm.models import ClassDistance
    >>> given, truth = np.random.default_rng(0).normal(size=(100, 4)), np.arange(100) % 2
    >>> given[truth == 1] += 20
    >>> far = ClassDistance.fit(given, truth, dim=4, classes=2)
    >>> (far.distance(np.array([[0.0] * 4, [10.0] * 4, [20.0] * 4])) > 3).tolist()
    [False, True, False]
    """

    def __init__(self, dim: int, extras: int, classes: int):
        super().__init__()
        self.enter = BesideInput(dim, extras)
        self.register_buffer("mean", torch.zeros(classes, self.enter.size))
        self.register_buffer("whitening", torch.eye(self.enter.size))

    @classmethod
    def fit(cls, given: np.ndarray, truth: np.ndarray, *, dim: int, classes: int) -> ClassDistance:
        """Learn the classes' means and their covariance.

        Parameters
        ----------
        given : ndarray, shape ``(n, dim + extras)``
        truth : ndarray of int, shape ``(n,)``
        dim, classes : int
            A class without a star lies at the mean of all.
        """
        made = cls(dim, given.shape[1] - dim, classes)
        made.enter.settle(torch.from_numpy(given))
        seen = made.enter(torch.from_numpy(given).float()).double().numpy()
        counts = np.bincount(truth, minlength=classes)
        mean = np.zeros((classes, seen.shape[1]))
        np.add.at(mean, truth, seen)
        mean = np.where(counts[:, None] > 0, mean / np.maximum(counts, 1)[:, None], seen.mean(axis=0))
        off = seen - mean[truth]
        n, size = off.shape
        covariance = off.T @ off / max(n - np.count_nonzero(counts), 1)
        shrink = size / (n + size)
        level = np.trace(covariance) / size
        values, vectors = np.linalg.eigh((1 - shrink) * covariance + (shrink * level + 1e-9) * np.eye(size))
        made.mean.copy_(torch.from_numpy(mean))
        made.whitening.copy_(torch.from_numpy(vectors / np.sqrt(values)))
        return made

    def distance(self, given: np.ndarray) -> np.ndarray:
        """Give the distance of each star from the class it is nearest to, over the root of their ``size``; shape ``(n,)``."""
        with torch.inference_mode():
            given = torch.as_tensor(given, dtype=torch.float32, device=self.mean.device)
            white, centres = self.enter(given) @ self.whitening, self.mean @ self.whitening
            found = torch.cdist(white, centres, compute_mode="donot_use_mm_for_euclid_dist").min(dim=1).values
        return (found / self.mean.shape[1] ** 0.5).cpu().numpy().astype(float)
