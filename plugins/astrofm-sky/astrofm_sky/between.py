"""Stars between the stars of a library: spectra as smooth functions of temperature, gravity and metallicity."""

from __future__ import annotations

import numpy as np

#: scales on which two stars are neighbours: log10 teff, logg, fe_h
NEAR = np.array([0.02, 0.4, 0.3])
#: neighbours that set the width of the kernel, and its least width, in units of NEAR
COUNT, WIDTH = 10, 0.5
#: sum of squared weights above which the plain mean of the kernel is taken
NOISE = 0.6
#: how strongly slopes are held near zero
RIDGE = 0.02
#: spread of made labels about a star's own, and how near the fifth star must be, in units of NEAR
REACH, LIMIT = 0.7, 2.0


class Between:
    """Local linear regression of log flux on labels (Cleveland & Devlin 1988, JASA 83, 596).

    A made star has labels near those of a real one, the spectrum that the library's stars around those labels
    agree on, and a part of what sets the real one apart: so the errors of single labels average out. Where stars are too few
    for slopes, the weighted mean of their spectra has the weighted mean of their labels.

    Parameters
    ----------
    labels : ndarray, shape ``(m, 3)``
        ``teff logg fe_h`` of the library's stars, all known.
    flux : ndarray, shape ``(m, P)``
        Their log flux.
    """

    def __init__(self, labels: np.ndarray, flux: np.ndarray):
        self.place, self.flux = scaled(labels), flux
        weights = self.weights(self.place)
        self.own, self.own_place = flux - weights @ flux, self.place - weights @ self.place

    def draw(self, random: np.random.Generator, rows: np.ndarray, *,
             own: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Make stars like the library's ``rows``; their log flux ``(n, P)`` and labels ``(n, 3)``.

        Without their ``own`` part they are what the stars around agree on.
        """
        place = self.place[rows] + random.normal(0, REACH, (len(rows), 3))
        distance = np.linalg.norm(place[:, None] - self.place[None], axis=2)
        fifth = np.partition(distance, 4, axis=1)[:, 4:5] if len(self.place) > 4 else np.full((len(rows), 1), np.inf)
        weights = self.weights(np.where(fifth < LIMIT, place, self.place[rows]))
        share = own * random.random((len(rows), 1)).astype(np.float32)
        labels = (weights @ self.place + share * self.own_place[rows]) * NEAR
        labels[:, 0] = 10 ** labels[:, 0]
        return weights @ self.flux + share * self.own[rows], labels

    def weights(self, place: np.ndarray) -> np.ndarray:
        """Give what each star of the library counts at ``place`` (n, 3); float32, shape ``(n, m)``."""
        away = self.place[None] - place[:, None]
        distance = np.linalg.norm(away, axis=2)
        nth = np.partition(distance, COUNT - 1, axis=1)[:, COUNT - 1: COUNT]
        width = np.maximum(WIDTH, nth / 2)
        kernel = np.exp(-0.5 * (distance / width) ** 2)
        design = np.concatenate([np.ones((*distance.shape, 1)), away / width[..., None]], axis=2)
        weighted = kernel[..., None] * design
        normal = weighted.transpose(0, 2, 1) @ design
        normal += RIDGE * kernel.sum(1)[:, None, None] * np.diag([0.0, 1, 1, 1])
        first = np.linalg.solve(normal, np.broadcast_to(np.eye(4)[:, :1], (len(place), 4, 1)))
        linear = (weighted @ first)[..., 0]
        shaky = (linear**2).sum(1, keepdims=True) > NOISE
        return np.where(shaky, kernel / kernel.sum(1, keepdims=True), linear).astype(np.float32)


def scaled(labels: np.ndarray) -> np.ndarray:
    """Bring ``teff logg fe_h`` to the scales on which stars are neighbours."""
    return np.column_stack([np.log10(labels[:, 0]), labels[:, 1], labels[:, 2]]) / NEAR
