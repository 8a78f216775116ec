"""Surveys see variables at their own times, in their own bands, with errors that are the scatter."""

import numpy as np
import pytest
from astrofm_sky import Band, SurveyCadence, observe_variables, variable_pairs, variable_stars
from astrofm_sky.cadences import Ground, Scanning, Staring
from astrofm_sky.real_times import Real
from astrofm_sky.variables.stars import DAY_ZERO
from astropy import units as u
from astropy.timeseries import LombScargle

from astrofm.data import collate
from astrofm.errors import DataError
from astrofm.interfaces import LightCurveInstrument
from astrofm.registry import get_instrument
from astrofm.testing import FakeInstrument, FakePhotometer


class Robot(LightCurveInstrument):
    """Magnitudes in V and I, with a cadence of its own."""

    name = "robot"
    bands = ("V", "I")
    unit = u.mag
    cadence = SurveyCadence(Ground(), {"V": Band(5500, 17.0, 15.0, 9.0), "I": Band(8000, 16.5, 15.0, 9.0)})

    def matches(self, series):
        return False


ROBOT = Robot()
SURVEYS = ("ztf", "gaia-epoch", "tess", "kepler")
STARS = variable_stars(60, seed=1, magnitude=(13.5, 17.0))


@pytest.mark.parametrize("name", SURVEYS)
def test_a_batch_is_what_the_reader_would_give(name):
    instrument = get_instrument(name)
    batch = observe_variables(STARS, name, seed=2)
    assert batch.instrument == name and len(batch) == 60 and batch.value.shape == batch.band.shape == batch.coordinate.shape
    assert batch.coordinate.dtype == np.float64 and batch.value.dtype == batch.error.dtype == np.float32
    assert (np.diff(batch.coordinate, axis=1) >= 0).all() and np.isfinite(batch.value).all()
    assert (batch.value[batch.mask] == 0).all() and (batch.error[~batch.mask] > 0).all()
    assert set(batch.band[~batch.mask].tolist()) <= set(range(len(instrument.bands)))
    assert list(batch.meta["true_class"]) == STARS.name.tolist() and list(batch.meta["id"]) == list(STARS.id)
    np.testing.assert_array_equal(batch.meta["true_period"], STARS.period)
    again = collate([instrument.sample(series) for series in instrument.rebuild(batch[:5])])
    good = ~batch.mask[:5, :again.value.shape[1]]
    np.testing.assert_array_equal(~again.mask, good)
    np.testing.assert_allclose(again.value[good], batch.value[:5, :again.value.shape[1]][good], rtol=1e-6)


@pytest.mark.parametrize("name", [*SURVEYS, ROBOT])
def test_errors_are_the_scatter(name):
    stars = variable_stars(80, seed=3, classes=["CONST"], magnitude=(13.5, 15.5))
    batch = observe_variables(stars, name, seed=4, defects=False)
    for band in range(int(batch.band.max()) + 1):
        away = []
        for row in range(80):
            own = ~batch.mask[row] & (batch.band[row] == band)
            if own.sum() > 30:
                value, error = batch.value[row, own].astype(float), batch.error[row, own].astype(float)
                away.append((value - np.average(value, weights=error**-2)) / error)
        assert np.std(np.concatenate(away)) == pytest.approx(1, abs=0.05)


def test_defects_are_masked_points_and_outliers():
    stars = variable_stars(80, seed=3, classes=["CONST"], magnitude=(13.5, 15.5))
    batch = observe_variables(stars, "ztf", seed=4)
    share = [batch.meta["n_bad"][row] / max(batch.meta["n_points"][row], 1) for row in range(80)]
    assert np.mean(share) == pytest.approx(0.01, abs=0.005)
    away = [np.abs(batch.value[row, own] - np.median(batch.value[row, own])) / batch.error[row, own]
            for row in range(80) if (own := ~batch.mask[row] & (batch.band[row] == 1)).sum() > 30]
    assert 0.0005 < (np.concatenate(away) > 6).mean() < 0.01


