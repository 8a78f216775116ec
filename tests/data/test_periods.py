"""Periods: known ones are found, however the light curve is written, and few points are no error."""

import gzip
import io
import tarfile
import warnings
from dataclasses import replace

import numpy as np
import pytest
from astropy.timeseries import LombScargle, LombScargleMultiband

from astrofm.data import Batch, find_periods
from astrofm.data import periodogram as periodograms
from astrofm.data.harmonics import scores
from astrofm.data.nufft import fourier_sums
from astrofm.data.periodogram import powers, scan
from astrofm.data.series_fit import fit_series
from astrofm.data.waves import to_waves
from astrofm.errors import DataError


def saw(phase):
    """Rise fast and fall slowly, as a fundamental RR Lyrae does, in magnitudes."""
    return sum(np.sin(2 * np.pi * k * phase) / k**1.3 for k in range(1, 7)) / 2


def curves(count=12, points=120, span=400.0, bands=2, seed=0, shape=saw, noise=0.05, period=None):
    """Make light curves at night of known periods; a batch and the periods."""
    random = np.random.default_rng(seed)
    period = np.exp(random.uniform(np.log(0.2), np.log(20), count)) if period is None else np.full(count, period)
    days = np.sort(np.floor(random.uniform(0, span, (count, points))) + random.uniform(0, 0.3, (count, points)), axis=1)
    days -= days[:, :1]
    band = random.integers(0, bands, (count, points)).astype(np.int16)
    error = random.uniform(0.5, 1.5, (count, points)) * noise
    value = 15 + band + (1 - 0.3 * band) * shape((days / period[:, None] + random.uniform(size=(count, 1))) % 1)
    value = value + error * random.standard_normal(value.shape)
    value, error, mask = value.astype(np.float32), error.astype(np.float32), np.zeros(days.shape, bool)
    meta = {"id": list(range(count)), "unit": ["mag"] * count}
    return Batch("fake-photometer", days, value, error, mask, band, meta), period


def waves_of(batch):
    return to_waves(batch.coordinate, batch.value, batch.error, ~batch.mask, batch.band)


def test_sums_at_regular_frequencies_are_those_of_the_definition():
    random = np.random.default_rng(0)
    turns, values = random.uniform(-3, 3, (2, 300)), random.standard_normal((2, 3, 300))
    first = np.array([0, 12345])
    for count in (1, 50, 1001):
        found = fourier_sums(turns, values, first, count)
        for row in range(2):
            wave = np.exp(2j * np.pi * np.outer(turns[row], first[row] + np.arange(count)))
            assert np.abs(found[row] - values[row] @ wave).max() < 1e-4 * np.abs(values[row]).sum(1).max()


def test_one_band_is_lomb_and_scargle_with_a_floating_mean(monkeypatch):
    monkeypatch.setattr(periodograms, "RIDGE", 0.0)
    batch, _ = curves(3, bands=1)
    waves = waves_of(batch)
    step = 0.25 / waves.span
    power = powers(waves, step, np.array([1, 700, 9000]), 2000)
    for row, first in enumerate((1, 700, 9000)):
        used = waves.weight[row] > 0
        frequency = step[row] * (first + np.arange(2000))
        theirs = LombScargle(waves.days[row][used], waves.value[row][used], waves.weight[row][used] ** -0.5)
        np.testing.assert_allclose(power[row], theirs.power(frequency, method="slow"), atol=1e-3)


def test_several_bands_share_the_wave_and_not_the_mean(monkeypatch):
    monkeypatch.setattr(periodograms, "RIDGE", 0.0)
    batch, _ = curves(1, points=40, bands=3)
    waves = waves_of(batch)
    frequency = 0.0531 * (2 + np.arange(50))
    wave = 2 * np.pi * waves.days[0, :, None] * frequency
    means = (waves.band[0][:, None] == np.arange(3)).astype(float)
    root = np.sqrt(waves.weight[0])
    left = []
    for k in range(50):
        design = np.column_stack([np.cos(wave[:, k]), np.sin(wave[:, k]), means]) * root[:, None]
        left.append(np.linalg.lstsq(design, waves.value[0] * root)[1][0])
    found = powers(waves, np.array([0.0531]), np.array([2]), 50)
    np.testing.assert_allclose(found[0], 1 - np.array(left) / waves.variance()[0], atol=1e-3)


