"""Public stellar libraries as sources: read from their files, brought to one grid, medium and resolution.

The files are not part of this package; ``docs/sky.rst`` says where they come from.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from astropy.io import fits

from astrofm.data.linespread import LineSpread, broadening_matrix
from astrofm.data.wavelength import to_vacuum
from astrofm.errors import ReadError

from .sources import SOURCE_GRID, Sources

#: all libraries are brought to the resolution of MILES (Falcon-Barroso et al. 2011, A&A 532, A95)
RESOLUTION = LineSpread.gaussian(2.5)
#: oxygen and water of the air that STELIB was not corrected for, vacuum Angstrom
AIR = ((6862, 6960), (7585, 7720), (9270, 10000))
#: spectral classes on the numeric scale B0 = 20 ... M0 = 70
LETTERS = {letter: 10 * (k + 1) for k, letter in enumerate("OBAFGKM")}


def miles(folder: Path) -> Sources:
    """Read MILES: real stars with ``teff logg fe_h`` (Sanchez-Blazquez et al. 2006; Cenarro et al. 2007)."""
    data = _load(folder, "spectral-libraries/miles.npz")
    labels = {name: np.asarray(data[name], float) for name in ("teff", "logg", "fe_h")}
    return _sources(to_vacuum(data["wavelength_air"]), data["flux"], [_star(n) for n in data["name"]], labels,
                    own=RESOLUTION)


def stelib(folder: Path) -> Sources:
    """Read STELIB: real stars, 3200-9900 Angstrom (Le Borgne et al. 2003), brought to rest; no labels.

    The absorption by the air that is left in them is masked.
    """
    data = _load(folder, "spectral-libraries/stelib.npz")
    sources = _sources(to_vacuum(data["wavelength_air_A"]), data["flux"], [_star(n) for n in data["name"]], {},
                       own=LineSpread.gaussian(3.0))
    mask = _mask(sources).copy()
    for low, high in AIR:
        mask[:, (SOURCE_GRID > low) & (SOURCE_GRID < high)] = True
    sources = Sources(SOURCE_GRID, sources.flux, mask, sources.labels, sources.id, sources.resolution)
    return to_rest(sources, archetypes(folder, count=150, seed=1))


def archetypes(folder: Path, *, count: int = 3000, seed: int = 0) -> Sources:
    """Read full-physics model stars of the redrock archetypes (BSD-3), ``count`` drawn from all but white dwarfs.

    Their only label is ``type``, the numeric class of the file's letter.
    """
    random = np.random.default_rng(seed)
    flux, kinds = [], []
    for letter in "BAFGKM":
        path = _existing(folder, f"star-archetypes/rrtemplate-STAR-{letter}-v0.1.fits")
        with fits.open(path) as hdus:
            basis, coefficients = hdus[0].data.astype(float), hdus[1].data.astype(float)
        wave = 3000.0 + 0.1 * np.arange(basis.shape[1])
        rows = random.choice(len(coefficients), min(len(coefficients), -(-count // 6)), replace=False)
        flux.append(coefficients[rows] @ _observe_basis(wave, basis))
        kinds += [LETTERS[letter]] * len(rows)
    values = np.concatenate(flux)
    return Sources(SOURCE_GRID, values.astype(np.float32), _dark(values, SOURCE_GRID, 3000.0, 11000.0),
                   {"letter": np.array(kinds, float)}, [f"archetype-{k}" for k in range(len(values))], RESOLUTION)


def kurucz(folder: Path) -> Sources:
    """Read the SDSS pipeline's Kurucz standards: models of 5000-7000 K with ``teff logg fe_h``."""
    with fits.open(_existing(folder, "sdss/kurucz_stds_v5.fit")) as hdus:
        header, flux, table = hdus[0].header, hdus[0].data, hdus[1].data
        wave = 10 ** (header["CRVAL1"] + header["CD1_1"] * np.arange(flux.shape[1]))
        labels = {"teff": table["TEFF"].astype(float), "logg": table["G"].astype(float),
                  "fe_h": table["FEH"].astype(float)}
        return _sources(wave, flux, [str(name).strip() for name in table["MODEL"]], labels, own=None)


