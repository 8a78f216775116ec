"""Simulated stars: the same truth for all instruments, moved, reddened and noisy by the right amount."""

import numpy as np
import pytest
from astrofm_sky import SOURCE_GRID, NoiseModel, Sources, analytic_stars, libraries, night, observe, pairs, truth
from astrofm_sky.typical import spectra, typical_stars
from astropy import units as u
from dust_extinction.parameter_averages import G23

from astrofm.data import LineSpread, to_air
from astrofm.errors import DataError
from astrofm.interfaces import SpectrumInstrument


class Fibre(SpectrumInstrument):
    """1e-4 dex pixels, relative."""

    name = "fibre"
    grid = 10 ** (3.5682 + 1e-4 * np.arange(3900)) * u.AA
    line_spread = LineSpread.constant(1800)

    def matches(self, data):
        return False


class Absolute(Fibre):
    """The same, calibrated."""

    name = "absolute"
    calibration = "absolute"


FIBRE = Fibre()
STARS = analytic_stars(40, seed=3)


def _line(centre=6000.0, n=1):
    flux = 1 - 0.8 * np.exp(-0.5 * ((SOURCE_GRID - centre) / 2.0) ** 2)
    return Sources(SOURCE_GRID, np.repeat(flux[None], n, axis=0).astype(np.float32))


@pytest.mark.parametrize("rv", [-400.0, -12.3, 0.0, 7.0, 250.0])
def test_a_line_moves_by_the_velocity_to_a_twentieth_of_a_pixel(rv):
    seen = 1 - truth(_line(), FIBRE, rv=rv)[0]
    wave = FIBRE.wavelength()
    near = np.abs(wave - 6000 * (1 + rv / 299792.458)) < 15
    centre = (seen * wave)[near].sum() / seen[near].sum()
    beta = rv / 299792.458
    assert centre == pytest.approx(6000 * np.sqrt((1 + beta) / (1 - beta)), abs=0.07)


def test_extinction_is_that_of_dust_extinction():
    clear, dusty = (truth(STARS, FIBRE, a_v=a)[:, 500:-500] for a in (0.0, 1.5))
    expected = G23(Rv=3.1).extinguish(FIBRE.wavelength()[500:-500] * u.AA, Av=1.5)
    np.testing.assert_allclose(dusty / clear, np.broadcast_to(expected, clear.shape), rtol=3e-3)


@pytest.mark.parametrize("snr", [5.0, 50.0, 400.0])
def test_the_signal_to_noise_ratio_is_the_one_asked_for(snr):
    batch = observe(STARS, FIBRE, snr=snr, defects=False)
    clean = truth(STARS, FIBRE)
    np.testing.assert_allclose(np.median(clean / batch.error, axis=1), snr, rtol=1e-3)


def test_errors_are_what_they_say():
    batch = observe(STARS, FIBRE, snr=np.linspace(10, 200, 40), seed=5, defects=False)
    away = (batch.value - truth(STARS, FIBRE)) / batch.error
    assert np.std(away) == pytest.approx(1.0, abs=0.01) and np.mean(away) == pytest.approx(0.0, abs=0.01)


def test_only_relative_instruments_have_a_calibration_error():
    absolute = Absolute()
    kept = {}
    for instrument in (FIBRE, absolute):
        batch = observe(STARS, instrument, snr=1e4, seed=2)
        ratio = np.where(batch.mask, np.nan, batch.value / truth(STARS, instrument))
        blocks = np.ma.median(np.ma.masked_invalid(ratio).reshape(40, -1, 100), axis=2).filled(np.nan)
        kept[instrument.name] = np.nanstd(blocks / np.nanmedian(blocks, axis=1, keepdims=True))
    assert kept["fibre"] > 0.02 and kept["absolute"] < 0.005


