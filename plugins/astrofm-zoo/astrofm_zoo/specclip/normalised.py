"""Which LAMOST spectra have been divided by a continuum before: the published one, the survey's, or one like them.

The limits below are set on 269 published spectra of all releases. None is taken for divided as it is, nor scaled to 1 at its
median or mean or at 4800, 5500 or 5900 Angstrom; 262 are once they are divided by the published continuum (the others lack
most of 5700-6100 Angstrom, or are hot), and all of 117 in the survey's own normalisation.
"""

from __future__ import annotations

import torch

#: Angstrom: bins of this part in wavelength over this range, whose medians a survey's normalisation brings to 1
BINS, LOW, HIGH = 0.05, 3900.0, 8900.0
#: three quarters of the bins are this near to 1: within 0.0164 where the survey normalised, never within 0.035 in flux
NEAR = 0.025
#: Angstrom: here the published continuum is the median-filtered flux itself, and what is divided by it is 1
BETWEEN = (5710.0, 6090.0)
#: to this, once filtered again; in flux that is scaled to 1 here the median star is away by 0.03
EXACT = 0.004
#: how near to 1 the continuum of such a spectrum lies, and how flat (deviation of its logarithm) it is: a loose bound
AROUND, EVEN = 0.05, 0.1
#: the same without help from 5710-6090 Angstrom: logarithms of real continua deviate by more than 0.026
ONE, FLAT = 0.03, 0.02
#: pixels of the published median filter; bins that are needed for a verdict
FILTER, ENOUGH = 7, 4


def divided(wave: torch.Tensor, flux: torch.Tensor, mask: torch.Tensor, continuum: torch.Tensor) -> torch.Tensor:
    """Say which spectra are divided by their continuum already.

    Parameters
    ----------
    wave : Tensor of float64, shape ``(p,)``
        Angstrom, increasing.
    flux, mask : Tensor, shape ``(n, p)``
        Masked pixels are bridged.
    continuum : Tensor, shape ``(n, q)``
        The published one, fitted to this flux, at 3800-5600 Angstrom.

    Returns
    -------
    bool Tensor, shape ``(n,)``
    """
    away, deviation = (continuum.mean(1) - 1).abs(), continuum.log().std(1)
    like_published = (deviation < FLAT) & (away < ONE)
    inside = (wave > BETWEEN[0]) & (wave < BETWEEN[1])
    if inside.sum() > FILTER:
        smooth = flux[:, inside].unfold(1, FILTER, 1).median(dim=-1).values
        like_published |= ((smooth - 1).abs().median(1).values < EXACT) & (away < AROUND) & (deviation < EVEN) \
            & (mask[:, inside].double().mean(1) < 0.5)
    return like_published | _all_bins_at_one(wave, flux, mask)


def _all_bins_at_one(wave: torch.Tensor, flux: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    place = ((wave / LOW).log() / BINS).floor().long()
    found = []
    for k in range(int(torch.log(torch.tensor(HIGH / LOW)) / BINS)):
        inside = place == k
        if inside.any():
            level = flux[:, inside].median(1).values
            found.append(torch.where(mask[:, inside].double().mean(1) < 0.5, (level - 1).abs(), torch.nan))
    if len(found) < ENOUGH:
        return torch.zeros(len(flux), dtype=torch.bool, device=flux.device)
    bins = torch.stack(found, dim=1)
    return (bins.nanquantile(0.75, dim=1) < NEAR) & (bins.isfinite().sum(1) >= ENOUGH)
