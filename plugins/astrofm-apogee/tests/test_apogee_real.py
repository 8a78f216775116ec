"""The real files, where they are there: against astropy.io.fits, and against each other."""

import numpy as np
import pytest
from astrofm_apogee.grid import pixels_of
from astrofm_apogee.instrument import SCALE
from astropy.io import fits

import astrofm
from astrofm.registry import get_instrument, identify


@pytest.fixture
def instrument():
    return get_instrument("apogee")


@pytest.mark.parametrize(("folder", "product"), [("apstar", "apStar"), ("aspcap", "aspcapStar"), ("apvisit", "apVisit")])
def test_every_real_file_is_read_the_same_in_bulk_and_one_by_one(folder, product, shared_data, instrument):
    paths = sorted((shared_data / "apogee" / folder).glob("*.fits.gz"))
    batch, = instrument.read_batches(paths)
    assert batch.meta["product"] == [product] * len(paths)
    for row, path in enumerate(paths):
        assert identify(path) == "apogee" and batch.meta["id"][row] in path.name
        one = instrument.sample(astrofm.read(path)[0])
        for name in ("value", "error", "mask"):
            np.testing.assert_array_equal(getattr(one, name), getattr(batch, name)[row])
        assert (~batch.mask[row]).sum() > 4500


@pytest.mark.parametrize(("folder", "scale"), [("apstar", SCALE), ("aspcap", 1.0)])
def test_real_fluxes_and_errors_are_those_of_the_file(folder, scale, shared_data, instrument):
    paths = sorted((shared_data / "apogee" / folder).glob("*.fits.gz"))
    batch, = instrument.read_batches(paths)
    for row, path in enumerate(paths):
        good = ~batch.mask[row]
        with fits.open(path) as hdus:
            flux, error = (np.atleast_2d(hdus[k].data)[0] for k in (1, 2))
        np.testing.assert_allclose(batch.value[row][good], flux[good] * scale, rtol=1e-6)
        np.testing.assert_allclose(batch.error[row][good], error[good] * scale, rtol=1e-6)
        assert (error[good] < (10 * np.median(flux[good]) if scale != 1 else 1.01)).all()


def test_the_best_fit_of_real_files_is_on_the_7514_pixels(shared_data, instrument):
    for path in (shared_data / "apogee" / "aspcap").glob("*.fits.gz"):
        model = instrument.read(path)[0].meta["model"]
        np.testing.assert_array_equal(np.flatnonzero(model), pixels_of(7514))


def test_the_same_star_in_two_products_has_the_same_lines(shared_data, instrument):
    star, = (shared_data / "apogee" / "apstar").glob("*2M13564148+4342587*")
    ratio, = (shared_data / "apogee" / "aspcap").glob("*2M13564148+4342587*")
    batch, = instrument.read_batches([star, ratio])
    both = ~batch.mask.any(0)
    both[: 6344] = both[8335:] = False
    shape = batch.value[0][both] / np.median(batch.value[0][both])
    smooth = np.polynomial.Polynomial.fit(np.arange(both.sum()), shape / batch.value[1][both], 4)(np.arange(both.sum()))
    assert np.std(shape / smooth / batch.value[1][both]) < 0.01
    assert batch.meta["h"][0] == batch.meta["h"][1]
    assert batch.meta["vhelio"][0] == pytest.approx(batch.meta["vhelio"][1], abs=0.01)


def test_real_visits_are_one_for_each_that_the_header_counts(shared_data, instrument):
    for path in (shared_data / "apogee" / "apstar").glob("*.fits.gz"):
        visits = instrument.read_visits(path)
        assert len(visits) == instrument.read(path)[0].meta["n_visits"]
        assert [visit.meta["visit"] for visit in visits] == list(range(1, len(visits) + 1))


def test_the_level_of_real_spectra_is_that_of_the_h_magnitude(shared_data, instrument):
    batch, = instrument.read_batches(sorted((shared_data / "apogee" / "apstar").glob("*.fits.gz")))
    for row, magnitude in enumerate(batch.meta["h"]):
        level = np.median(batch.value[row][~batch.mask[row]])
        assert level == pytest.approx(1.133e-10 * 10 ** (-0.4 * magnitude), rel=0.1)


def test_the_sky_of_a_real_visit_is_where_the_laboratory_has_it(shared_data):
    path = sorted((shared_data / "apogee" / "apvisit").glob("*.fits.gz"))[0]
    with fits.open(path) as hdus:
        sky, wave = hdus[5].data.ravel(), hdus[4].data.ravel()
        assert abs(hdus[0].header["BC"]) > 5
    for line in (15597.63, 16128.608, 16388.492, 16692.38):  # OH in vacuum, Rousselot et al. 2000, 2000A&A...354.1134R
        near = np.abs(wave - line) < 3
        weight = np.clip(sky[near] - np.median(sky), 0, None) ** 2
        shift = ((wave[near] * weight).sum() / weight.sum() / line - 1) * 299792.458
        assert abs(shift) < 0.3, "km/s: the wavelengths are the telescope's, not barycentric"
