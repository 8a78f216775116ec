"""The pseudo-continuum that SpecCLIP divides by, for many spectra at once.

Zhao et al. 2025 (arXiv:2507.01939); an upper envelope in the blue, a clipped polynomial in the red, and between them the
median-filtered flux itself. Its quirks are kept, because the published weights were trained with them.
"""

from __future__ import annotations

import torch

#: Angstrom: the envelope's range, and where the red polynomial starts
BLUE, RED = (3700.0, 5700.0), 6100.0
#: a star whose first fit peaks bluewards of this is hot, and its Balmer lines are bridged
HOT = 4500.0
#: windows of the Balmer lines that are bridged, and how far beside their edges the maxima are looked for
LINES, BESIDE = ((4030.0, 4160.0), (4270.0, 4410.0), (4800.0, 4940.0)), 10.0
FILTER = 7
BLUE_ORDER, BLUE_ROUNDS = 5, 10
RED_ORDER, RED_ROUNDS, RED_PIXELS = 4, 9, 100


def published_continuum(wave: torch.Tensor, flux: torch.Tensor) -> torch.Tensor:
    """Fit the continuum of spectra of good signal-to-noise ratio.

    Parameters
    ----------
    wave : Tensor of float64, shape ``(p,)``
        Angstrom, increasing.
    flux : Tensor, shape ``(n, p)``
        Finite everywhere.

    Returns
    -------
    Tensor of float64, shape ``(n, p)``
        Positive everywhere: 1 where the fit is not.
    """
    smooth = torch.nn.functional.pad(flux.double(), (FILTER // 2, FILTER // 2)).unfold(1, FILTER, 1).median(dim=-1).values
    curve = smooth.clone()
    blue, red = (wave >= BLUE[0]) & (wave <= BLUE[1]), wave > RED
    if blue.any():
        curve[:, blue] = _envelope(wave, smooth, blue)
    if red.sum() > RED_PIXELS:
        curve[:, red] = _clipped(wave[red], smooth[:, red])
    return torch.where(curve > 0, curve, 1.0)


def _envelope(wave: torch.Tensor, smooth: torch.Tensor, blue: torch.Tensor) -> torch.Tensor:
    fit = _Polynomial(wave[blue], BLUE_ORDER)
    y = smooth[:, blue]
    hot = wave[blue][fit(y).argmax(dim=1)] < HOT
    y = torch.where(hot[:, None], bridged(wave, y), y)
    for _ in range(BLUE_ROUNDS):
        y = torch.maximum(fit(y), y)
    return fit(y)


def bridged(wave: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Bridge the Balmer lines of hot stars by straight lines between the highest pixels near either edge.

    As published, pixels are found on the whole spectrum (``wave``), and their numbers are used on its blue part (``y``),
    which starts a pixel later where the spectrum starts bluewards of 3700 Angstrom.
    """
    y = y.clone()
    for low, high in LINES:
        left, right = (y[:, near(wave, edge - BESIDE, edge + BESIDE)].amax(dim=1, keepdim=True) for edge in (low, high))
        inside = near(wave, low, high)
        y[:, inside] = left + (right - left) * (wave[inside] - low) / (high - low)
    return y


def near(wave: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Number the pixels in a range."""
    return ((wave >= low) & (wave <= high)).nonzero()[:, 0]


def _clipped(wave: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    fit = _Polynomial(wave, RED_ORDER)
    for _ in range(RED_ROUNDS):
        curve = fit(y)
        spread = (y - curve).std(dim=1, correction=0, keepdim=True)
        y = torch.where((y < curve) | (y > curve + 3 * spread), curve, y)
    return curve


class _Polynomial:
    """Least squares on fixed wavelengths: a projection, for any number of spectra."""

    def __init__(self, wave: torch.Tensor, order: int):
        place = (wave - wave.mean()) / wave.std()
        self.basis = torch.linalg.qr(place[:, None] ** torch.arange(order + 1, device=wave.device)).Q

    def __call__(self, y: torch.Tensor) -> torch.Tensor:
        return (y @ self.basis) @ self.basis.T
