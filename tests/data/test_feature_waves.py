"""Features of waves in ranges of periods, of second periods, and of what changes over days to years."""

from dataclasses import replace

import numpy as np
import pytest
from test_features import to_fluxes
from test_periods import curves, waves_of

from astrofm.data import curve_features
from astrofm.data import periodogram as periodograms
from astrofm.data.brightness import pack
from astrofm.data.periodogram import powers, scan
from astrofm.data.ranges import RANGES, Highest
from astrofm.data.slow import LAGS, running_mean, slow_features


def with_waves(batch, *waves):
    """Give light curves that are sums of sines, of ``(period, amplitude)``."""
    random = np.random.default_rng(5)
    value = 15 + sum(size * np.sin(2 * np.pi * (batch.coordinate / period + random.uniform(size=(len(batch), 1))))
                     for period, size in waves)
    return replace(batch, value=(value + batch.error * random.standard_normal(value.shape)).astype(np.float32))


def test_each_range_of_periods_has_its_own_strongest_wave():
    batch, _ = curves(6, points=400, span=1500.0, bands=1, noise=0.02)
    found = curve_features(with_waves(batch, (100.0, 0.3), (0.7, 0.1)))
    slow, fast = RANGES.index((60.0, 120.0)), RANGES.index((0.52, 0.95))
    for place, period, size in ((slow, 100.0, 0.3), (fast, 0.7, 0.1)):
        np.testing.assert_allclose(found[f"wave_period_{place:02d}"], np.log10(period), atol=0.01)
        np.testing.assert_allclose(found[f"wave_amplitude_{place:02d}"], np.log10(size), atol=0.1)
    np.testing.assert_allclose(found[f"wave_explained_{slow:02d}"], 0.9, atol=0.06)
    empty = RANGES.index((2.2, 6.0))
    assert (found[f"wave_amplitude_{empty:02d}"] < np.log10(0.15)).all(), "less than half of the wave beside it"
    np.testing.assert_allclose(found["wave_long_short"], np.log10(3), atol=0.15)


def test_the_second_period_is_that_of_the_weaker_wave():
    batch, _ = curves(6, points=400, span=1500.0, bands=1, noise=0.02)
    found = curve_features(with_waves(batch, (3.3, 0.3), (0.7, 0.1)))
    np.testing.assert_allclose(found["log_period"], np.log10(3.3), atol=1e-3)
    np.testing.assert_allclose(found["second_log_period"], np.log10(0.7), atol=1e-3)
    np.testing.assert_allclose(found["second_period_ratio"], np.log10(0.7 / 3.3), atol=2e-3)
    np.testing.assert_allclose(found["second_amplitude_ratio"], np.log10(1 / 3), atol=0.1)
    assert (found["second_explained"] > 0.7).all()
    single = curve_features(with_waves(batch, (3.3, 0.3)))
    assert (single["second_explained"] < 0.2).all() and (np.abs(single["residual_log_noise"]) < 0.15).all()
    assert (single["explained_1"] > 0.97).all() and (single["harmonic_r2"] < -1).all()
    assert (single["harmonic_turns"] >= 1).all()


def test_the_fast_part_is_the_curve_less_what_changes_over_years():
    batch, _ = curves(6, points=500, span=2400.0, bands=1, noise=0.02)
    found = curve_features(with_waves(batch, (1100.0, 1.0), (23.0, 0.05)))
    place = RANGES.index((15.0, 30.0))
    np.testing.assert_allclose(found[f"fast_period_{place:02d}"], np.log10(23), atol=0.01)
    np.testing.assert_allclose(found[f"fast_amplitude_{place:02d}"], np.log10(0.05), atol=0.1)
    assert (found["running_std_200"] > 0.8).all() and (found["rest_std_200"] < 0.5).all()


