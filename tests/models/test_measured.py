"""Spectra go into requests and come out of them by name."""

import numpy as np
import pytest
import torch
from astropy import units as u
from specutils import SpectrumList

from astrofm.compat import Spectrum
from astrofm.data import band_means, collate
from astrofm.errors import DataError, UnknownNameError
from astrofm.models import Model
from astrofm.nn.asking import AskedNames, AskedNumbers
from astrofm.nn.quantities import NamedQuantities

BANDS = np.array([[4000.0, 4300.0], [4300.0, 4700.0], [4700.0, 5200.0]])
REFERENCE = (4500.0, 4600.0)
QUANTITIES = [{"name": "teff", "unit": "K", "centre": 5000.0, "spread": 500.0},
              *({"name": f"w{k}", "unit": "", "centre": 1.0, "spread": 0.3, "low": 0.2, "high": 3.0, "spectrum": "wide",
                 "band": band.tolist(), "reference": list(REFERENCE)} for k, band in enumerate(BANDS)),
              {"name": "mass", "unit": "solMass", "centre": 0.0, "spread": 0.2, "log": True}]


@pytest.fixture
def generalist(instruments):
    torch.manual_seed(3)
    encoder = NamedQuantities(quantities=QUANTITIES, dim=16, heads=[4], hidden=[32], dropout=0.0)
    head = AskedNumbers(dim=16 * len(QUANTITIES), labels=QUANTITIES, hidden=[16])
    return Model(encoder, AskedNames(source_dim=16, asked=len(QUANTITIES), heads=[4], hidden=[32]), {"labels": head},
                 card={"name": "toy"})


def measure(batch):
    return band_means(np.asarray(batch.coordinate), batch.value, batch.error, batch.mask, BANDS, reference=REFERENCE)


def test_a_spectrum_is_the_numbers_of_its_bands(generalist, instruments):
    spectra = [instruments["wide"].example(seed) for seed in range(3)]
    bands, _, _ = measure(collate([instruments["wide"].sample(one) for one in spectra]))
    by_spectrum = generalist.request({"wide": spectra, "teff": [5000, 5100, 5200]}, ["mass", "w0"])
    by_number = generalist.request({"w": bands, "teff": [5000, 5100, 5200]}, ["mass", "w0"])
    np.testing.assert_allclose(by_spectrum["mass"].value, by_number["mass"].value, rtol=1e-5)
    assert by_spectrum["id"].tolist() == ["example-0", "example-1", "example-2"]
    np.testing.assert_array_equal(generalist.request({"w": spectra}, ["mass"])["mass"],
                                  generalist.request({"wide": spectra}, ["mass"])["mass"])


def test_files_of_spectra_are_read(generalist, instruments, tmp_path):
    (tmp_path / "a").write_text("WIDE 1 2")
    (tmp_path / "b").write_text("WIDE x")
    found = generalist.request({"wide": tmp_path / "a"}, ["mass"])
    spectra = [instruments["wide"].example(seed) for seed in (1, 2)]
    np.testing.assert_array_equal(found["mass"], generalist.request({"wide": spectra}, ["mass"])["mass"])
    with pytest.raises(DataError, match="star 0 .*b.*: .* damaged"):
        generalist.request({"wide": tmp_path / "b"}, ["mass"])


def test_a_spectrum_comes_back_on_the_scale_it_was_given_on(generalist, instruments):
    spectrum = instruments["wide"].example(4)
    brighter = Spectrum(spectral_axis=spectrum.spectral_axis, flux=7 * spectrum.flux,
                        uncertainty=type(spectrum.uncertainty)(7 * spectrum.uncertainty.array), meta=spectrum.meta)
    one, seven = (generalist.request({"wide": star}, "wide") for star in (spectrum, brighter))
    assert isinstance(one, Spectrum) and one.flux.shape == (3,) and one.meta["id"] == "example-4"
    np.testing.assert_allclose(seven.flux.value, 7 * one.flux.value, rtol=1e-4)
    np.testing.assert_allclose(seven.uncertainty.array, 7 * one.uncertainty.array, rtol=1e-4)
    np.testing.assert_allclose(one.spectral_axis.to_value(u.AA), BANDS.mean(axis=1))
    several = generalist.request({"wide": [spectrum, brighter]}, ["wide"])
    assert isinstance(several, SpectrumList)
    for a, b in zip(several, (one, seven), strict=True):
        np.testing.assert_allclose(a.flux.value, b.flux.value, rtol=1e-4)


def test_without_a_spectrum_fluxes_are_relative(generalist):
    found = generalist.request({"teff": [4800, 5200]}, "wide")
    assert [one.flux.unit for one in found] == [u.dimensionless_unscaled] * 2 and found[0].flux.shape == (3,)


