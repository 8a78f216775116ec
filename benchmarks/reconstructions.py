"""How near stellar-tiny's reconstructions of real LAMOST spectra come to them, with and without the smooth shape of the flux.

    python benchmarks/reconstructions.py --data DATA

``DATA`` is the folder with ``lamost-lrs``. Of each star, the ratio of reconstruction and spectrum at its good pixels: how
many times its 90th percentile is the 10th, as it is and with a polynomial of first or tenth order taken off; what noise
alone would give; how much redder the reconstruction is, 8000-9000 over 4000-4500 Angstrom. Then the extinction of the
stars far from the Galactic plane, as they are, and with errors of the same part of the flux at all wavelengths.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.nddata import StdDevUncertainty

import astrofm
from astrofm.compat import Spectrum
from astrofm.models.response import smooth_response

#: of stars, the latitude beyond which there is little dust, and a signal-to-noise ratio
STARS, FAR, EVEN = 60, 40.0, 50


def ratios(star, whole) -> list[float]:
    """Give the spreads and the tilt of one star's ratio; empty where an end has no data."""
    wave, value = star.spectral_axis.value, star.flux.value
    model = np.interp(wave, whole.spectral_axis.value, whole.flux.value)
    with np.errstate(divide="ignore"):
        error = 1 / np.sqrt(star.uncertainty.array)
    value = np.where(value > 0, value, np.nan)
    mask = star.mask | ~(value > 0) | ~np.isfinite(error)
    blue, red = (~mask & (wave > low) & (wave < high) for low, high in ((4000, 4500), (8000, 9000)))
    if blue.sum() < 50 or red.sum() < 50:
        return []
    curves = [np.ones(len(wave)), *(smooth_response(wave, value, error, mask, model, order=order) for order in (1, 10))]
    found = []
    for curve in curves:
        ratio = (model * curve / value)[~mask]
        low, high = np.nanpercentile(ratio, (10, 90))
        found.append(high / low)
    noise = np.exp(2 * 1.2816 * np.median(error[~mask] / value[~mask]))
    return [*found, noise, np.median((model / value)[red]) / np.median((model / value)[blue])]


def evenly(star: Spectrum) -> Spectrum:
    """Give the star the same signal-to-noise ratio at all good pixels."""
    error = np.where(star.mask | (star.flux.value == 0), 0.0, np.abs(star.flux.value) / EVEN)
    return Spectrum(flux=star.flux, spectral_axis=star.spectral_axis, mask=star.mask, meta=dict(star.meta),
                    uncertainty=StdDevUncertainty(error))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    model = astrofm.load_model("stellar-tiny")
    for name in ("lamost-lrs", "lamost-lrs/other-fields"):
        paths = sorted((options.data / name).glob("spec*.fits*"))
        stars = [star for path in paths[:: max(1, len(paths) // STARS)] for star in astrofm.read(path)
                 if star.meta["class"] == "STAR"]
        found = np.array([row for star in stars if (row := ratios(star, model.reconstruct(star)))])
        table = model.predict(stars)
        flagged = sum("unlike-training-set" in flags for flags in table["flags"])
        print(f"{name}: {len(found)} stars, {flagged} of {len(stars)} flagged unlike-training-set; 5, 50, 95 % of stars:")
        for what, column in zip(("as it is", "tilt taken off", "order 10 taken off", "noise alone", "redder by"), found.T,
                                strict=True):
            print(f"  {what:20s} " + "  ".join(f"{x:5.2f}" for x in np.percentile(column, (5, 50, 95))))
        latitude = SkyCoord(*([star.meta[key] for star in stars] * u.deg for key in ("ra", "dec"))).galactic.b.deg
        far = np.abs(latitude) > FAR
        if far.any():
            even = model.predict([evenly(star) for star in stars])
            as_is, error, level = (np.median(column[far].value) for column in (table["a_v"], table["a_v_err"], even["a_v"]))
            print(f"  a_v of {far.sum()} stars beyond latitude {FAR:.0f}: median {as_is:.2f}, error {error:.2f}; with S/N "
                  f"{EVEN} at all wavelengths {level:.2f}")


if __name__ == "__main__":
    main()
