"""What SpecCLIP sees of a spectrum: the published continuum and grids, once, and on the right pixels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from astrofm_zoo.specclip.aligner import TokenMean
from astrofm_zoo.specclip.continuum import published_continuum
from astrofm_zoo.specclip.encoder import SpecCLIPEncoder
from astrofm_zoo.specclip.views import bridge, lrs_grid, lrs_view, xp_grid, xp_view
from astropy import units as u
from astropy.io import fits
from astropy.nddata import StdDevUncertainty

import astrofm
from astrofm.compat import Spectrum
from astrofm.data import Batch, collate
from astrofm.errors import DataError
from astrofm.models import Model
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
    with pytest.raises(DataError, match="star 0 of the batch: it seems to be divided by its continuum already"):
        lrs_view(replace(tensors, value=divided.float()))


def refused(batch, value):
    """Count the stars that the view takes for divided, one by one."""
    count = 0
    for row in range(len(value)):
        one = replace(batch[row], value=value[row: row + 1])
        try:
            lrs_view(one.tensors())
        except DataError as error:
            assert "divided by its continuum already" in str(error)
            count += 1
    return count


def test_real_flux_on_any_scale_passes_and_normalised_flux_does_not(shared_data):
    paths = sorted((shared_data / "lamost-lrs").glob("spec-*.fits"))[::2]
    batch = next(get_instrument("lamost-lrs").read_batches(paths, size=len(paths)))
    wave = torch.from_numpy(batch.coordinate)
    flux = bridge(wave, torch.from_numpy(batch.value).double(), torch.from_numpy(batch.mask))
    scales = [flux.median(dim=1, keepdim=True).values] + [
        flux[:, (wave > low) & (wave < high)].median(dim=1, keepdim=True).values
        for low, high in ((4000, 5600), (5450, 5550), (5710, 6090))]
    assert refused(batch, batch.value) == 0
    for scale in scales:
        assert refused(batch, (flux / scale).numpy().astype(np.float32)) == 0
    assert refused(batch, (flux / published_continuum(wave, flux)).numpy().astype(np.float32)) > 0.85 * len(paths)
    rows, own = [], np.zeros_like(batch.value)
    for row, path in enumerate(paths):
        with fits.open(path) as hdus:
            header, data = hdus[0].header, hdus[0].data[2]
        if 0.9 < np.median(data) < 1.1:  # the survey's own normalisation, where the file has it
            start = round((header["COEFF0"] - 3.5682) / 1e-4)
            own[row, start: start + len(data)] = data
            rows.append(row)
    assert len(rows) > 50 and refused(batch[rows], own[rows]) == len(rows)


def test_the_models_own_pixels_are_not_the_surveys():
    example = get_instrument("lamost-lrs").example(0)
    wave = example.spectral_axis.to_value("AA")
    place = (np.log10(wave) - 3.602) / 1e-4
    batch = lamost(2)
    mask = batch.mask.copy()
    mask[1] |= (place < -0.5) | (place > 1461.5)
    with pytest.raises(DataError, match="star 1 of the batch: it has the 1462 pixels that this model cuts out, and no other"):
        lrs_view(replace(batch, mask=mask).tensors())


def test_flux_that_is_nowhere_positive_has_no_continuum_and_no_view():
    batch = lamost().tensors()
    value = batch.value.clone()
    value[1] = -0.1
    assert lrs_view(replace(batch, value=value)).isnan().all(dim=1).tolist() == [False, True, False]


@pytest.mark.parametrize(("name", "wave"), [
    ("lamost-lrs", np.linspace(3700, 9099, 3909)), ("lamost-lrs", np.linspace(4000, 5600, 1462)),
    ("lamost-lrs", 10 ** (3.602 + 1e-4 * np.arange(1462) + 3e-5)), ("gaia-xp", np.linspace(3600, 9800, 343))])
def test_a_spectrum_that_was_resampled_to_the_published_pixels_is_refused(name, wave):
    instrument = get_instrument(name)
    example = instrument.example(0)
    flux = np.interp(wave, example.spectral_axis.to_value("AA"), example.flux.value)
    spectrum = Spectrum(flux=flux * example.flux.unit, spectral_axis=wave * u.AA, meta={"instrument": name},
                        uncertainty=StdDevUncertainty(0.02 * flux))
    model = Model(SpecCLIPEncoder(lrs=SMALL, xp={"dim": 48, "hidden": 48}), TokenMean(source_dim=48), {}, card={
        "name": "mine", "instruments": ["lamost-lrs", "gaia-xp"], "license": "", "citation": "", "summary": "", "notes": ""})
    assert np.isfinite(model.embed(example)).all()
    with pytest.raises(DataError, match="not (LAMOST's own|the 343 published) pixels, and it was resampled"):
        model.embed(spectrum)


@pytest.mark.parametrize("folder", ["lamost-lrs", "lamost-lrs/other-fields", "lamost-lrs/releases"])
def test_no_real_spectrum_counts_as_resampled(folder, shared_data):
    paths = sorted(path for path in (shared_data / folder).glob("spec-*.fits*"))[::9]
    assert paths and not any(get_instrument("lamost-lrs").sample(astrofm.read(path)[0]).meta["resampled"] for path in paths)


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
