"""The instruments ``tess`` and ``kepler``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.timeseries import BaseTimeSeries

from astrofm.data.curves import Curves
from astrofm.interfaces import LightCurveInstrument

from .files import PRODUCTS, TELESCOPES, claims, describe, product_of, read_file
from .quality import bad_cadences

if TYPE_CHECKING:
    from astropy.timeseries import TimeSeries


class Photometer(LightCurveInstrument):
    """What TESS and Kepler have in common: one band, electrons a second or relative flux, flags, barycentric TDB.

    Notes
    -----
    A light curve is ours in three forms: as `read` gives it (``flux``, ``flux_err``, ``mask``); as astropy's readers
    ``tess.fits`` and ``kepler.fits`` give it (``pdcsap_flux``, ``pdcsap_flux_err`` and flags, no mask); and as lightkurve
    does (``flux``, ``flux_err``, ``quality``). Flags are honoured in all three.
    """

    unit = u.electron / u.s
    calibration = "relative"

    def matches(self, data: Any) -> bool:
        """Say whether a time series carries the mission's header."""
        return isinstance(data, BaseTimeSeries) and data.meta.get("TELESCOP") == TELESCOPES[self.name]

    def claims_file(self, path: Path) -> bool:
        """Say from its headers whether a file holds a light curve, or pixels, of the mission; never raises."""
        return claims(Path(path), self.name)

    def read_curves(self, path: Path) -> Curves:
        """Read the corrected flux of a file; see `astrofm_tess.files.read_file`."""
        return read_file(Path(path), self.name)

    def read_aperture(self, path: Path) -> TimeSeries:
        """Read simple aperture photometry, SAP_FLUX, before the pipeline's corrections; otherwise as `read`."""
        path = Path(path)
        return self._series(read_file(path, self.name, "SAP_FLUX"), str(path))

    def measured(self, data: TimeSeries) -> tuple[str, str]:
        """Name the columns of value and error: ``flux``, or the pipeline's corrected flux where astropy's reader made it."""
        if "flux" in data.colnames or "mag" in data.colnames:
            return super().measured(data)
        product = product_of(self.name, {name.upper() for name in data.colnames})
        return super().measured(data) if product is None else (product.flux.lower(), product.error.lower())

    def flagged(self, data: TimeSeries) -> np.ndarray | bool:
        """Say which points are masked, or have a bad quality flag; binning makes means of flags, which say nothing."""
        bad, bits = super().flagged(data), PRODUCTS[self.name][0].bad
        for name in ("quality", "sap_quality"):
            if name in data.colnames and "time_bin_size" not in data.colnames:
                bad = bad | bad_cadences(data[name], bits)
        return bad

    def describe(self, data: TimeSeries) -> dict[str, Any]:
        """Pick what travels with the sample: of a header, ``id`` and `astrofm_tess.files.KEYS`; else the scalars of meta."""
        if "TELESCOP" in data.meta and "id" not in data.meta:
            return describe(data.meta, self.name)
        return super().describe(data)


class Tess(Photometer):
    """Light curves of TESS: SPOC at 2 minutes and 20 seconds, TESS-SPOC and QLP of full frames.

    Notes
    -----
    Ricker et al. 2015, 2015JATIS...1a4003R. SPOC: PDCSAP_FLUX in electrons a second (Jenkins et al. 2016,
    2016SPIE.9913E..3EJ); QLP: KSPSAP_FLUX, DET_FLUX from sector 56 on, relative (Huang et al. 2020, 2020RNAAS...4..204H).
    One electron a second is magnitude 20.44 (TESS Instrument Handbook, section 6.1).
    """

    name = "tess"
    bands = ("TESS",)
    zero_points = {"TESS": 20.44}
    wavelengths = {"TESS": 7865.0}
    example_meta = {"TELESCOP": "TESS", "INSTRUME": "TESS Photometer"}


class Kepler(Photometer):
    """Light curves of Kepler and K2: PDCSAP_FLUX in electrons a second, long and short cadence.

    Notes
    -----
    Borucki et al. 2010, 2010Sci...327..977B; Howell et al. 2014, 2014PASP..126..398H.
    """

    name = "kepler"
    bands = ("Kepler",)
    wavelengths = {"Kepler": 6400.0}
    example_meta = {"TELESCOP": "Kepler", "INSTRUME": "Kepler Photometer"}
