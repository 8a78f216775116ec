"""What SpecCLIP sees of a survey's spectrum: its own pixels and normalisation, made from the survey's pixels and units.

Neither is done twice, and neither is done to spectra on another grid: the published code does both without a word.
"""

from __future__ import annotations

import torch

from astrofm.data import Batch
from astrofm.errors import DataError

from .backbones import LRS_PIXELS, XP_PIXELS
from .continuum import BLUE, published_continuum
from .normalised import divided

#: log10 of the first wavelength (Angstrom) and of the step, of the pixels that the LRS transformer reads
LRS_FIRST, LRS_STEP = 3.602, 1e-4
#: first wavelength and step of XP, Angstrom, and the pixel (550 nm) whose flux becomes 1
XP_FIRST, XP_STEP, XP_ONE = 3360.0, 20.0, 107
#: Angstrom beyond the range of the blue envelope that its median filter sees
BEYOND = 8.0


def lrs_grid() -> torch.Tensor:
    """Give the 1462 wavelengths of the LRS transformer, vacuum Angstrom."""
    return 10 ** (LRS_FIRST + LRS_STEP * torch.arange(LRS_PIXELS, dtype=torch.float64))


def xp_grid() -> torch.Tensor:
    """Give the 343 wavelengths of XP, Angstrom."""
    return XP_FIRST + XP_STEP * torch.arange(XP_PIXELS, dtype=torch.float64)


def lrs_view(batch: Batch) -> torch.Tensor:
    """Divide LAMOST low-resolution spectra by their continuum and cut out 4000-5600 Angstrom.

    Parameters
    ----------
    batch : Batch
        Of tensors, on the survey's grid. Masked pixels are bridged linearly.

    Returns
    -------
    Tensor of float32, shape ``(n, 1462)``
        NaN for a star whose continuum is nowhere positive.

    Raises
    ------
    DataError
        Another grid, spectra that were resampled from one, or that are divided by their continuum already.
    """
    wave = batch.coordinate
    place = (wave.log10() - LRS_FIRST) / LRS_STEP
    step = place.diff()
    if not (wave.ndim == 1 and len(wave) > LRS_PIXELS and bool(((step - 1).abs() < 0.01).all())
            and wave[0] <= 3710 and wave[-1] >= 5700):
        raise DataError(
            f"this encoder reads LAMOST's own pixels, steps of 1e-4 in log10 wavelength from 3700 Angstrom on, and cuts "
            f"out its {LRS_PIXELS} itself; the batch has {wave.shape[-1]} wavelengths, {wave.flatten()[0]:.1f}-"
            f"{wave.flatten()[-1]:.1f}: give the spectrum as the survey does, neither resampled nor cut nor normalised")
    _refuse_resampled(batch, "LAMOST's own")
    own = (place > -0.5) & (place < LRS_PIXELS - 0.5)
    _refuse(batch.mask[:, ~own].all(1) & ~batch.mask[:, own][:, [0, -1]].any(1),
            f"it has the {LRS_PIXELS} pixels that this model cuts out, and no other",
            "the continuum is fitted to 3700-5700 Angstrom: give the whole spectrum, not normalised")
    flux = bridge(place, batch.value.double(), batch.mask)
    near = int((wave <= BLUE[1] + BEYOND).sum())  # what lies redwards changes nothing but the verdict on normalised spectra
    blue = flux[:, :near].contiguous()
    curve = published_continuum(wave[:near], blue)
    inside = (wave[:near] >= 3800) & (wave[:near] <= 5600)
    positive = (curve[:, inside] != 1).any(1)  # the published fit puts 1 where it is not positive
    _refuse(positive & divided(wave, flux, batch.mask, curve[:, inside]),
            "it seems to be divided by its continuum already, here or in the survey's own normalisation",
            "give the flux as the survey calibrates it; any scale will do")
    low = torch.arange(LRS_PIXELS, device=wave.device) - place[0]
    index = low.floor().long()
    share = low - index
    ratio = blue / curve
    seen = (ratio[:, index] * (1 - share) + ratio[:, index + 1] * share).float()
    return torch.where((positive | batch.mask.all(1))[:, None], seen, torch.nan)


def xp_view(batch: Batch) -> torch.Tensor:
    """Divide calibrated XP spectra by their flux at 550 nm.

    Parameters
    ----------
    batch : Batch
        Of tensors, on 336-1020 nm in steps of 2 nm. Masked pixels are bridged linearly.

    Returns
    -------
    Tensor of float32, shape ``(n, 343)``
        NaN for a star whose flux at 550 nm is not positive.

    Raises
    ------
    DataError
        Another grid, spectra that were resampled from one, or that are divided already.
    """
    wave = batch.coordinate
    if wave.shape != (XP_PIXELS,) or not bool(((wave - xp_grid().to(wave.device)).abs() < 0.2).all()):
        raise DataError(f"this encoder reads XP spectra at 336-1020 nm in steps of 2 nm, {XP_PIXELS} pixels; the batch has "
                        f"{wave.shape[-1]}: sample the spectrum through the instrument 'gaia-xp'")
    _refuse_resampled(batch, "the 343 published")
    flux = bridge(wave, batch.value.double(), batch.mask)
    one = flux[:, XP_ONE: XP_ONE + 1]
    _refuse(((one - 1).abs() < 1e-6).squeeze(1), "the flux at 550 nm is 1",
            "it seems to be divided already: give the calibrated flux")
    empty = batch.mask.all(dim=1, keepdim=True)
    return torch.where(one > 0, flux / one, torch.where(empty, 0.0, torch.nan)).float()


def _refuse_resampled(batch: Batch, whose: str) -> None:
    rows = torch.tensor([bool(one) for one in batch.meta.get("resampled", ())])
    _refuse(rows, f"its wavelengths are not {whose} pixels, and it was resampled to them",
            f"the published model reads {batch.instrument!r} spectra on the survey's own pixels, as its files have them")


def _refuse(rows: torch.Tensor, what: str, advice: str) -> None:
    if bool(rows.any()):
        raise DataError(f"star {int(rows.nonzero()[0])} of the batch: {what}; {advice}")


def bridge(place: torch.Tensor, value: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Fill masked pixels on straight lines between the good ones beside them; the ends are repeated.

    Parameters
    ----------
    place : Tensor, shape ``(p,)``
    value : Tensor, shape ``(n, p)``
    mask : bool Tensor, shape ``(n, p)``

    Returns
    -------
    Tensor, shape ``(n, p)``
        Zero for a star without a good pixel.
    """
    count = value.shape[1]
    index = torch.arange(count, device=value.device).expand_as(mask)
    before = torch.where(mask, -1, index).cummax(dim=1).values
    after = torch.where(mask, count, index).flip(1).cummin(dim=1).values.flip(1)
    low = torch.where(before < 0, after, before).clamp(0, count - 1)
    high = torch.where(after >= count, before, after).clamp(0, count - 1)
    left, right = place[low], place[high]
    share = torch.where(high > low, (place - left) / (right - left).clamp_min(1e-30), 0.0)
    value = torch.where(mask, 0.0, value)
    return value.gather(1, low) * (1 - share) + value.gather(1, high) * share