def test_nifty_ls_agrees():
    nifty = pytest.importorskip("nifty_ls")
    batch, _ = curves(1, bands=1)
    waves = waves_of(batch)
    step = 0.25 / waves.span
    found = powers(waves, step, np.array([4]), 4000)[0]
    frequency = step[0] * (4 + np.arange(4000))
    theirs = nifty.lombscargle(waves.days[0], waves.value[0], waves.weight[0] ** -0.5, fmin=frequency[0], fmax=frequency[-1],
                               Nf=4000, nthreads=1).power
    np.testing.assert_allclose(found, theirs, atol=5e-3)


def test_peaks_across_chunks_are_found_once(monkeypatch):
    batch, period = curves(2)
    waves = waves_of(batch)
    step, first = 0.25 / waves.span, np.array([4, 4])
    last = (25 / step).astype(int)
    whole = scan(waves, step, first, last, 10, 8)
    monkeypatch.setattr(periodograms, "CHUNK", 1000)
    parts = scan(waves, step, first, last, 10, 8)
    np.testing.assert_array_equal(whole[0][:, :5], parts[0][:, :5])
    assert all(len(set(row)) == 10 for row in whole[0])


def test_known_periods_are_found_with_honest_errors():
    batch, period = curves(40)
    found = find_periods(batch)
    right = np.abs(found.period / period - 1) < 1e-3
    assert right.mean() >= 0.95
    pull = ((found.period - period) / found.period_err)[right]
    assert 0.5 < np.sqrt(np.mean(pull**2)) < 2
    assert (found.log_fap < -5).all() and (found.explained > 0.9).all() and (found.harmonics > 2).all()


def test_noise_has_no_significant_period():
    batch, _ = curves(40, shape=lambda phase: 0 * phase)
    assert (find_periods(batch).log_fap < -2).sum() <= 2


def test_an_eclipsing_star_of_unlike_minima_has_its_whole_period():
    def eclipses(phase):
        deep, shallow = np.abs(phase - 0.5) / 0.05, np.minimum(phase, 1 - phase) / 0.05
        return np.exp(-0.5 * deep**2) + 0.4 * np.exp(-0.5 * shallow**2)

    batch, period = curves(12, points=300, shape=eclipses, noise=0.02)
    assert (np.abs(find_periods(batch).period / period - 1) < 1e-3).mean() > 0.8


def test_how_a_light_curve_is_written_does_not_matter():
    batch, _ = curves(6)
    expected = find_periods(batch)
    random = np.random.default_rng(1)
    order = random.permutation(batch.value.shape[1])
    shuffled = replace(batch, **{name: getattr(batch, name)[:, order] for name in
                                 ("coordinate", "value", "error", "mask", "band")})
    padded = replace(batch, **{name: np.pad(getattr(batch, name), ((0, 0), (0, 37)), constant_values=fill) for name, fill in
                               (("coordinate", 999.0), ("value", 0), ("error", 0), ("mask", True), ("band", 0))})
    renamed = replace(batch, band=(4 - 3 * batch.band).astype(np.int16))
    for other in (shuffled, padded, renamed, replace(batch, coordinate=batch.coordinate + 5.0)):
        found = find_periods(other)
        np.testing.assert_allclose(found.period, expected.period, rtol=1e-7)
        np.testing.assert_allclose(found.explained, expected.explained, rtol=1e-5)
    rows = random.permutation(6)
    np.testing.assert_allclose(find_periods(batch[rows]).period, expected.period[rows], rtol=1e-7)
    np.testing.assert_allclose(find_periods(batch, workers=2).period, expected.period, rtol=1e-12)


def test_scale_and_unit_do_not_matter():
    batch, _ = curves(6, noise=0.03)
    expected = find_periods(batch).period
    scaled = replace(batch, value=(batch.value - 15) * 1e-8, error=batch.error * np.float32(1e-8))
    np.testing.assert_allclose(find_periods(scaled).period, expected, rtol=1e-5)


def test_too_few_points_are_counted_and_no_error():
    batch, _ = curves(6)
    mask = batch.mask.copy()
    mask[0], mask[1, 1:], mask[2, 6:] = True, True, True
    value = batch.value.copy()
    value[3] = 15.0
    value[mask] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = find_periods(replace(batch, mask=mask, value=value))
    assert np.isnan(found.period[:4]).all() and np.isfinite(found.period[4:]).all()
    assert found.points.tolist() == [0, 1, 6, 120, 120, 120] and (found.harmonics[:4] == 0).all()
    empty = find_periods(batch[[]])
    assert len(empty) == 0


def test_the_range_is_kept():
    batch, _ = curves(8)
    found = find_periods(batch, shortest=0.3, longest=2.0)
    assert (found.period > 0.29).all() and (found.period < 2.0 + 1e-9).all()
    with pytest.raises(DataError, match="shortest < longest"):
        find_periods(batch, shortest=3, longest=2)
    with pytest.raises(DataError, match="share one grid"):
        find_periods(replace(batch, coordinate=batch.coordinate[0]))


