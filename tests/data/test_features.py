"""Features of light curves: what they mean, for magnitudes and fluxes alike, and what few or bad points do."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from test_periods import curves, saw

from astrofm.data import FEATURES, PORTABLE, Batch, colour_features, curve_features
from astrofm.data.brightness import to_asinh_magnitude
from astrofm.data.magnitudes import to_flux
from astrofm.errors import DataError, UnknownNameError

#: of the light-curve package (Malanchev et al. 2021), and ours
BOTH = {"StandardDeviation": "std", "Skew": "skew", "Kurtosis": "kurtosis", "Eta": "von_neumann", "StetsonK": "stetson_k",
        "ReducedChi2": "chi2", "Cusum": "cusum", "Median": "median"}


@pytest.fixture
def strict():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def to_fluxes(batch, zero_point=25.0):
    flux, error = to_flux(batch.value, batch.error, zero_point)
    return replace(batch, value=flux.astype(np.float32), error=error.astype(np.float32),
                   meta={**batch.meta, "unit": ["electron / s"] * len(batch)})


def test_every_feature_has_a_unit_and_a_description(strict):
    batch, _ = curves(3)
    found = curve_features(batch, bands=("g", "r"))
    assert list(found) == [*FEATURES, *colour_features(("g", "r"))]
    for name, feature in (FEATURES | colour_features(("g", "r"))).items():
        assert feature.name == name and feature.description and u.Unit(feature.unit) is not None
        assert found[name].shape == (3,) and found[name].dtype == np.float64
        assert name.startswith(("structure_", "autocorrelation_")) or np.isfinite(found[name]).all(), name


def test_they_are_those_of_the_light_curve_package():
    theirs = pytest.importorskip("light_curve")
    batch, _ = curves(5, bands=1)
    ours = curve_features(batch, names=list(BOTH.values()) + ["beyond_1_std", "trend", "range"])
    for row in range(5):
        columns = [np.ascontiguousarray(array[row], np.float64) for array in (batch.coordinate, batch.value, batch.error)]
        for name, own in BOTH.items():
            expected = getattr(theirs, name)()(*columns, sorted=True)[0]
            assert ours[own][row] == pytest.approx(expected, rel=1e-4, abs=1e-5), name
        assert ours["beyond_1_std"][row] == pytest.approx(theirs.BeyondNStd(1.0)(*columns, sorted=True)[0])
        assert ours["trend"][row] == pytest.approx(theirs.LinearTrend()(*columns, sorted=True)[0], rel=1e-3, abs=1e-8)
        assert ours["range"][row] == pytest.approx(2 * theirs.Amplitude()(*columns, sorted=True)[0], rel=1e-5)


def test_magnitudes_and_fluxes_of_a_star_have_the_same_features():
    batch, _ = curves(8, noise=0.01)
    expected = curve_features(batch, bands=("g", "r"))
    found = curve_features(to_fluxes(batch), bands=("g", "r"), zero_points=(25.0, 25.0))
    for name in ("median", "std", "amplitude_90", "skew", "log_period", "r21", "r31", "phi21_sin", "fold_00", "fold_12",
                 "colour_g_r", "amplitude_ratio_g_r", "rise_fraction", "period_amplitude"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0.02, atol=0.02, err_msg=name)
    bare = curve_features(to_fluxes(batch), bands=("g", "r"))
    assert np.isnan(bare["median"]).all() and np.isnan(bare["colour_g_r"]).all()
    np.testing.assert_allclose(bare["std"], found["std"], rtol=1e-6)
    np.testing.assert_allclose(bare["amplitude_ratio_g_r"], found["amplitude_ratio_g_r"], rtol=1e-5, atol=1e-6)


def test_colours_and_ratios_are_those_put_in():
    batch, _ = curves(8, points=300, noise=0.01)
    found = curve_features(batch, bands=("g", "r"))
    np.testing.assert_allclose(found["colour_g_r"], -1.0, atol=0.25)
    np.testing.assert_allclose(found["amplitude_ratio_g_r"], np.log10(1 / 0.7), atol=0.05)


def test_a_fast_rise_has_a_small_fraction_and_a_sine_half():
    rising, _ = curves(6, points=300, noise=0.01)
    sine, _ = curves(6, points=300, noise=0.01, shape=lambda phase: np.sin(2 * np.pi * phase))
    fast, even = (curve_features(one, names=["rise_fraction", "r21", "skew", "steepest_rise"]) for one in (rising, sine))
    turned = replace(rising, value=30 - rising.value)
    slow = curve_features(turned, names=["rise_fraction"])
    assert (np.abs(even["rise_fraction"] - 0.5) < 0.05).all() and (even["r21"] < 0.05).all() and (fast["r21"] > 0.3).all()
    np.testing.assert_allclose(fast["rise_fraction"] + slow["rise_fraction"], 1.0, atol=0.03)
    assert (np.abs(fast["rise_fraction"] - 0.5) > 0.2).all()


def test_unlike_minima_of_a_binary_show_at_the_double_period():
    def eclipses(depth):
        return lambda phase: np.exp(-0.5 * ((phase - 0.5) / 0.06) ** 2) + depth * np.exp(
            -0.5 * (np.minimum(phase, 1 - phase) / 0.06) ** 2)

    alike, period = curves(6, points=300, shape=eclipses(1.0), noise=0.01)
    found = curve_features(alike)
    assert (found["minima_difference"] < 0.1).all() and (found["minima_ratio"] > 0.9).all()
    assert (found["faint_width"] < 0.35).all() and (found["bright_width"] > 0.4).all()


def test_the_fold_begins_at_greatest_light_whatever_the_epoch():
    one, _ = curves(4, points=400, noise=0.02, bands=1, period=0.61, shape=saw)
    found = curve_features(one)
    fold = np.stack([found[f"fold_{k:02d}"] for k in range(24)], axis=1)
    double = np.stack([found[f"fold_double_{k:02d}"] for k in range(24)], axis=1)
    assert (fold.argmin(1) % 23 <= 1).all() and (double.argmax(1) % 12 <= 1).all() and (np.ptp(fold, axis=1) > 0.8).all()
    assert np.abs(fold - fold.mean(0)).max() < 0.15, "four stars of one shape and unlike epochs have one fold"
    np.testing.assert_allclose(found["fold_filled"], 1.0)


def test_how_a_light_curve_is_written_does_not_matter():
    batch, _ = curves(5)
    expected = curve_features(batch)
    order = np.random.default_rng(0).permutation(batch.value.shape[1])
    columns = ("coordinate", "value", "error", "mask", "band")
    shuffled = replace(batch, **{name: getattr(batch, name)[:, order] for name in columns})
    padded = replace(batch, **{name: np.pad(getattr(batch, name), ((0, 0), (0, 30)), constant_values=name == "mask")
                               for name in columns})
    for other in (shuffled, padded):
        found = curve_features(other)
        for name in FEATURES:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    rows = [3, 0, 4]
    part = curve_features(batch[rows])
    np.testing.assert_allclose(part["fold_03"], expected["fold_03"][rows], rtol=1e-6)


def test_masked_points_do_not_count():
    batch, _ = curves(4)
    mask = np.random.default_rng(0).random(batch.mask.shape) < 0.3
    wild = replace(batch, value=np.where(mask, np.float32(1e30), batch.value), mask=mask)
    calm = replace(batch, value=np.where(mask, np.float32(0), batch.value), error=np.where(mask, 0, batch.error), mask=mask)
    first, second = curve_features(wild), curve_features(calm)
    for name in FEATURES:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


def test_negative_flux_counts_and_is_counted(strict):
    random = np.random.default_rng(0)
    flux = random.normal(1.0, 2.0, (3, 200)).astype(np.float32)
    batch = Batch("fake-photometer", np.sort(random.uniform(0, 90, (3, 200))), flux, np.full((3, 200), 2, np.float32),
                  np.zeros((3, 200), bool), None, {"id": [0, 1, 2], "unit": ["", "", ""]})
    found = curve_features(batch)
    np.testing.assert_allclose(found["negative"], (flux <= 0).mean(1))
    assert (found["points"] == 200).all() and (found["chi2"] > 0.3).all() and np.isfinite(found["std"]).all()
    bright = curve_features(replace(batch, value=flux + 100))
    assert (bright["negative"] == 0).all()


def test_soft_magnitudes_of_bright_stars_are_magnitudes():
    flux, error = np.array([[100.0, 1000.0, -3.0, 0.0]]), np.ones((1, 4))
    good = np.ones((1, 4), bool)
    magnitude, spread = to_asinh_magnitude(flux, error, good, None, [25.0])
    np.testing.assert_allclose(magnitude[0, :2], 25 - 2.5 * np.log10(flux[0, :2]), atol=2e-4)
    np.testing.assert_allclose(spread[0, :2], 2.5 / np.log(10) / flux[0, :2], rtol=1e-3)
    assert magnitude[0, 2] > magnitude[0, 3] > magnitude[0, 0] and np.isfinite(spread).all()


def test_few_points_are_nan_and_counts(strict):
    batch, _ = curves(6, points=40)
    mask = batch.mask.copy()
    mask[0], mask[1, 1:], mask[2, 2:], mask[3, 5:] = True, True, True, True
    value = batch.value.copy()
    value[4] = 15.0
    found = curve_features(replace(batch, mask=mask, value=value), bands=("g", "r"))
    assert found["points_all"].tolist() == [0, 1, 2, 5, 40, 40]
    assert np.isnan(found["median"][0]) and found["median"][1] == value[1, 0] and np.isnan(found["std"][:2]).all()
    assert np.isnan(found["log_period"][:5]).all() and np.isfinite(found["log_period"][5])
    assert np.isfinite(found["std"][5])
    assert all(len(column) == 0 for column in curve_features(batch[[]]).values())


def test_only_what_is_wanted_is_computed(monkeypatch):
    batch, _ = curves(3)
    monkeypatch.setattr("astrofm.data.features.periods_of", lambda *a, **k: pytest.fail("a period was searched"))
    assert list(curve_features(batch, names=["std", "skew"])) == ["std", "skew"]
    with pytest.raises(UnknownNameError, match="did you mean 'skew'"):
        curve_features(batch, names=["skewn"])
    with pytest.raises(DataError, match="magnitudes=True or False"):
        curve_features(replace(batch, meta={}))
    with pytest.raises(DataError, match="share one grid"):
        curve_features(replace(batch, coordinate=batch.coordinate[0]))


def test_portable_features_do_not_say_how_well_a_star_was_observed():
    batch, _ = curves(6, points=200, noise=0.05)
    poor = replace(batch, error=3 * batch.error)  # the same points, said to be worse
    first, second = curve_features(batch), curve_features(poor)
    told = {name for name in FEATURES if not np.allclose(first[name], second[name], rtol=1e-3, atol=1e-3, equal_nan=True)}
    assert {"mean_error", "median_error", "chi2", "log_snr"} <= told - set(PORTABLE)
    assert set(PORTABLE) < set(FEATURES) and not {"points", "time_base", "cadence", "median"} & set(PORTABLE)
    assert list(curve_features(batch, names=PORTABLE)) == list(PORTABLE)
