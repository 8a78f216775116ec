"""The sets of pixels: arrays without gaps go to the whole lattice and back."""

import sys
from pathlib import Path

import numpy as np
import pytest
from astrofm_apogee.grid import CHIPS, GRID, PIXELS, expand, pixels_of, select
from hypothesis import given, settings
from hypothesis import strategies as st

from astrofm.data import Batch
from astrofm.errors import DataError

sys.path.insert(0, str(Path(__file__).parent))
from apogee_fakes import inside  # noqa: E402


def test_the_ranges_of_the_chips_add_up():
    for count, chips in CHIPS.items():
        place = pixels_of(count)
        assert len(place) == count == sum(last - first for first, last in chips) and (np.diff(place) > 0).all()
    np.testing.assert_array_equal(np.isin(np.arange(PIXELS), pixels_of(7514)), inside())
    assert set(pixels_of(7214)) < set(pixels_of(7514))


def test_the_ends_of_the_7514_pixels_are_the_published_ones():
    assert GRID[pixels_of(7514)[0]].round(1) == 15152.2 and (GRID[pixels_of(7514)[-1]] / 1e4).round(3) == 1.694


@settings(max_examples=25, deadline=None)
@given(count=st.sampled_from([7214, 7514, PIXELS]), n=st.integers(1, 3), seed=st.integers(0, 999))
def test_what_is_expanded_and_selected_again_is_the_same(count, n, seed):
    random = np.random.default_rng(seed)
    value, error = random.normal(1, 0.1, (n, count)).astype("f4"), random.uniform(0.01, 0.1, (n, count)).astype("f4")
    mask = random.random((n, count)) < 0.1
    batch = expand(value, error, mask, normalised=True)
    assert batch.value.shape == (n, PIXELS) and (~batch.mask).sum() == (~mask).sum()
    again = select(batch, count)
    np.testing.assert_array_equal(again.coordinate, GRID[pixels_of(count)])
    np.testing.assert_array_equal(again.mask, mask)
    np.testing.assert_array_equal(again.value, np.where(mask, 0, value))
    np.testing.assert_array_equal(again.error, np.where(mask, 0, error))


def test_pixels_without_a_number_or_an_error_are_masked():
    value, error = np.ones((1, 7214)), np.full((1, 7214), 0.1)
    value[0, 5], error[0, 6], error[0, 7] = np.nan, 0, np.inf
    batch = expand(value, error, normalised=False, meta={"id": ["a star"]})
    assert np.flatnonzero(select(batch, 7214).mask[0]).tolist() == [5, 6, 7]
    assert batch.meta == {"id": ["a star"], "normalised": [False]}


@pytest.mark.parametrize("count", [0, 7213, 7515, 8574, 8576, 3 * 4096])
def test_another_length_is_refused_with_the_three_there_are(count):
    with pytest.raises(DataError, match="8575.*7514.*7214"):
        expand(np.ones((2, count)), np.ones((2, count)), normalised=True)


def test_arrays_that_disagree_are_refused():
    for value, error, mask in ((np.ones(7514), np.ones(7514), None), (np.ones((2, 7514)), np.ones((1, 7514)), None),
                               (np.ones((2, 7514)), np.ones((2, 7514)), np.zeros(7514, bool))):
        with pytest.raises(DataError, match="share a shape"):
            expand(value, error, mask, normalised=True)


def test_only_whole_batches_of_apogee_are_cut():
    ones = np.ones((1, 10), "f4")
    for name in ("apogee", "lamost-lrs"):
        with pytest.raises(DataError, match="on its 8575 pixels"):
            select(Batch(name, np.arange(10.0), ones, ones, ones > 2, meta={"id": [""]}), 7514)


def test_the_published_wavelengths_are_pixels_of_the_lattice(shared_data):
    wave = np.load(shared_data / "apogee" / "apogee_wavelength.npz")["wavelength"]
    np.testing.assert_allclose(wave, GRID[pixels_of(7214)], rtol=1e-9)


def test_a_published_spectrum_on_7214_pixels_expands(shared_data):
    found, = (shared_data / "apogee").glob("spectrum_ap_id_*.npz")
    star = np.load(found)
    batch = expand(star["spectrum"][None], star["spec_err"][None], normalised=True)
    assert (~batch.mask).sum() > 6500 and 0.5 < np.median(batch.value[~batch.mask]) < 1.1
