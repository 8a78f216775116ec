"""Observe variable stars through any installed instrument of light curves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy import units as u

from astrofm.data import Batch
from astrofm.data.curves import Curves, pad_curves, settle
from astrofm.data.magnitudes import POGSON
from astrofm.errors import DataError
from astrofm.interfaces import LightCurveInstrument
from astrofm.registry import get_instrument

from .cadences import Cadence, Visits
from .seeing import SurveyCadence, cadence_of, zero_flux
from .variables import Variables
from .variables.stars import DAY_ZERO

#: places and weights in an exposure at which light is taken, where it is long (Gauss and Legendre's)
EXPOSURE = ((-0.38729833, 5 / 18), (0.0, 8 / 18), (0.38729833, 5 / 18))
#: exposures up to this (seconds) are a moment
MOMENT = 300.0
#: a point of magnitudes needs this signal-to-noise ratio to be one
DETECTED = 5.0


def observe_variables(stars: Variables, instrument: LightCurveInstrument | str, *, seed: int = 0,
                      cadence: SurveyCadence | Cadence | None = None, defects: bool = True) -> Batch:
    """Observe variable stars: what the instrument's reader would give.

    Parameters
    ----------
    stars : Variables
    instrument : LightCurveInstrument or str
        An optional attribute ``cadence``, a `SurveyCadence`, says when and how well it sees.
    seed : int
        Same seed, same stars: same result.
    cadence : SurveyCadence or Cadence, optional
        In place of the instrument's own; or only other times, such as `astrofm_sky.real_times.Real` ones.
    defects : bool
        Add what goes wrong beside noise: points that are masked, and unflagged outliers.

    Returns
    -------
    Batch
        Values and errors in the instrument's unit, or relative flux where it has no zero points. An instrument of magnitudes
        has no points fainter than 5 sigma; saturated points are masked. Meta columns: ``id``, ``true_class``,
        ``true_parent``, ``true_period`` (days), ``true_amplitude`` (V), ``true_epoch`` (Julian date), ``true_magnitude``
        (V), ``true_teff``, ``true_a_v`` and ``true_bp_rp``.

    Raises
    ------
    DataError
        The instrument is no photometer, or nothing says how it sees.
    """
    instrument = get_instrument(instrument) if isinstance(instrument, str) else instrument
    if not isinstance(instrument, LightCurveInstrument):
        raise DataError(f"instrument {instrument.name!r} takes spectra: observe(sources, {instrument.name!r}) is for those")
    survey = cadence_of(instrument, cadence)
    random = np.random.default_rng(seed)
    visits = survey.when.visits(random, len(stars), len(instrument.bands))
    magnitude, depth = _arriving(stars, visits, instrument, survey)
    bands = [survey.bands[name] for name in instrument.bands]
    error = np.empty(len(magnitude))
    for k, band in enumerate(bands):
        own = visits.band == k
        error[own] = band.error(magnitude[own], depth[own])
    if visits.error is not None:  # photons of the star: half the change in magnitude
        error = visits.error * 10 ** (0.2 * np.clip(magnitude - visits.magnitude, -10, 10))
    mask = magnitude < np.array([band.bright for band in bands])[visits.band]
    noise = random.standard_normal(len(magnitude))
    if defects:
        mask = mask | (random.random(len(magnitude)) < survey.flagged)
        wild = random.random(len(magnitude)) < survey.outliers
        noise = np.where(wild, noise * random.uniform(5, 30, len(noise)), noise)
    # noise is that of flux, over the flux without it
    part = error / POGSON
    flux = 1 + part * noise
    return _batch(stars, instrument, visits, magnitude, flux, part, mask)


def variable_pairs(stars: Variables, instruments: Sequence[str], *, seed: int = 0) -> dict[str, Batch]:
    """Observe the same variable stars through several instruments, each at its own times and with its own noise.

    Returns
    -------
    dict of str to Batch
        By instrument; row ``i`` of all is the same star.
    """
    seeds = np.random.SeedSequence(seed).generate_state(len(instruments))
    return {name: observe_variables(stars, name, seed=int(s)) for name, s in zip(instruments, seeds, strict=True)}


def _arriving(stars: Variables, visits: Visits, instrument: LightCurveInstrument,
              survey: SurveyCadence) -> tuple[np.ndarray, np.ndarray]:
    """Give the magnitude of each visit in the survey's own system, shape ``(p,)``, and its depth."""
    sizes = np.bincount(visits.star, minlength=len(stars))
    there = np.arange(sizes.max(initial=0)) < sizes[:, None]
    days, wavelength = np.zeros(there.shape), np.full(there.shape, 5500.0)
    days[there] = visits.days - DAY_ZERO
    bands = [survey.bands[name] for name in instrument.bands]
    wavelength[there] = np.array([band.wavelength for band in bands])[visits.band]
    if survey.exposure > MOMENT:
        light = sum(weight * np.exp(-stars.offset(days + place * survey.exposure / 86400, wavelength) / POGSON)
                    for place, weight in EXPOSURE)
        away = -POGSON * np.log(light)
    else:
        away = stars.offset(days, wavelength)
    if visits.magnitude is not None:
        return visits.magnitude + away[there], visits.depth
    vega = np.array([band.vega for band in bands])[visits.band]
    return (stars.mean(wavelength) + away)[there] - vega, visits.depth


def _batch(stars: Variables, instrument: LightCurveInstrument, visits: Visits, magnitude: np.ndarray, flux: np.ndarray,
           part: np.ndarray, mask: np.ndarray) -> Batch:
    star, days, band = visits.star, visits.days, visits.band
    unit = instrument.unit.to_string()
    if instrument.unit == u.mag:
        seen = flux > DETECTED * part
        star, days, band, magnitude, flux, part, mask = (x[seen] for x in (star, days, band, magnitude, flux, part, mask))
        value, error = magnitude - POGSON * np.log(flux), POGSON * part / flux
    elif instrument.zero_points:
        zero = np.array([instrument.zero_points[name] for name in instrument.bands])[band]
        scale = zero_flux(instrument) * np.exp((zero - magnitude) / POGSON)
        value, error = scale * flux, scale * part
    else:
        unit = ""
        order = np.lexsort((magnitude, band, star))  # over the median of each star and band
        group = star * len(instrument.bands) + band
        count = np.bincount(group, minlength=len(stars) * len(instrument.bands))
        middle = np.concatenate([[0], np.cumsum(count)[:-1]]) + count // 2
        usual = magnitude[order][np.minimum(middle, len(order) - 1)][group] if len(order) else magnitude
        scale = np.exp((usual - magnitude) / POGSON)
        value, error = scale * flux, scale * part
    sizes = np.bincount(star, minlength=len(stars))
    starts = np.concatenate([[0], np.cumsum(sizes)])
    meta = {"id": list(stars.id), "unit": [unit] * len(stars), "true_class": stars.name.tolist(),
            "true_parent": stars.parent.tolist(), "true_period": stars.period, "true_amplitude": stars.amplitude,
            "true_epoch": stars.epoch + DAY_ZERO, "true_magnitude": stars.magnitude, "true_teff": stars.teff,
            "true_a_v": stars.a_v, "true_bp_rp": stars.bp_rp}
    epoch = np.floor(np.append(days, 0.0)[np.minimum(starts[:-1], len(days))] - 0.5) + 0.5
    curves = Curves(starts, epoch, days - epoch[star], value.astype(np.float32), error, mask, band.astype(np.int16), meta)
    return pad_curves(settle(curves), instrument.name)
