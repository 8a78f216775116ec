"""Colours of variables: blackbodies, dust, and how much smaller a variation is in the red."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from astrofm.data import transmission

#: wavelength of the reference band, V (Angstrom): amplitudes and magnitudes are those there
REFERENCE = 5500.0
#: hc / k, in Angstrom kelvin
HC_K = 1.438777e8
#: log steps of the table of extinction, Angstrom
DUST_GRID = np.geomspace(2000.0, 25000.0, 400)


def planck(teff: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """Give the flux per frequency of a blackbody over that in V of one of 10,000 K; broadcasts."""
    with np.errstate(over="ignore"):
        light = 1 / np.expm1(HC_K / (np.asarray(wavelength, float) * teff))
    return light * (REFERENCE / wavelength) ** 3 * np.expm1(HC_K / (REFERENCE * 1e4))


def mean_colour(teff: np.ndarray, a_v: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """Give the AB magnitude at a wavelength less that in V, of a blackbody behind dust (Gordon et al. 2023, R_V = 3.1).

    Parameters
    ----------
    teff, a_v : ndarray, shape ``(n, 1)``
    wavelength : ndarray, broadcast against them
        Angstrom.
    """
    dust = -2.5 * np.log10(transmission(DUST_GRID, 1.0))  # magnitudes an A_V of 1
    law = np.interp(wavelength, DUST_GRID, dust) - np.interp(REFERENCE, DUST_GRID, dust)
    return -2.5 * np.log10(planck(teff, wavelength) / planck(teff, REFERENCE)) + a_v * law


@dataclass(frozen=True)
class BandLaw:
    """How a variation depends on wavelength: its amplitude over that in V, and how late it is.

    Parameters
    ----------
    ratio : mapping of float to float
        Wavelength (Angstrom) to amplitude over that in V; between them by straight lines in log wavelength, as at the ends
        beyond.
    lag : mapping of float to float
        Wavelength to the part of a period by which light in it is later than in V.
    """

    ratio: Mapping[float, float] = field(default_factory=lambda: {REFERENCE: 1.0})
    lag: Mapping[float, float] = field(default_factory=lambda: {REFERENCE: 0.0})

    def ratio_at(self, wavelength: np.ndarray) -> np.ndarray:
        """Give the amplitude over that in V."""
        return _between(self.ratio, wavelength)

    def lag_at(self, wavelength: np.ndarray) -> np.ndarray:
        """Give the delay, in periods."""
        return _between(self.lag, wavelength)


def _between(table: Mapping[float, float], wavelength: np.ndarray) -> np.ndarray:
    if len(table) == 1:
        return np.broadcast_to(next(iter(table.values())), np.shape(wavelength))
    return np.interp(np.log(wavelength), np.log(list(table)), list(table.values()))


#: B/V 1.5, I/V 0.61, K/V 0.3; J lags V by 0.05, K by 0.1 (Madore & Freedman 1991, 1991PASP..103..933M; Klagyivik & Szabados
#: 2009, 2009A&A...504..959K; Soszynski et al. 2005, 2005PASP..117..823S)
CEPHEIDS = BandLaw({3550.0: 1.95, 4400.0: 1.5, 5500.0: 1.0, 6400.0: 0.8, 8000.0: 0.61, 12500.0: 0.38, 21500.0: 0.3},
                   {5500.0: 0.0, 8000.0: 0.02, 12500.0: 0.05, 21500.0: 0.1})
#: u, g, r, i, z over V (Sesar et al. 2010, 2010ApJ...708..717S); K (Jones et al. 1996, 1996PASP..108..877J)
RR_LYRAE = BandLaw({3550.0: 1.14, 4400.0: 1.28, 4770.0: 1.18, 5500.0: 1.0, 6230.0: 0.83, 7620.0: 0.66, 9130.0: 0.61,
                    21500.0: 0.3}, {5500.0: 0.0, 7620.0: 0.015, 9130.0: 0.025, 21500.0: 0.08})
#: Garrido 2000, 2000ASPC..210...67G; Balona & Evers 1999, 1999MNRAS.302..349B
DELTA_SCUTI = BandLaw({3550.0: 1.25, 4400.0: 1.3, 5500.0: 1.0, 6500.0: 0.8, 8000.0: 0.6, 12500.0: 0.35})
#: hot pulsators: 0.7-0.9 of V in the red, 1.5-2 in the ultraviolet (Heynderickx et al. 1994, 1994A&AS..105..447H;
#: De Cat & Aerts 2002, 2002A&A...393..965D)
HOT = BandLaw({3500.0: 1.7, 4400.0: 1.1, 5500.0: 1.0, 8000.0: 0.9, 12500.0: 0.85})
#: titanium oxide makes V vary more than I and K (Soszynski et al. 2009, 2009AcA....59..239S; Whitelock et al. 2000,
#: 2000MNRAS.319..728W); here 2.5 and 8 times as much. J varies by 0.20 of V, and in some Miras 0.05 to 0.13 of a period late
#: (Smith et al. 2002, arXiv:astro-ph/0111151); most semiregular stars have no lag (Smith et al. 2006, 2006AJ....131..612S)
LONG_PERIOD = BandLaw({4400.0: 1.1, 5500.0: 1.0, 6500.0: 0.75, 8000.0: 0.4, 12500.0: 0.2, 21500.0: 0.12},
                      {5500.0: 0.0, 8000.0: 0.03, 12500.0: 0.1, 21500.0: 0.12})
#: chemical spots move light from the ultraviolet to the red (Mathys & Manfroid 1985, 1985A&AS...60...17M)
CHEMICAL = BandLaw({3500.0: 1.4, 4400.0: 1.1, 5500.0: 1.0, 7000.0: 0.8, 8000.0: 0.7, 12500.0: 0.3})
#: amplitude falls as wavelength to -0.479 (MacLeod et al. 2010, 2010ApJ...721.1014M)
QUASARS = BandLaw({2000.0: 1.62, 5500.0: 1.0, 25000.0: 0.484})
#: young stars: cold spots, hot spots and dust, larger in the blue (Herbst et al. 1994, 1994AJ....108.1906H)
YOUNG = BandLaw({3550.0: 1.8, 4400.0: 1.25, 5500.0: 1.0, 8000.0: 0.7, 12500.0: 0.5})
#: discs of cataclysmic variables: blue, outbursts slightly larger in the blue (Warner 1995, 1995cvs..book.....W)
DISCS = BandLaw({3550.0: 1.08, 5500.0: 1.0, 8000.0: 0.88, 12500.0: 0.75})
#: free-free light of Be discs is red (Hirata 1995; Labadie-Bartz et al. 2017, 2017AJ....153..252L)
RED_DISCS = BandLaw({3550.0: 0.7, 5500.0: 1.0, 8000.0: 1.15, 12500.0: 1.3})
#: dust of R_V = 3.1 (Gordon et al. 2023, 2023ApJ...950...86G)
DUST = BandLaw({3550.0: 1.56, 4400.0: 1.32, 5500.0: 1.0, 6500.0: 0.8, 8000.0: 0.59, 12500.0: 0.27, 21500.0: 0.11})