def test_the_same_seed_gives_the_same_and_another_does_not():
    first, second, third = (observe(STARS, FIBRE, snr=30, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.value, second.value)
    np.testing.assert_array_equal(first.mask, second.mask)
    assert not np.array_equal(first.value, third.value)


def test_two_instruments_see_the_same_truth_with_their_own_noise():
    both = pairs(STARS, ["lamost-lrs", "gaia-xp"], rv=20.0, a_v=0.3, snr=60, seed=1)
    one, other = both.values()
    for key in ("id", "true_teff", "true_rv", "true_a_v"):
        assert list(one.meta[key]) == list(other.meta[key])
    assert one.instrument == "lamost-lrs" and other.value.shape == (40, 343)


def test_pixels_where_the_source_has_no_data_are_masked():
    mask = np.zeros((1, len(SOURCE_GRID)), bool)
    mask[:, (SOURCE_GRID > 5000) & (SOURCE_GRID < 5100)] = True
    batch = observe(Sources(SOURCE_GRID, _line().flux, mask), FIBRE, defects=False)
    gap = (FIBRE.wavelength() > 5003) & (FIBRE.wavelength() < 5097)
    assert batch.mask[0, gap].all() and batch.mask[0].sum() < gap.sum() + 15


@pytest.mark.parametrize("n", [0, 1, 300])
def test_any_number_of_stars(n):
    stars = analytic_stars(300, seed=1)[:n]
    batch = observe(stars, FIBRE, snr=20)
    assert batch.value.shape == (n, 3900) and len(batch.meta["true_teff"]) == n
    np.testing.assert_allclose(truth(stars, FIBRE)[:1], truth(stars[:1], FIBRE), rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"rv": np.nan}, {"rv": 1e5}, {"a_v": -1.0}])
def test_impossible_skies_are_refused(wrong):
    with pytest.raises(DataError, match="must be finite"):
        truth(STARS, FIBRE, **wrong)


def test_an_instrument_may_bring_its_own_noise():
    class Quiet(Fibre):
        noise = NoiseModel(background=(1e-3, 1e-3), edge=1.0)

    flat = Sources(SOURCE_GRID, np.ones((1, len(SOURCE_GRID)), np.float32))
    flat_error, usual = (observe(flat, one, snr=50, defects=False).error[0] for one in (Quiet(), FIBRE))
    assert np.ptp(flat_error) / flat_error.mean() < 0.01 < np.ptp(usual) / usual.mean()


def test_sources_in_air_and_vacuum_agree():
    wave = np.arange(3000.0, 11000.0, 0.5)
    flux = 1 - 0.5 * np.exp(-0.5 * ((wave - 6000) / 3) ** 2)
    vacuum, air = Sources.from_arrays(wave, flux), Sources.from_arrays(to_air(wave), flux, medium="air")
    np.testing.assert_allclose(vacuum.flux, air.flux, atol=2e-3)
    with pytest.raises(DataError, match="vacuum"):
        Sources.from_arrays(wave, flux, medium="water")


def test_source_spectra_must_name_their_medium_and_bring_labels():
    from astrofm.compat import Spectrum

    wave = np.arange(3000.0, 11000.0, 1.0)
    star = Spectrum(spectral_axis=wave * u.AA, flux=np.ones(len(wave)) * u.Jy, meta={"teff": 5800.0})
    with pytest.raises(DataError, match="medium"):
        Sources.from_spectra([star])
    star.meta["medium"] = "vacuum"
    sources = Sources.from_spectra([star, star])
    assert sources.labels["teff"].tolist() == [5800.0, 5800.0]
    slope = np.polyfit(np.log(SOURCE_GRID[200:-200]), np.log(sources.flux[0, 200:-200]), 1)[0]
    assert slope == pytest.approx(-2.0, abs=0.01)


def test_only_like_sources_are_joined():
    two = Sources.concatenate([STARS[:2], STARS[5:6]])
    assert len(two) == 3 and list(two.id) == [*STARS.id[:2], STARS.id[5]]
    with pytest.raises(DataError, match="one grid"):
        Sources.concatenate([STARS, _line()])


def test_analytic_stars_follow_the_trends_of_real_ones():
    stars = analytic_stars(400, seed=0)
    teff = stars.labels["teff"]

    def depth(centre, half, side):
        inside = np.abs(SOURCE_GRID - centre) < half
        beside = (np.abs(SOURCE_GRID - centre) > side) & (np.abs(SOURCE_GRID - centre) < 2 * side)
        return 1 - stars.flux[:, inside].mean(1) / np.median(stars.flux[:, beside], axis=1)

    blue = stars.flux[:, SOURCE_GRID < 4500].mean(1) / stars.flux[:, SOURCE_GRID > 8000].mean(1)
    assert np.corrcoef(np.log(teff), np.log(blue))[0, 1] > 0.9
    balmer = depth(6564.6, 4, 60)
    assert 8000 < np.median(teff[np.argsort(balmer)[-40:]]) < 11500
    band = depth(7080, 20, 150)
    assert band[teff < 3800].mean() > 0.2 > 5 * np.abs(band[teff > 5500]).mean()