def templates(folder: Path) -> Sources:
    """Read the SDSS pipeline's stellar templates; ``type`` is the numeric class (B0 = 20 ... M0 = 70)."""
    with fits.open(_existing(folder, "sdss/spEigenStar-55734.fits")) as hdus:
        header, flux = hdus[0].header, hdus[0].data
        wave = 10 ** (header["COEFF0"] + header["COEFF1"] * np.arange(flux.shape[1]))
        names = [header[f"NAME{k}"] for k in range(len(flux))]
    kinds = np.array([numeric_type(name) for name in names])
    normal = np.isfinite(kinds)
    return _sources(wave, flux[normal], [f"template-{n}" for n, ok in zip(names, normal, strict=True) if ok],
                    {"type": kinds[normal]}, own=None)


def numeric_type(name: str) -> float:
    """Turn ``"G8V (75732)"`` into 58: B0 = 20 ... M0 = 70; NaN for what is no normal class.

    >>> numeric_type("G8V (75732)"), numeric_type("B9.5V+... (37269)"), numeric_type("Carbon")
    (58.0, 29.5, nan)
    """
    found = re.match(r"([OBAFGKM])(\d(?:\.\d)?)(?![a-z]*p)", name)
    return LETTERS[found[1]] + float(found[2]) if found else np.nan


def to_rest(sources: Sources, references: Sources, *, limit: float = 400.0) -> Sources:
    """Shift each star to the rest frame of the reference it correlates with best.

    Parameters
    ----------
    sources, references : Sources
        On the same grid.
    limit : float
        Largest velocity, km/s.
    """
    step = np.log(sources.wavelength[1] / sources.wavelength[0]) * 299792.458
    reach = int(limit / step)
    window = (sources.wavelength > 3900) & (sources.wavelength < 6800)
    ours = _lines(sources.flux, window)
    theirs = np.fft.rfft(_lines(references.flux, window), axis=1)
    flux = np.array(sources.flux)
    mask = _mask(sources).copy()
    for row, spectrum in enumerate(np.fft.rfft(ours, axis=1)):
        correlation = np.fft.irfft(spectrum * theirs.conj(), n=ours.shape[1], axis=1)
        near = np.concatenate([correlation[:, -reach:], correlation[:, : reach + 1]], axis=1)
        shift = np.unravel_index(near.argmax(), near.shape)[1] - reach
        flux[row], mask[row] = np.roll(flux[row], -shift), np.roll(mask[row], -shift)
    return Sources(sources.wavelength, flux, mask, sources.labels, sources.id, sources.resolution)


def extend(sources: Sources, references: Sources, *, margin: float = 150.0) -> tuple[Sources, np.ndarray]:
    """Fill the wavelengths that a library lacks from the reference star that looks most alike.

    Parameters
    ----------
    sources, references : Sources
        On the same grid.
    margin : float
        Angstrom at the edge of the data over which the two are joined.

    Returns
    -------
    Sources
        The same stars without gaps; a star found among the references by its ``id`` uses its own spectrum.
    ndarray of float, shape ``(n,)``
        RMS difference of log flux to the reference where both have data, after a linear term.
    """
    wave = sources.wavelength
    ours, theirs = _coarse(sources), _coarse(references)
    place = np.linspace(-1, 1, ours.shape[1])
    flux, left = np.array(sources.flux), np.zeros(len(sources.flux))
    for row in range(len(flux)):
        both = np.isfinite(ours[row]) & np.isfinite(theirs)
        weight = both.astype(float)
        difference = np.where(both, ours[row] - theirs, 0.0)
        rest = _without_line(difference, weight, place)
        rms = np.sqrt((weight * rest**2).sum(1) / weight.sum(1).clip(1))
        rms[weight.sum(1) < 0.6 * np.isfinite(ours[row]).sum()] = np.inf
        twin = [k for k, name in enumerate(references.id) if name == sources.id[row]]
        best = twin[0] if twin else int(rms.argmin())
        left[row] = rms[best]
        flux[row] = _join(wave, flux[row], _mask(sources)[row], references.flux[best], margin)
    missing = ~np.isfinite(flux) | (flux <= 0)
    return Sources(wave, np.where(missing, 0, flux).astype(np.float32), missing, sources.labels, sources.id,
                   sources.resolution), left


