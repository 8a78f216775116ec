"""Show spectra as a coarser instrument would have taken them: its line-spread function and its pixels."""

from __future__ import annotations

import numpy as np

from ..data import Batch, LineSpread, broadening_matrix
from ..errors import DataError
from .instrument import SpectrumInstrument

#: a pixel is masked where bad or missing pixels would have given more than this part of its flux
LOST = 0.02


def degrade(batch: Batch, source: SpectrumInstrument, target: SpectrumInstrument, *,
            line_spread: LineSpread | None = None) -> Batch:
    """Bring spectra of one instrument to the line spread and the pixels of a coarser one.

    Noise is carried with the flux: errors are those of the new pixels, whose noise is correlated with the neighbours'.

    Parameters
    ----------
    batch : Batch
        Of ``source``, on its grid.
    source, target : SpectrumInstrument
        Both know their line-spread functions.
    line_spread : LineSpread, optional
        Of the spectra; the source's own by default.

    Returns
    -------
    Batch
        Of ``target``. Wavelengths that the source does not reach are masked; the flux stays in the source's unit where the
        target's is relative.

    Raises
    ------
    DataError
        The batch is another instrument's; a line-spread function is unknown; the source is the coarser one; the units do not
        convert.
    """
    own = line_spread or source.line_spread
    if batch.instrument != source.name:
        raise DataError(f"the batch is of {batch.instrument!r}, and the source is {source.name!r}")
    if own is None or target.line_spread is None:
        raise DataError(f"the line-spread function of {source.name if own is None else target.name!r} is not known: give "
                        "line_spread, or set it on the instrument")
    wave, pixels = np.asarray(batch.coordinate), target.wavelength()
    if wave.ndim != 1:
        raise DataError("spectra of a batch share one grid: sample them through an Instrument first; light curves "
                        "need a model of light curves")
    inside = (pixels >= wave[0]) & (pixels <= wave[-1])
    if not inside.any():
        raise DataError(f"{source.name!r} covers {wave[0]:.0f}-{wave[-1]:.0f} Angstrom and {target.name!r} "
                        f"{pixels[0]:.0f}-{pixels[-1]:.0f}: they share nothing")
    finer = own.sigma(pixels[inside]) < target.line_spread.sigma(pixels[inside])
    if not finer.all():
        at = pixels[inside][np.flatnonzero(~finer)[0]]
        raise DataError(f"{source.name!r} is coarser than {target.name!r} at {at:.0f} Angstrom: spectra can be degraded, not "
                        "sharpened")
    matrix = broadening_matrix(wave, pixels, target.line_spread, source=own)
    good = ~np.asarray(batch.mask, bool)
    value, error = (np.where(good, array, 0.0) for array in (batch.value, batch.error))
    if target.calibration != "relative":
        factor = source.unit.to(target.unit)
        value, error = value * factor, error * factor
    share, whole = (matrix @ good.T.astype(float)).T, np.asarray(matrix.sum(1)).ravel()
    with np.errstate(divide="ignore", invalid="ignore"):
        flux = (matrix @ value.T).T / share
        spread = np.sqrt((matrix.multiply(matrix) @ (error**2).T).T) / share
    mask = (share < (1 - LOST) * np.maximum(whole, 1 - LOST)) | (whole < 1 - LOST)
    return target.batch(flux, spread, mask, {**batch.meta, "degraded_from": [source.name] * len(batch)})