def test_spectra_are_columns_beside_quantities(generalist, instruments):
    table = generalist.request({"teff": [4800, 5200]}, ["mass", "wide", "wide_err", "teff"])
    assert table.colnames == ["id", "mass", "mass_err", "wide", "wide_err", "teff", "teff_err", "flags"]
    assert table["wide"].shape == (2, 3) and table.meta["wavelengths"] == {"wide": BANDS.mean(axis=1).tolist()}
    alone = generalist.request({"teff": [4800, 5200]}, "wide")
    np.testing.assert_allclose(table["wide"], [one.flux.value for one in alone], rtol=1e-6)
    np.testing.assert_allclose(table["mass"].value, generalist.request({"teff": [4800, 5200]}, ["mass"])["mass"].value,
                               rtol=1e-5)


def test_parts_without_data_are_absent(generalist, instruments):
    spectrum = instruments["wide"].example(1)
    red = spectrum.spectral_axis > 4300 * u.AA
    half = Spectrum(spectral_axis=spectrum.spectral_axis, flux=np.where(red, spectrum.flux, np.nan),
                    uncertainty=spectrum.uncertainty, mask=~red, meta=spectrum.meta)
    bands, _, _ = measure(collate([instruments["wide"].sample(spectrum)]))
    found = generalist.request({"wide": half}, ["mass"])
    expected = generalist.request({"w1": bands[0, 1], "w2": bands[0, 2]}, ["mass"])
    np.testing.assert_allclose(found["mass"].value, expected["mass"].value, rtol=1e-5)


def test_a_spectrum_without_the_band_of_reference_is_flagged(generalist, instruments):
    spectrum = instruments["wide"].example(1)
    lost = (spectrum.spectral_axis > 4490 * u.AA) & (spectrum.spectral_axis < 4610 * u.AA)
    holed = Spectrum(spectral_axis=spectrum.spectral_axis, flux=spectrum.flux, uncertainty=spectrum.uncertainty, mask=lost,
                     meta=spectrum.meta)
    flags = generalist.request({"wide": [spectrum, holed], "teff": [5000, 5000]}, ["mass"])["flags"].tolist()
    assert "no-reference-flux:wide" in flags[1] and "no-reference-flux" not in flags[0]


def test_a_spectrum_most_of_which_is_out_of_range_has_one_flag(generalist):
    flags = generalist.request({"w": [[9.0, 9.0, 1.0], [1.0, 1.0, 1.0]]}, ["teff"])["flags"].tolist()
    assert "outside-range:wide" in flags[0] and "outside-range:w0" not in flags[0] and "wide" not in flags[1]


def test_what_has_no_name_is_told_its_name(generalist, instruments):
    with pytest.raises(DataError, match="says no names: .*'wide': spectrum"):
        generalist.request(instruments["wide"].example(0), ["mass"])
    with pytest.raises(UnknownNameError, match="'wide'"):
        generalist.request({"teff": 5000}, ["wid"])


@pytest.mark.parametrize(("given", "wanted", "words"), [
    (lambda i: {"wide": i["coarse"].example(0)}, ["mass"], "seen by 'coarse'"),
    (lambda i: {"wide": i["wide"].example(0), "w1": 1.0}, ["mass"], "'w1' is given twice"),
    (lambda i: {"wide": [i["wide"].example(0)] * 2, "teff": [1.0, 2, 3]}, ["mass"], "wide 2|w0 2"),
    (lambda i: {"teff": 5000.0}, ["wide", "w1"], "'w1' is asked for twice"),
    (lambda i: {"teff": 5000.0}, ["wide", "w"], "asked for twice"),
])
def test_what_does_not_fit_is_refused(given, wanted, words, generalist, instruments):
    with pytest.raises(DataError, match=words):
        generalist.request(given(instruments), wanted)


def test_bands_are_means_over_what_has_data():
    wave, value = np.arange(10.0), np.arange(10.0)[None].repeat(2, axis=0)
    error, mask = np.full((2, 10), 0.5), np.zeros((2, 10), bool)
    mask[1, :4] = True
    mean, spread, scale = band_means(wave, value, error, mask, [[0, 4], [4, 8]], reference=(8, 10))
    np.testing.assert_allclose(mean, np.array([[1.5, 5.5], [np.nan, 5.5]]) / 8.5)
    np.testing.assert_allclose(spread[0], 0.5 / 8.5)
    np.testing.assert_allclose(scale, 8.5)
    with pytest.raises(DataError, match="no pixel lies between 20 and 30"):
        band_means(wave, value, error, mask, [[20, 30]])