def _join(wave: np.ndarray, flux: np.ndarray, mask: np.ndarray, other: np.ndarray, margin: float) -> np.ndarray:
    good = np.flatnonzero(~mask)
    low, high = good[0], good[-1]
    joined = np.where(mask, np.nan, flux)
    for part, edge in ((slice(0, low), (wave >= wave[low]) & (wave < wave[low] + margin)),
                       (slice(high + 1, None), (wave <= wave[high]) & (wave > wave[high] - margin))):
        level = np.median(other[edge])
        if level > 0:  # else the reference is dark there too: the last good pixel is repeated
            joined[part] = other[part] * (np.median(flux[edge & ~mask]) / level)
    inside = np.isnan(joined)
    joined[inside] = np.interp(np.flatnonzero(inside), np.flatnonzero(~inside), joined[~inside])
    return joined


def _without_line(y: np.ndarray, weight: np.ndarray, x: np.ndarray) -> np.ndarray:
    total = weight.sum(1, keepdims=True).clip(1)
    centre = (weight * x).sum(1, keepdims=True) / total
    mean = (weight * y).sum(1, keepdims=True) / total
    slope = (weight * (x - centre) * y).sum(1, keepdims=True) / (weight * (x - centre) ** 2).sum(1, keepdims=True).clip(1e-9)
    return y - mean - slope * (x - centre)


def _coarse(sources: Sources, size: int = 20) -> np.ndarray:
    count = len(sources.wavelength) // size
    shape = (len(sources.flux), count, size)
    good = (~_mask(sources) & (sources.flux > 0))[:, : count * size].reshape(shape)
    total = np.where(good, sources.flux[:, : count * size].reshape(shape), 0).sum(2)
    number = good.sum(2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(number > size // 2, np.log(total / number), np.nan)


def _mask(sources: Sources) -> np.ndarray:
    return np.zeros(sources.flux.shape, bool) if sources.mask is None else sources.mask


def _lines(flux: np.ndarray, window: np.ndarray) -> np.ndarray:
    from scipy.ndimage import uniform_filter1d

    cut = np.nan_to_num(flux[:, window])
    smooth = uniform_filter1d(cut, 401, axis=1, mode="nearest")
    lines = np.clip(cut / np.where(smooth > 0, smooth, 1) - 1, -0.6, 0.6) * np.hanning(cut.shape[1])
    return lines / np.linalg.norm(lines, axis=1, keepdims=True).clip(1e-12)


def _sources(wave: np.ndarray, flux: np.ndarray, ids: list[str], labels: dict[str, np.ndarray],
             own: LineSpread | None) -> Sources:
    flux = np.asarray(flux, float)
    good = np.isfinite(flux) & (flux > 0)
    scale = np.array([np.median(f[g]) for f, g in zip(flux, good, strict=True)])
    matrix = broadening_matrix(wave, SOURCE_GRID, RESOLUTION, source=own)
    weight = (matrix @ good.astype(float).T).T
    value = (matrix @ np.where(good, flux / scale[:, None], 0).T).T / np.where(weight > 0, weight, 1)
    mask = (weight < 0.5) | _dark(value, SOURCE_GRID, wave[0], wave[-1])
    return Sources(SOURCE_GRID, np.where(mask, 0, value).astype(np.float32), mask, labels, ids, RESOLUTION)


def _observe_basis(wave: np.ndarray, basis: np.ndarray) -> np.ndarray:
    return (broadening_matrix(wave, SOURCE_GRID, RESOLUTION) @ basis.T).T


def _dark(value: np.ndarray, grid: np.ndarray, low: float, high: float) -> np.ndarray:
    return ~np.isfinite(value) | (value <= 0) | ((grid < low + 5) | (grid > high - 5))[None]


def _star(name: str) -> str:
    plain = name.replace(" ", "").upper()
    found = re.match(r"HD0*(\d+)", plain)
    return f"HD{found[1]}" if found else plain


def _existing(folder: Path, name: str) -> Path:
    path = Path(folder) / name
    if not path.exists():
        raise ReadError(f"{path} is missing: give the folder that holds {name}")
    return path


def _load(folder: Path, name: str) -> dict[str, np.ndarray]:
    with np.load(_existing(folder, name), allow_pickle=False) as data:
        return {key: data[key] for key in data.files}
