"""The line-spread function of externally calibrated XP spectra."""

from __future__ import annotations

import numpy as np

from astrofm.data.linespread import LineSpread

#: vacuum wavelength in nm and FWHM in nm; see `xp_line_spread`
WAVE_NM = (336, 360, 400, 430, 460, 486, 520, 560, 600, 635,
           643, 660, 700, 760, 800, 850, 900, 950, 1020)
FWHM_NM = (4.8, 5.5, 6.6, 7.7, 9.4, 11.0, 11.9, 12.6, 13.1, 13.6,
           6.3, 6.8, 8.5, 11.5, 13.8, 17.0, 20.5, 24.5, 30.0)


def xp_line_spread() -> LineSpread:
    """Give the Gaussian that turns a star's spectrum into its XP spectrum best, as FWHM over wavelength.

    Returns
    -------
    LineSpread
        FWHM 4.8 to 13.6 nm in BP (336-635 nm), 6.3 to 30 nm in RP (643-1020 nm), blended linearly between
        them, where the archive merges the two.

    Notes
    -----
    Fitted to the 89 CALSPEC standards (Bohlin et al. 2014, 2014PASP..126..711B) that have both an XP
    spectrum and a spectrum of their own, taking the FWHM as the dispersion of the photometer
    (nm a pseudo-pixel, Montegriffo et al. 2023, 2023A&A...674A...3M) times ``exp(a + b t)`` in each of BP
    and RP, and shifted by up to 10 % where the lines ask for it. They are the Balmer series and Ca H and K
    below 500 nm, H alpha at 656 nm,
    and Ca II and the Paschen series from 840 to 950 nm; between 540 and 640 nm, and beyond 950 nm, it
    is the dispersion that carries the curve on. Fits to A stars, white dwarfs and cool stars alone
    agree to about 15 %. The resolving power is 44-70 in BP and 100 to 35 in RP, in line with the 30-100
    of De Angeli et al. (2023, 2023A&A...674A...2D).
    """
    return LineSpread.sampled(np.array(WAVE_NM) * 10.0, np.array(FWHM_NM) * 10.0)