def test_series_have_the_shape_that_was_put_in():
    batch, period = curves(4, points=400, bands=1, noise=0.005)
    waves = waves_of(batch)
    series = fit_series(waves, 1 / period + 3e-5, np.full(4, 6))
    np.testing.assert_allclose(series.frequency, 1 / period, rtol=1e-5)
    size = np.hypot(series.cosine, series.sine)
    np.testing.assert_allclose(size[:, 1:4] / size[:, :1], np.tile([2**-1.3, 3**-1.3, 4**-1.3], (4, 1)), rtol=0.05)


def test_evidence_prefers_no_more_harmonics_than_there_are():
    batch, period = curves(20, points=80, bands=1, noise=0.3, shape=lambda phase: np.sin(2 * np.pi * phase))
    score, left = scores(waves_of(batch), (1 / period)[:, None], 8)
    assert (score[:, 0].argmax(1) == 0).mean() > 0.7 and (np.diff(left[:, 0], axis=1) <= 1e-9).all()


def test_a_long_light_curve_takes_bounded_memory():
    import tracemalloc

    random = np.random.default_rng(0)
    peaks = {}
    for points in (50_000, 200_000):
        days = np.arange(points)[None] * 20 / 86400
        value = (np.sin(2 * np.pi * days / 0.7) + 0.1 * random.standard_normal((1, points))).astype(np.float32)
        batch = Batch("fake-photometer", days, value, np.full((1, points), 0.1, np.float32), np.zeros((1, points), bool))
        tracemalloc.start()
        found = find_periods(batch)
        peaks[points] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found.period[0] == pytest.approx(0.7, rel=1e-4)
    assert peaks[200_000] < 3e8


@pytest.fixture(scope="module")
def rr_lyrae(shared_data):
    folder = shared_data / "rr-lyrae"
    with gzip.open(folder / "S82_RRLyr_table2.dat.gz", "rt") as file:
        truth = {line.split()[0]: float(line.split()[2]) for line in file if not line.startswith("#")}
    rows, periods = [], []
    with tarfile.open(folder / "S82_RRLyr_table1.tar.gz") as archive:
        for member in archive.getmembers():
            if member.name.endswith(".dat") and len(rows) < 60:
                rows.append(np.loadtxt(io.BytesIO(archive.extractfile(member).read()), ndmin=2)[:, 2:].reshape(-1, 5, 3))
                periods.append(truth[member.name.split("/")[-1].removesuffix(".dat")])
    shape = (60, max(map(len, rows)) * 5)
    arrays = {name: np.zeros(shape) for name in ("coordinate", "value", "error")}
    mask, band = np.ones(shape, bool), np.zeros(shape, np.int16)
    for row, table in enumerate(rows):
        flat = table.reshape(-1, 3)
        for k, name in enumerate(("coordinate", "value", "error")):
            arrays[name][row, :len(flat)] = flat[:, k]
        mask[row, :len(flat)] = (flat[:, 1] < 0) | (flat[:, 1] > 90) | (flat[:, 2] <= 0) | (flat[:, 2] > 9)
        band[row, :len(flat)] = np.tile(np.arange(5), len(table))
    value, error = (arrays[name].astype(np.float32) for name in ("value", "error"))
    return Batch("stripe-82", arrays["coordinate"], value, error, mask, band, {"id": list(range(60))}), np.array(periods)


def test_real_rr_lyrae_have_their_periods(rr_lyrae):
    batch, period = rr_lyrae
    found = find_periods(batch)
    assert (np.abs(found.period / period - 1) < 1e-4).mean() > 0.9
    single = replace(batch, mask=batch.mask | (batch.band != 1))
    assert (np.abs(find_periods(single).period / period - 1) < 1e-4).mean() > 0.85


def test_astropy_finds_the_same_peak_of_real_stars(rr_lyrae):
    batch, period = rr_lyrae
    row = int(np.argmax((~batch.mask).sum(1)))
    good = ~batch.mask[row]
    days, value, error, band = (getattr(batch, name)[row][good] for name in ("coordinate", "value", "error", "band"))
    frequency = np.linspace(1 / period[row] - 0.01, 1 / period[row] + 0.01, 2001)
    theirs = LombScargleMultiband(days, value, band, error, nterms_base=1, nterms_band=0).power(frequency)
    assert find_periods(batch[[row]]).period[0] == pytest.approx(1 / frequency[theirs.argmax()], rel=2e-5)
