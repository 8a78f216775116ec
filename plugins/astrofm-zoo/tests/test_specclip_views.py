"""What SpecCLIP sees of a spectrum: the published continuum and grids, once, and on the right pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astrofm_zoo.specclip.continuum import published_continuum
from astrofm_zoo.specclip.encoder import SpecCLIPEncoder
from astrofm_zoo.specclip.views import bridge, lrs_grid, lrs_view, xp_grid, xp_view
from astropy.io import fits

from astrofm.data import Batch, collate
from astrofm.errors import DataError
from astrofm.registry import get_instrument
from astrofm.testing import EncoderTests

SMALL = {"dim": 48, "depth": 2, "heads": 4}


class TestLRS(EncoderTests):
    name = "specclip"
    without_gradient = ("lrs.trunk.leave",)
    arguments = {"lrs": SMALL}


class TestXP(EncoderTests):
    name = "specclip"
    without_gradient = ("xp.widen", "xp.up", "xp.leave")
    arguments = {"xp": {"dim": 32, "hidden": 48}}


class TestXPTransformer(EncoderTests):
    name = "specclip"
    without_gradient = ("xp.trunk.leave",)
    arguments = {"xp": SMALL, "xp_kind": "transformer"}


def real(shared_data, names):
    return [shared_data / "lamost-lrs" / str(name) for name in names]


def test_the_published_continuum_of_real_stars_hot_and_cool(shared_data):
    with np.load(shared_data / "oracles" / "specclip" / "oracle.npz", allow_pickle=False) as oracle:
        for row, path in enumerate(real(shared_data, oracle["lamost_files"])):
            with fits.open(path) as hdus:
                header, flux = hdus[0].header, hdus[0].data[0].astype(float)
            wave = 10 ** (header["COEFF0"] + header["COEFF1"] * np.arange(len(flux)))
            found = published_continuum(torch.from_numpy(wave), torch.from_numpy(flux[None]))[0].numpy()
            assert np.abs(found - oracle["continuum"][row]).max() < 1e-6 * np.median(np.abs(flux))
            pixels = np.interp(np.log10(lrs_grid().numpy()), np.log10(wave), flux / found)
            assert np.abs(pixels - oracle["lrs_input"][row]).max() < 1e-5 * np.abs(pixels).max()


def test_real_files_are_seen_as_the_published_code_sees_them_but_for_masked_pixels(shared_data):
    with np.load(shared_data / "oracles" / "specclip" / "oracle.npz", allow_pickle=False) as oracle:
        batch, = get_instrument("lamost-lrs").read_batches(real(shared_data, oracle["lamost_files"]), size=9)
        seen, expected = lrs_view(batch.tensors()).numpy(), oracle["lrs_input"]
    away = np.abs(seen - expected)
    assert (np.median(away, axis=1) < 0.015).all() and (np.median(away[[0, 2, 3]], axis=1) < 0.003).all()


def lamost(count=3):
    instrument = get_instrument("lamost-lrs")
    return collate([instrument.sample(instrument.example(seed)) for seed in range(count)])


def xp(count=3):
    instrument = get_instrument("gaia-xp")
    return collate([instrument.sample(instrument.example(seed)) for seed in range(count)])


def test_the_views_have_the_published_grids():
    assert len(lrs_grid()) == 1462 and len(xp_grid()) == 343
    assert (float(lrs_grid()[0]), float(lrs_grid()[-1])) == pytest.approx((3999.4, 5598.9), abs=0.1)
    assert float(xp_grid()[107]) == 5500.0 and float(xp_grid()[-1]) == 10200.0
    assert lrs_view(lamost().tensors()).shape == (3, 1462)
    seen = xp_view(xp().tensors())
    assert seen.shape == (3, 343) and torch.allclose(seen[:, 107], torch.ones(3))


def test_desi_on_the_right_number_of_pixels_of_the_wrong_grid_is_refused():
    wave = np.linspace(3700, 9100, 1462)
    flux = np.ones((1, 1462), np.float32)
    batch = Batch("lamost-lrs", wave, flux, 0.01 * flux, np.zeros((1, 1462), bool), meta={"id": ["desi"]})
    with pytest.raises(DataError, match="LAMOST's own pixels.*has 1462 wavelengths, 3700.0-9100.0.*neither resampled"):
        SpecCLIPEncoder(lrs=SMALL).embed(batch)


def test_a_spectrum_that_is_divided_by_its_continuum_is_refused():
    batch = lamost()
    tensors = batch.tensors()
    divided = tensors.value / published_continuum(tensors.coordinate, bridge(tensors.coordinate, tensors.value.double(),
                                                                             tensors.mask))
    with pytest.raises(DataError, match="star 0 of the batch: the continuum of the spectrum is 1 everywhere"):
        lrs_view(replace(tensors, value=divided.float()))


def test_real_flux_is_never_taken_for_divided_and_mostly_noticed_once_it_is(shared_data):
    paths = sorted((shared_data / "lamost-lrs").glob("spec-*.fits"))[:60]
    batch = next(get_instrument("lamost-lrs").read_batches(paths, size=60)).tensors()
    flux = bridge(batch.coordinate, batch.value.double(), batch.mask)
    curve = published_continuum(batch.coordinate, flux)
    level = flux.median(dim=1, keepdim=True).values
    lrs_view(replace(batch, value=(flux / level).float()))
    noticed = 0
    for row in range(len(batch.value)):
        try:
            lrs_view(replace(batch, value=(flux / curve).float()[row: row + 1], error=batch.error[row: row + 1],
                             mask=batch.mask[row: row + 1], meta={}))
        except DataError:
            noticed += 1
    assert noticed > 30


def test_xp_that_is_divided_or_on_another_grid_is_refused():
    batch = xp().tensors()
    with pytest.raises(DataError, match="the flux at 550 nm is 1"):
        xp_view(replace(batch, value=batch.value / batch.value[:, 107:108]))
    with pytest.raises(DataError, match="336-1020 nm in steps of 2 nm"):
        xp_view(replace(batch, coordinate=batch.coordinate + 5.0))


def test_masked_pixels_are_bridged():
    value = torch.tensor([[1.0, 99, 3, 99, 99, 6, 99], [99, 99, 5, 99, 99, 99, 99], [99.0] * 7])
    mask = value == 99
    found = bridge(torch.arange(7, dtype=torch.float64), value, mask)
    assert found.tolist() == [[1, 2, 3, 4, 5, 6, 6], [5] * 7, [0] * 7]


def test_other_instruments_are_refused():
    with pytest.raises(DataError, match="embeds lamost-lrs, not 'gaia-xp'"):
        SpecCLIPEncoder(lrs=SMALL).embed(xp())


class TestTokenMean:
    def test_it_pools_and_says_that_it_cannot_decode(self):
        from astrofm_zoo.specclip.aligner import TokenMean

        tokens = torch.randn(2, 5, 8)
        part = TokenMean(source_dim=8)
        assert torch.allclose(part.align(tokens, "any"), tokens.mean(1))
        with pytest.raises(DataError, match="has no decoder"):
            part.decode(part.align(tokens, "any"), torch.tensor([5000.0]), "any", source="any")