def test_noise_grows_with_magnitude_from_a_floor_and_bright_stars_saturate():
    stars = variable_stars(200, seed=5, classes=["CONST"], magnitude=(7.0, 19.0))
    batch = observe_variables(stars, ROBOT, seed=1, defects=False)
    error = np.array([np.median(own[~bad]) if not bad.all() else np.nan
                      for own, bad in zip(batch.error, batch.mask, strict=True)])
    bright, faint = (stars.magnitude > 10) & (stars.magnitude < 12), (stars.magnitude > 15.5) & (stars.magnitude < 16)
    assert np.nanmedian(error[bright]) == pytest.approx(0.01, rel=0.2) and np.nanmedian(error[faint]) > 0.04
    assert batch.mask[stars.magnitude < 8].all() and not np.isfinite(error[stars.magnitude > 18.5]).any()
    flux = observe_variables(stars, "tess", seed=1, defects=False)
    assert (~flux.mask[stars.magnitude > 18]).any()  # fluxes below the noise are measurements


def test_the_same_star_has_the_same_phase_in_two_surveys():
    stars = variable_stars(60, seed=6, classes=["RRC", "DCEP", "HADS"], magnitude=(13.5, 15))
    both = variable_pairs(stars, ["ztf", "gaia-epoch"], seed=1)
    late = []
    for name, batch in both.items():
        assert list(batch.meta["id"]) == list(stars.id)
        magnitude = batch.value if name == "ztf" else -2.5 * np.log10(np.maximum(batch.value, 1e-9))
        for row in range(60):
            own = ~batch.mask[row] & (batch.band[row] == 0)
            if own.sum() < 25:
                continue
            days = batch.meta["first_time"][row] - batch.meta["true_epoch"][row] + batch.coordinate[row, own]
            turn = 2 * np.pi * days / batch.meta["true_period"][row]
            terms = [np.ones_like(turn), *(f(k * turn) for k in (1, 2, 3) for f in (np.cos, np.sin))]
            fit = np.linalg.lstsq(np.stack(terms, axis=1), magnitude[row, own].astype(float), rcond=None)[0]
            late.append((name, row, np.angle(fit[1] + 1j * fit[2])))
    phases = {name: {row: phase for one, row, phase in late if one == name} for name in both}
    common = sorted(set(phases["ztf"]) & set(phases["gaia-epoch"]))
    away = np.angle(np.exp(1j * np.array([phases["ztf"][row] - phases["gaia-epoch"][row] for row in common])))
    assert len(common) > 30 and np.median(np.abs(away)) < 0.08


def test_noise_processes_are_one_process_in_two_surveys():
    stars = variable_stars(40, seed=2, classes=["QSO", "CTTS"])
    days = np.tile(np.arange(300.0), (40, 1))
    whole = stars.offset(days, 6000.0)
    np.testing.assert_array_equal(stars.offset(days[:, ::7], 6000.0), whole[:, ::7])