@pytest.mark.parametrize("chunk", [16384, 1024])
def test_the_highest_power_of_a_range_is_that_of_the_whole_periodogram(chunk, monkeypatch):
    batch, _ = curves(4, points=60, span=300.0)
    waves = waves_of(batch)
    step = 1 / (4 * waves.span)
    first, last = np.ones(4, np.int64), (1 / (0.1 * step)).astype(np.int64)
    whole = powers(waves, step, first, int(last.max()))
    monkeypatch.setattr(periodograms, "CHUNK", chunk)
    highest = Highest(step)
    scan(waves, step, first, last, 20, 8, highest)
    period = 1 / ((first[:, None] + np.arange(whole.shape[1])) * step[:, None])
    whole[period < 1 / (last * step)[:, None] - 1e-9] = -1
    for k, (short, long) in enumerate(RANGES):
        own = np.where((period > short) & (period <= long), whole, -1)
        there = own.max(1) >= 0
        assert (np.isfinite(highest.power[:, k]) == there).all()
        np.testing.assert_allclose(highest.power[there, k], own.max(1)[there], atol=1e-3)
        np.testing.assert_allclose(highest.period()[there, k], period[np.arange(4), own.argmax(1)][there], rtol=0.02)


def test_running_means_and_autocorrelation_are_those_of_the_definition():
    random = np.random.default_rng(0)
    days = np.sort(random.uniform(0, 900, (3, 300)), axis=1)
    days -= days[:, :1]
    value, there = np.cumsum(random.standard_normal((3, 300)), axis=1), np.ones((3, 300), bool)
    there[1, 200:] = False
    smooth = running_mean(np.where(there, days, 0), value, there * 1.0, 30)
    night = np.floor(days)
    found = slow_features(pack(days + 7000.25, value, np.ones_like(value), there))
    for row in range(3):
        own, cell = value[row, there[row]], night[row, there[row]]
        near = np.abs(cell[:, None] - cell) <= 15
        np.testing.assert_allclose(smooth[row, there[row]], (near * own).sum(1) / near.sum(1), rtol=1e-9, atol=1e-9)
        away = (own - own.mean()) / own.std()
        for low, high in LAGS:
            pairs = np.triu((np.abs(cell[:, None] - cell) >= low) & (np.abs(cell[:, None] - cell) <= high))
            assert pairs.sum() >= 20 or np.isnan(found[f"autocorrelation_{low}"][row])
            if pairs.sum() >= 20:
                mean = (np.outer(away, away) * pairs).sum() / pairs.sum()
                assert found[f"autocorrelation_{low}"][row] == pytest.approx(mean, abs=1e-3)


def test_years_of_unlike_means_show():
    batch, _ = curves(4, points=400, span=1400.0, bands=1, noise=0.05, shape=lambda phase: 0 * phase)
    year = (batch.coordinate / 365.25).astype(int)
    still = curve_features(batch, names=["season_range", "season_std", "season_change"])
    moved = curve_features(replace(batch, value=batch.value + (0.3 * (year == 1)).astype(np.float32)), names=list(still))
    np.testing.assert_allclose(moved["season_range"] - still["season_range"], 0.3, atol=0.03)
    assert (still["season_std"] < 0.3).all() and (moved["season_std"] > 0.7).all()
    short = curve_features(replace(batch, coordinate=batch.coordinate / 10), names=list(still))
    assert np.isnan(short["season_std"]).all(), "one year has no other"


def test_fluxes_have_the_waves_of_magnitudes():
    batch, _ = curves(5, points=300, noise=0.01)
    names = ["wave_amplitude_07", "wave_period_03", "running_std_200", "autocorrelation_20",
             "harmonic_log_amplitude", "double_odd", "residual_log_noise", "log_snr", "quantile_85"]
    expected, found = curve_features(batch, names=names), curve_features(to_fluxes(batch), names=names)
    for name in names:
        np.testing.assert_allclose(found[name], expected[name], atol=0.05, err_msg=name)


def test_searches_that_nobody_wants_are_not_made(monkeypatch):
    batch, _ = curves(3)
    monkeypatch.setattr("astrofm.data.peaks._scan", lambda *a: pytest.fail("a second periodogram"))
    monkeypatch.setattr("astrofm.data.features.slow_features", lambda *a: pytest.fail("a grid of days"))
    assert np.isfinite(curve_features(batch, names=["wave_amplitude_06", "fold_00", "explained_3", "std"])["fold_00"]).all()
