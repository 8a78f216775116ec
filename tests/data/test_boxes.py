"""Boxes: transits that no Fourier series sees, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from astrofm.data import Batch, find_boxes
from astrofm.errors import DataError


@pytest.fixture
def transits():
    random = np.random.default_rng(0)
    days = np.tile(np.arange(0, 27, 30 / 1440), (3, 1))
    period, epoch = np.array([3.3, 2.1, 5.7]), np.array([1.0, 0.4, 2.0])
    phase = (days - epoch[:, None] + 0.5 * period[:, None]) % period[:, None] - 0.5 * period[:, None]
    flux = 1000 * (1 - 0.01 * (np.abs(phase) < 0.06) + 0.002 * random.standard_normal(days.shape))
    error, meta = np.full(days.shape, 2, np.float32), {"id": [0, 1, 2], "unit": [""] * 3}
    batch = Batch("fake-photometer", days, flux.astype(np.float32), error, np.zeros(days.shape, bool), None, meta)
    return batch, period, epoch


def test_transits_are_found(transits):
    batch, period, epoch = transits
    found = find_boxes(batch, shortest=1.0)
    np.testing.assert_allclose(found.period, period, rtol=3e-3)
    np.testing.assert_allclose(found.epoch, epoch, atol=0.05)
    np.testing.assert_allclose(found.depth, 0.01, rtol=0.25)
    assert (found.depth_snr > 15).all() and (np.abs(found.duration - 0.1) < 0.06).all()


def test_magnitudes_and_fluxes_have_the_same_boxes(transits):
    batch, _, _ = transits
    magnitude = replace(batch, value=(20 - 2.5 * np.log10(batch.value)).astype(np.float32),
                        error=(1.0857 * batch.error / batch.value).astype(np.float32))
    one, two = find_boxes(batch, shortest=1.0), find_boxes(magnitude, shortest=1.0, magnitudes=True)
    np.testing.assert_allclose(two.period, one.period, rtol=3e-3)
    np.testing.assert_allclose(two.depth, one.depth, rtol=0.05)


def test_what_cannot_be_searched_is_nan_or_refused(transits):
    batch, _, _ = transits
    mask = batch.mask.copy()
    mask[0, 10:] = True
    assert np.isnan(find_boxes(replace(batch, mask=mask), shortest=2.0).period[0])
    with pytest.raises(DataError, match="frequencies, over most"):
        find_boxes(replace(batch, coordinate=batch.coordinate * 100))
    with pytest.raises(DataError, match="durations < shortest"):
        find_boxes(batch, shortest=0.1)
    with pytest.raises(DataError, match="magnitudes=True or False"):
        find_boxes(replace(batch, meta={}))