def test_typical_stars_look_like_real_ones(shared_data):
    real = libraries.miles(shared_data)
    labels = np.stack([real.labels[name] for name in ("teff", "logg", "fe_h")])
    chosen = np.isfinite(labels).all(0) & (labels[0] > 4000) & (labels[0] < 8000) & (labels[2] > -1)
    made = spectra(*labels[:, chosen])
    inside = (SOURCE_GRID > 3900) & (SOURCE_GRID < 7300)
    away = np.log(made[:, inside]) - np.log(real.flux[chosen][:, inside].clip(1e-4))
    away -= np.median(away, axis=1, keepdims=True)
    assert np.median(np.abs(away)) < 0.04



def test_typical_stars_are_reproducible_and_have_plausible_labels():
    stars = typical_stars(400, seed=3)
    assert np.array_equal(stars.flux, typical_stars(400, seed=3).flux) and np.isfinite(stars.flux).all()
    assert (stars.flux > 0).all() and not np.array_equal(stars.flux, typical_stars(400, seed=4).flux)
    teff, logg = stars.labels["teff"], stars.labels["logg"]
    assert teff.min() > 3600 and teff.max() < 8600 and (teff[logg < 3] < 5100).all()


def test_a_night_is_reproducible_and_knows_its_truth():
    first, second = (night(["lamost-lrs", "gaia-xp"], n=5, seed=4) for _ in range(2))
    for name in first.seen:
        np.testing.assert_array_equal(first.seen[name].value, second.seen[name].value)
        assert first.clean[name].shape == first.seen[name].value.shape


def test_gaps_are_filled_from_the_star_that_looks_alike_without_a_jump():
    half = STARS.flux.copy()
    mask = np.broadcast_to(SOURCE_GRID > 7400, half.shape).copy()
    cut = Sources(SOURCE_GRID, np.where(mask, 0, 2.0 * half), mask, {}, [f"cut-{k}" for k in range(40)],
                  STARS.resolution)
    filled, rms = libraries.extend(cut, STARS)
    inside = SOURCE_GRID < 11100
    np.testing.assert_allclose(filled.flux[:, inside], 2.0 * half[:, inside], rtol=0.02)
    assert rms.max() < 1e-3


def test_stars_are_brought_to_rest():
    reference = analytic_stars(20, seed=9)
    shift = np.array([-6, 0, 5])
    moved = Sources(SOURCE_GRID, np.stack([np.roll(reference.flux[k], s) for k, s in enumerate(shift)]),
                    np.zeros((3, len(SOURCE_GRID)), bool), {}, ["a", "b", "c"], reference.resolution)
    rest = libraries.to_rest(moved, reference)
    np.testing.assert_allclose(rest.flux[:, 100:-100], reference.flux[:3, 100:-100], rtol=1e-5)


@pytest.mark.parametrize(("name", "kind"), [("G8V (75732)", 58), ("B9.5V+... (37269)", 29.5), ("M0III (168720)", 70),
                                            ("Carbon", np.nan), ("A4p (G_37-26)", np.nan), ("WDhotter", np.nan)])
def test_class_names_become_numbers(name, kind):
    np.testing.assert_equal(libraries.numeric_type(name), kind)


def test_real_libraries_are_read(shared_data):
    miles = libraries.miles(shared_data)
    assert len(miles) == 729 and np.isfinite(miles.labels["teff"]).sum() == 726
    inside = (SOURCE_GRID > 3600) & (SOURCE_GRID < 7390)
    assert miles.mask[:, ~((SOURCE_GRID > 3530) & (SOURCE_GRID < 7420))].all()
    assert miles.mask[:, inside].mean() < 0.01
    kurucz = libraries.kurucz(shared_data)
    assert len(kurucz) == 89 and kurucz.labels["teff"].min() == 5000
    sun = kurucz.flux[np.argmin(np.abs(kurucz.labels["teff"] - 5750) + np.abs(kurucz.labels["fe_h"]))]
    near = np.abs(SOURCE_GRID - 6564.6) < 10
    assert SOURCE_GRID[near][sun[near].argmin()] == pytest.approx(6564.6, abs=0.6)


def test_a_missing_library_is_named(tmp_path):
    from astrofm.errors import ReadError

    with pytest.raises(ReadError, match=r"miles\.npz is missing"):
        libraries.miles(tmp_path)
