"""How well surveys see: wavelengths of bands, noise, saturation, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy import units as u

from astrofm.data import Batch
from astrofm.data.magnitudes import to_magnitude
from astrofm.errors import DataError
from astrofm.interfaces import LightCurveInstrument

from .cadences import Cadence, Ground, Scanning, Staring
from .real_times import Real


@dataclass(frozen=True)
class Band:
    """One band of a survey.

    Parameters
    ----------
    wavelength : float
        Angstrom.
    limit : float
        Magnitude at which the sky alone leaves a signal-to-noise ratio of 5.
    photon : float
        Magnitude at which the star's own photons leave an error of 0.01 mag.
    bright : float
        Brighter stars saturate.
    floor : float
        Error of the brightest stars, mag.
    vega : float
        AB magnitude less the survey's own.
    """

    wavelength: float
    limit: float
    photon: float
    bright: float
    floor: float = 0.01
    vega: float = 0.0

    def error(self, magnitude: np.ndarray, depth: np.ndarray | float = 0.0) -> np.ndarray:
        """Give the error (mag) at magnitudes, ``depth`` magnitudes deeper than usual."""
        return np.sqrt(self.floor**2 + 1e-4 * 10 ** (0.4 * (magnitude - self.photon))
                       + 0.04 * 10 ** (0.8 * (magnitude - self.limit - depth)))


@dataclass(frozen=True)
class SurveyCadence:
    """When and how well a survey sees: what an instrument may carry as its attribute ``cadence``.

    Parameters
    ----------
    when : Cadence
    bands : mapping of str to Band
        By the instrument's names.
    exposure : float
        Seconds over which light is averaged.
    outliers : float
        Part of the points that are off by more than their errors say, unflagged.
    flagged : float
        Part of the points that are masked.
    """

    when: Cadence
    bands: Mapping[str, Band]
    exposure: float = 30.0
    outliers: float = 0.003
    flagged: float = 0.01


#: what is known of surveys whose instruments do not say it themselves. ZTF: Bellm et al. 2019, 2019PASP..131a8002B, Masci et
#: al. 2019, 2019PASP..131a8003M; Gaia: Riello et al. 2021, 2021A&A...649A...3R; TESS: Sullivan et al. 2015,
#: 2015ApJ...809...77S, of full frames at half an hour; Kepler: Gilliland et al. 2011, 2011ApJS..197....6G
KNOWN = {
    "ztf": SurveyCadence(Ground(every=(3.5, 2.5, 12.0)), {
        "g": Band(4810, 20.8, 18.2, 13.0, 0.012), "r": Band(6420, 20.6, 18.0, 13.0, 0.012),
        "i": Band(7880, 20.1, 17.6, 12.5, 0.015)}),
    "gaia-epoch": SurveyCadence(Scanning(), {
        "G": Band(6218, 22.5, 19.2, 3.0, 0.0015, 0.114), "BP": Band(5110, 20.2, 17.1, 4.0, 0.004, 0.013),
        "RP": Band(7769, 19.6, 16.7, 4.0, 0.004, 0.356)}, exposure=45.0, flagged=0.02),
    "tess": SurveyCadence(Staring(), {"TESS": Band(7865, 18.6, 17.7, 3.0, 0.0001, 0.36)}, exposure=1425.6, outliers=0.001),
    "kepler": SurveyCadence(Staring(2454953.5, 90.0, 1765.5, 1.0, 2, 8), {"Kepler": Band(6400, 20.9, 20.2, 7.0, 0.00003)},
                            exposure=1625.3, outliers=0.001),
}


def cadence_of(instrument: LightCurveInstrument, cadence: SurveyCadence | Cadence | None) -> SurveyCadence:
    """Find out how an instrument sees: as told, as it says itself, or as is known of it.

    Raises
    ------
    DataError
        Nobody knows, or not for all of its bands.
    """
    found = cadence if isinstance(cadence, SurveyCadence) else getattr(instrument, "cadence", KNOWN.get(instrument.name))
    if isinstance(cadence, Cadence):
        if found is None and isinstance(cadence, Real):  # it brings its own errors; only wavelengths are missing
            found = SurveyCadence(cadence, _usual_bands(instrument))
        elif found is not None:
            found = SurveyCadence(cadence, found.bands, found.exposure, found.outliers, found.flagged)
    missing = [] if found is None else [band for band in instrument.bands if band not in found.bands]
    if found is None or missing:
        raise DataError(f"nothing says how {instrument.name!r} sees {', '.join(missing or instrument.bands)}: hand over "
                        "cadence=SurveyCadence(Ground(), {\"V\": Band(5500, limit=..., photon=..., bright=...), ...}), or "
                        "let the instrument carry one as its attribute cadence")
    return found


def as_magnitudes(batch: Batch, instrument: LightCurveInstrument) -> tuple[np.ndarray, np.ndarray]:
    """Give the magnitudes of light curves, and their errors, shape ``(n, p)``; NaN where flux is not positive.

    Raises
    ------
    DataError
        The flux has no zero point.
    """
    if instrument.unit == u.mag:
        return np.asarray(batch.value, float), np.asarray(batch.error, float)
    if not instrument.zero_points or any(unit == "" for unit in batch.meta.get("unit", [])):
        raise DataError(f"the flux of {instrument.name!r} is relative: no magnitudes can be made of it")
    zero = np.array([instrument.zero_points[name] for name in instrument.bands])[batch.band]
    per = zero_flux(instrument)
    return to_magnitude(batch.value / per, batch.error / per, zero)


def zero_flux(instrument: LightCurveInstrument) -> float:
    """Give the flux, in the instrument's unit, that its zero points are the magnitudes of."""
    return 1.0 if instrument.zero_unit is None else float(instrument.zero_unit.to(instrument.unit))


def _usual_bands(instrument: LightCurveInstrument) -> dict[str, Band]:
    usual = {"U": 3600, "B": 4400, "V": 5500, "R": 6500, "I": 8000, "u": 3550, "g": 4770, "r": 6230, "i": 7620, "z": 9130,
             "y": 9600, "J": 12500, "H": 16500, "K": 21500}
    return {name: Band(usual[name], 99.0, 99.0, -99.0) for name in instrument.bands if name in usual}