def test_the_same_seed_gives_the_same_and_another_does_not():
    first, again, other = (observe_variables(STARS, "ztf", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.value, again.value)
    assert first.value.shape != other.value.shape or not np.array_equal(first.value, other.value)


def test_the_ground_has_nights_seasons_and_a_moon():
    visits = Ground(span=3000.0).visits(np.random.default_rng(0), 100, 1)
    one = visits.days[visits.star == 5]
    assert np.all(np.abs((visits.days - 2458200.8 + 0.5) % 1 - 0.5) < 0.4)
    assert np.diff(one).max() > 100 and np.bincount(visits.star).min() > 100
    power = LombScargle(visits.days, np.ones(len(visits.days)), fit_mean=False, center_data=False).power([1.0, 0.63])
    assert power[0] > 0.3 > 10 * power[1]  # the window of one day
    full = 0.5 - 0.5 * np.cos(2 * np.pi * ((visits.days - 2451550.1) % 29.530589) / 29.530589)
    assert (full > 0.9).mean() < 0.8 * (full < 0.1).mean()
    assert visits.depth[full > 0.9].mean() < visits.depth[full < 0.1].mean() - 0.5


def test_a_staring_satellite_has_even_steps_and_a_gap():
    visits = Staring().visits(np.random.default_rng(0), 20, 1)
    step = np.diff(visits.days[visits.star == 3])
    assert np.median(step) == pytest.approx(1800 / 86400) and 1.0 < step.max() < 1.3
    assert 1200 < np.bincount(visits.star).mean() < 1315


def test_a_scanning_satellite_comes_in_pairs_and_sees_all_bands():
    visits = Scanning().visits(np.random.default_rng(0), 200, 3)
    number = np.bincount(visits.star) / 3
    assert 15 < number.min() and 30 < np.median(number) < 90
    step = np.diff(visits.days[(visits.star == 4) & (visits.band == 0)])
    assert np.any(np.abs(step - 106.5 / 1440) < 1e-6) and np.median(step[step > 1]) > 10


def test_long_exposures_smear_fast_stars():
    stars = variable_stars(40, seed=1, classes=["HADS"], magnitude=(10, 10.5))
    sharp, long = (SurveyCadence(Staring(), {"TESS": Band(7865, 18.6, 18.6, 3.0, 1e-4)}, exposure=exposure)
                   for exposure in (60.0, 3600.0))
    seen = [observe_variables(stars, "tess", cadence=cadence, defects=False, seed=1) for cadence in (sharp, long)]
    spread = [np.ma.masked_array(batch.value, batch.mask).std(axis=1).filled(np.nan) for batch in seen]
    turn = np.pi * 3600 / 86400 / stars.period
    # overtones are smeared more than the sine
    np.testing.assert_allclose(np.median(spread[1] / spread[0]), np.median(np.sin(turn) / turn), rtol=0.08)


def test_real_cadences_bring_their_times_and_errors():
    fake = FakePhotometer()
    real = collate([fake.sample(fake.example(seed)[: 40 + 10 * seed]) for seed in range(4)])
    stars = variable_stars(50, seed=2, classes=["RRAB"])
    seen = observe_variables(stars, fake, seed=3, cadence=Real.of(real, fake), defects=False)
    assert set(np.sum(~seen.mask, axis=1).tolist()) <= {40, 50, 60, 70}
    times = {round(real.meta["first_time"][row] + day, 6)
             for row in range(4) for day in real.coordinate[row, ~real.mask[row]]}
    mine = {round(seen.meta["first_time"][7] + day, 6) for day in seen.coordinate[7, ~seen.mask[7]]}
    assert mine <= times
    part = np.median(seen.error[~seen.mask] / seen.value[~seen.mask])
    assert part == pytest.approx(np.median(real.error[~real.mask] / real.value[~real.mask]), rel=0.1)


def test_fluxes_are_those_of_the_magnitudes_in_any_unit():
    class Janskys(Robot):
        name, unit, zero_unit = "janskys", u.mJy, u.Jy
        zero_points = {"V": 8.9, "I": 8.9}

    class Relative(Robot):
        name, unit = "relative", u.electron / u.s

    stars = variable_stars(20, seed=1, classes=["RRAB"], magnitude=(12, 13))
    for instrument in (Janskys(), Relative()):
        flux, magnitude = (observe_variables(stars, one, seed=1, defects=False) for one in (instrument, ROBOT))
        good = ~magnitude.mask
        back = -2.5 * np.log10(flux.value[good] / (1e3 * 10 ** (0.4 * 8.9)))
        if instrument.name == "janskys":
            np.testing.assert_allclose(back, magnitude.value[good], atol=1e-4)
        else:
            assert set(flux.meta["unit"]) == {""} and np.median(flux.value[good]) == pytest.approx(1, abs=0.03)


def test_examples_run():
    import doctest

    from astrofm_sky import real_times
    from astrofm_sky.variables import stars

    for module in (real_times, stars):
        found = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        assert found.attempted and not found.failed


def test_what_cannot_be_seen_is_refused():
    class Unknown(Robot):
        name = "unknown"
        cadence = None

    class Half(Robot):
        cadence = SurveyCadence(Ground(), {"V": Band(5500, 17.0, 15.0, 9.0)})

    with pytest.raises(DataError, match="how 'unknown' sees V, I"):
        observe_variables(STARS, Unknown())
    with pytest.raises(DataError, match="how 'robot' sees I:"):
        observe_variables(STARS, Half())
    with pytest.raises(DataError, match="takes spectra"):
        observe_variables(STARS, FakeInstrument())
    empty = observe_variables(STARS[:0], ROBOT)
    assert empty.value.shape == (0, 0)
    assert observe_variables(STARS[:3], Unknown(), cadence=Robot.cadence).instrument == "unknown"
    faint = observe_variables(variable_stars(2, classes=["CONST"], magnitude=(25, 25)), ROBOT)
    assert faint.value.shape == (2, 0)
    assert DAY_ZERO == 2458000.5
