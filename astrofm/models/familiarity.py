"""How far a star is from those that a model was trained on."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


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
    def fit(cls, embeddings: np.ndarray, *, quantile: float = 0.995, ridge: float = 1e-3) -> Familiarity:
        """Learn the training set's mean, covariance and threshold.

        Parameters
        ----------
        embeddings : ndarray, shape ``(n, dim)``
            Of training stars; rows that are not finite are left out. ``n`` must exceed ``dim``.
        quantile : float
            Part of the training stars that lie within the threshold.
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
        made.threshold.fill_(float(np.quantile(made.distance(embeddings), quantile)))
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
