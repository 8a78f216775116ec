"""Observe sources through any installed instrument: motion, dust, optics, pixels, noise, mishaps."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import sparse

from astrofm.data import Batch, LineSpread, broadening_matrix, transmission
from astrofm.errors import DataError
from astrofm.interfaces import SpectrumInstrument
from astrofm.registry import get_instrument

from .noise import NoiseModel, bad_pixels, calibration_error, cosmic_hits
from .sources import Sources

SPEED_OF_LIGHT = 299792.458
#: stars of a block, so that memory stays bounded
BLOCK = 128
THREADS = 2


def truth(sources: Sources, instrument: SpectrumInstrument | str, *, rv: np.ndarray | float = 0.0,
          a_v: np.ndarray | float = 0.0) -> np.ndarray:
    """Give what an instrument would see without noise.

    Parameters
    ----------
    sources : Sources
    instrument : SpectrumInstrument or str
    rv : float or ndarray, shape ``(n,)``
        Radial velocity, km/s.
    a_v : float or ndarray, shape ``(n,)``
        Extinction in V (Gordon et al. 2023, R_V = 3.1), mag.

    Returns
    -------
    ndarray of float32, shape ``(n, p)``
        In the sources' unit; NaN where they have no data.
    """
    instrument = _instrument(instrument)
    n = len(sources)
    rv, a_v = np.broadcast_to(rv, n).astype(float), np.broadcast_to(a_v, n).astype(float)
    if not (np.isfinite(rv).all() and np.isfinite(a_v).all() and (np.abs(rv) < 3e4).all() and (a_v >= 0).all()):
        raise DataError("rv must be finite (km/s, below 30,000) and a_v finite and not negative (mag)")
    matrix = _matrix(sources.wavelength.tobytes(), instrument.wavelength().tobytes(), instrument.line_spread,
                     sources.resolution)
    seen = np.empty((n, matrix.shape[0]), np.float32)
    reached = np.asarray(matrix.sum(1)).ravel() > 0.5

    def block(start: int) -> None:
        rows = slice(start, start + BLOCK)
        flux = _arriving(sources, rows, rv[rows], a_v[rows])
        seen[rows] = (matrix @ np.ascontiguousarray(flux.T)).T
        if sources.mask is not None:
            lost = _shifted(sources.mask[rows].astype(np.float32), sources.wavelength, rv[rows])
            seen[rows][(matrix @ np.ascontiguousarray(lost.T)).T > 0.02] = np.nan

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(block, range(0, n, BLOCK)))
    seen[:, ~reached] = np.nan
    return seen


def observe(sources: Sources, instrument: SpectrumInstrument | str, *, rv: np.ndarray | float = 0.0,
            a_v: np.ndarray | float = 0.0, snr: np.ndarray | float = 50.0, seed: int = 0, defects: bool = True,
            noise_shape: np.ndarray | None = None) -> Batch:
    """Observe stars: what the instrument's reader would give.

    Parameters
    ----------
    sources : Sources
    instrument : SpectrumInstrument or str
        An optional attribute ``noise``, a `NoiseModel`, replaces the default one; ``gaps`` ``(p,)`` is True for pixels
        that never have data.
    rv, a_v : float or ndarray, shape ``(n,)``
        As for `truth`.
    snr : float or ndarray, shape ``(n,)``
        Median of flux over error.
    seed : int
        Same seed, same stars: same result.
    defects : bool
        Add what goes wrong beside noise: masked pixels, cosmic hits, and for instruments whose
        calibration is relative a smooth flux error.
    noise_shape : ndarray, shape ``(p,)``, optional
        Relative run of the errors, in place of the model.

    Returns
    -------
    Batch
        Meta columns: ``id``, ``snr``, ``true_rv``, ``true_a_v`` and ``true_NAME`` for each label.
    """
    instrument = _instrument(instrument)
    random = np.random.default_rng(seed)
    n = len(sources)
    clean = truth(sources, instrument, rv=rv, a_v=a_v)
    absent = ~np.isfinite(clean) | np.asarray(getattr(instrument, "gaps", False))
    flux = np.where(absent, 0, clean)
    typical = np.array([np.median(row[~lost]) if not lost.all() else 1.0
                        for row, lost in zip(flux, absent, strict=True)], np.float32) if absent.any() \
        else np.median(flux, axis=1)
    typical = np.where(typical > 0, typical, 1.0)[:, None]
    flux = flux / typical
    model = getattr(instrument, "noise", None) or NoiseModel()
    error = (model.shape(instrument.wavelength(), flux, random) if noise_shape is None
             else np.repeat(np.asarray(noise_shape, np.float32)[None], n, axis=0))
    error *= np.median(flux / error, axis=1, keepdims=True) / np.broadcast_to(snr, n).astype(np.float32)[:, None]
    mask = absent
    if defects:
        if instrument.calibration == "relative":
            flux = flux * calibration_error(flux.shape, random)
        mask = mask | bad_pixels(flux.shape, random)
        flux = flux + cosmic_hits(flux.shape, random)
    value = (flux + error * random.standard_normal(flux.shape, dtype=np.float32)) * typical
    meta = {"id": list(sources.id), "snr": np.broadcast_to(snr, n).astype(float),
            "true_rv": np.broadcast_to(rv, n).astype(float), "true_a_v": np.broadcast_to(a_v, n).astype(float),
            **{f"true_{name}": np.asarray(column) for name, column in sources.labels.items()}}
    return instrument.batch(value, error * typical, mask, meta)


def pairs(sources: Sources, instruments: Sequence[str], *, rv: np.ndarray | float = 0.0,
          a_v: np.ndarray | float = 0.0, snr: np.ndarray | float = 50.0, seed: int = 0) -> dict[str, Batch]:
    """Observe the same stars, with the same truth and independent noise, through several instruments.

    Returns
    -------
    dict of str to Batch
        By instrument; row ``i`` of all is the same star.
    """
    seeds = np.random.SeedSequence(seed).generate_state(len(instruments))
    return {name: observe(sources, name, rv=rv, a_v=a_v, snr=snr, seed=int(s))
            for name, s in zip(instruments, seeds, strict=True)}


def _arriving(sources: Sources, rows: slice, rv: np.ndarray, a_v: np.ndarray) -> np.ndarray:
    flux = _shifted(sources.flux[rows], sources.wavelength, rv)
    if a_v.any():
        curve = -np.log(transmission(sources.wavelength, 1.0)).astype(np.float32)
        flux *= np.exp(-a_v.astype(np.float32)[:, None] * curve)
    return flux


def _shifted(flux: np.ndarray, wave: np.ndarray, rv: np.ndarray) -> np.ndarray:
    """Move each spectrum along log wavelength, between pixels by linear interpolation; new array."""
    beta = rv / SPEED_OF_LIGHT
    pixels = 0.5 * np.log((1 + beta) / (1 - beta)) / np.log(wave[-1] / wave[0]) * (len(wave) - 1)
    whole = np.floor(pixels).astype(int)
    share = (pixels - whole).astype(np.float32)[:, None]
    reach = int(np.abs(whole).max(initial=0)) + 1
    windows = sliding_window_view(np.pad(flux, ((0, 0), (reach, reach)), mode="edge"), len(wave), axis=1)
    rows, start = np.arange(len(flux)), reach - whole
    ahead = windows[rows, start]
    return ahead + share * (windows[rows, start - 1] - ahead)


@lru_cache(maxsize=32)
def _matrix(source: bytes, target: bytes, line_spread: LineSpread | None, own: LineSpread | None) -> sparse.csr_matrix:
    wave, grid = np.frombuffer(source), np.frombuffer(target)
    if line_spread is None:  # nothing known: two pixels
        line_spread = LineSpread.sampled(grid, 2 * np.gradient(grid))
    return broadening_matrix(wave, grid, line_spread, source=own).astype(np.float32)


def _instrument(instrument: SpectrumInstrument | str) -> SpectrumInstrument:
    return get_instrument(instrument) if isinstance(instrument, str) else instrument
