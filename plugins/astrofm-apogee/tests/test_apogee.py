"""APOGEE: every product gives the same star, bad pixels are masked, bulk reading agrees to the bit."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

import astrofm
from astrofm.compat import Spectrum, SpectrumList
from astrofm.data import collate
from astrofm.errors import AmbiguousError, ReadError
from astrofm.registry import get_instrument, identify
from astrofm.testing import InstrumentTests

sys.path.insert(0, str(Path(__file__).parent))
from apogee_fakes import (  # noqa: E402
    BAD,
    ID,
    KEPT,
    LAYOUTS,
    ON_LATTICE,
    WAVE,
    apstar,
    apvisit,
    aspcapstar,
    astra_table,
    good,
    inside,
    mwm,
    mwmvisit,
    rows,
    sdss5,
    single,
    spectrum,
)

FLUX_UNIT = u.Unit("1e-17 erg s-1 cm-2 AA-1")


class TestApogee(InstrumentTests):
    """The promises of every instrument."""

    name = "apogee"


@pytest.fixture
def instrument():
    return get_instrument("apogee")


@pytest.mark.parametrize("write", ON_LATTICE.values(), ids=ON_LATTICE)
def test_every_product_gives_the_same_star_and_the_same_good_pixels(write, tmp_path):
    star = astrofm.read(write(tmp_path / "star.fits"))[0]
    flux, _, _ = spectrum()
    expected = good()
    expected[1001] = write is not aspcapstar
    np.testing.assert_array_equal(~star.mask, expected)
    scale = 300 if write is aspcapstar else 1
    np.testing.assert_allclose(star.flux.value[expected] * scale, flux[expected], rtol=1e-6)
    np.testing.assert_allclose(star.uncertainty.array[expected] * scale, 3.0, rtol=1e-6)
    np.testing.assert_allclose(star.spectral_axis.to_value(u.AA), WAVE, rtol=1e-14)
    assert star.flux.unit == (u.dimensionless_unscaled if write is aspcapstar else FLUX_UNIT)
    meta = star.meta
    assert (meta["id"], meta["ra"], meta["dec"], meta["vhelio"], meta["starflag"]) == (ID, 10.5, -3.25, -20.5, 4)
    assert (meta["frame"], meta["velocity"], meta["medium"], meta["calibration"]) == ("rest", 0.0, "vacuum", "relative")
    assert meta["normalised"] is (write is aspcapstar)
    assert star.fm.instrument == "apogee"


def test_unknown_numbers_are_nan_and_flags_of_warning_keep_the_pixel(tmp_path):
    star, = astrofm.read(apstar(tmp_path / "a.fits"))
    assert np.isnan(star.meta["k"]) and np.isnan(star.meta["vscatter"]) and star.meta["j"] == 11.5
    assert star.meta["mjd"] == -1 and star.meta["plate"] == ""
    assert not star.mask[list(KEPT)].any() and star.mask[list(BAD)].all()


def test_an_apstar_file_gives_the_combination_weighted_by_pixel_and_its_visits_on_request(tmp_path, instrument):
    path = apstar(tmp_path / "a.fits", visits=3)
    flux, _, _ = rows(3)
    combination, = instrument.read(path)
    np.testing.assert_allclose(combination.flux.value[good()], flux[0][good()], rtol=1e-6)
    visits = instrument.read_visits(path)
    assert [visit.meta["visit"] for visit in visits] == [1, 2, 3]
    for k, visit in enumerate(visits):
        np.testing.assert_allclose(visit.flux.value[good()], flux[2 + k][good()], rtol=1e-6)
        assert (visit.meta["snr"], visit.meta["starflag"], visit.meta["vhelio"]) == (51.0 + k, 1 + k, -21.0 - k)
        assert visit.meta["visit_file"] == f"apVisit-r6-{k + 1}.fits" and visit.meta["id"] == ID
    only, = instrument.read_visits(single(tmp_path / "one.fits"))
    np.testing.assert_array_equal(only.flux.value, instrument.read(tmp_path / "one.fits")[0].flux.value)
    assert [visit.meta["vhelio"] for visit in instrument.read_visits(sdss5(tmp_path / "five.fits"))] == [-21.0, -22.0]
    with pytest.raises(ReadError, match="holds no visits"):
        instrument.read_visits(aspcapstar(tmp_path / "aspcap.fits"))


def test_a_visit_without_a_good_pixel_is_masked_and_the_others_are_read(tmp_path, instrument):
    flux, error, mask = rows(2)
    mask[3] = 1
    visits = instrument.read_visits(apstar(tmp_path / "a.fits", visits=2, data=(flux, error, mask)))
    assert [bool(visit.mask.all()) for visit in visits] == [False, True]


def test_aspcap_brings_best_fit_labels_and_flags(tmp_path, instrument):
    star, = instrument.read(aspcapstar(tmp_path / "a.fits"))
    meta = star.meta
    assert meta["aspcapflag"] == 1 << 23
    assert (meta["aspcap_teff"], meta["aspcap_logg"], meta["aspcap_m_h"]) == pytest.approx((4800.0, 2.5, -0.25))
    assert meta["aspcap_raw_teff"] == 4801.0 and np.isnan(meta["aspcap_o_m"])
    np.testing.assert_allclose(meta["model"][inside()], 0.98, rtol=1e-6)
    assert star.mask[1001], "an error as large as the continuum is how ASPCAP marks bad pixels"
    assert "model" not in instrument.sample(star).meta and instrument.sample(star).meta["normalised"] is True


@pytest.mark.parametrize("pixels", [4096, 2048])
def test_visits_are_as_observed_and_the_gaps_stay_empty(pixels, tmp_path, instrument):
    star, = instrument.read(apvisit(tmp_path / "v.fits", pixels=pixels))
    wave = star.spectral_axis.value
    assert len(wave) == 3 * pixels and (np.diff(wave) > 0).all()
    assert (star.meta["frame"], star.meta["velocity"], star.meta["bc"], star.meta["mjd"]) == ("observed", 15.25, -6.5, 56587)
    assert star.mask.sum() == 40 + 4, "20 pixels of BADPIX, 20 without data, both ends of two gaps"
    sample = instrument.sample(star)
    np.testing.assert_allclose(sample.value[~sample.mask], 300e-17 * (WAVE[~sample.mask] / 16000) ** -2, rtol=3e-5)
    in_gap = ((WAVE > 15811) & (WAVE < 15856)) | ((WAVE > 16436) & (WAVE < 16472)) | (WAVE < 15141) | (WAVE > 16956)
    assert sample.mask[in_gap].all() and sample.mask.sum() < in_gap.sum() + 100


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_bulk_and_single_reading_agree_to_the_bit(write, tmp_path, instrument):
    path = write(tmp_path / "star.fits")
    batch, = instrument.read_batches([path, path])
    single = collate([instrument.sample(star) for star in instrument.read(path)] * 2)
    for name in ("coordinate", "value", "error", "mask"):
        np.testing.assert_array_equal(getattr(single, name), getattr(batch, name))
    assert set(batch.meta) == set(single.meta)
    for key, column in batch.meta.items():
        np.testing.assert_array_equal(column, single.meta[key])


def test_products_may_be_mixed_in_a_batch(tmp_path, instrument):
    paths = [write(tmp_path / f"{k}.fits") for k, write in enumerate((apstar, aspcapstar, mwmvisit, apvisit))]
    batch, = instrument.read_batches(paths)
    assert batch.meta["product"] == ["apStar", "aspcapStar", "mwmVisit", "mwmVisit", "apVisit"]
    assert batch.meta["normalised"] == [False, True, False, False, False]
    assert batch.meta["aspcapflag"] == [None, 1 << 23, None, None, None]
    assert [len(part) for part in instrument.read_batches(paths, size=2)] == [2, 2, 1]


def test_batches_report_bad_files_and_keep_the_order(tmp_path, instrument):
    paths = [apstar(tmp_path / f"{k}.fits", OBJID=f"2M{k}") for k in range(5)]
    paths[2].write_bytes(b"<html>404</html>")
    bad = []
    batches = list(instrument.read_batches(paths, size=3, on_error=lambda *why: bad.append(why)))
    assert [i for batch in batches for i in batch.meta["id"]] == ["2M0", "2M1", "2M3", "2M4"]
    assert bad[0][0] == paths[2] and "web page" in str(bad[0][1])
    with pytest.raises(ReadError, match="web page"):
        list(instrument.read_batches(paths))


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_files_are_known_by_their_content_packed_or_not_whatever_the_name(write, tmp_path):
    plain = write(tmp_path / "plain")
    packed = tmp_path / "download?id=3"
    packed.write_bytes(gzip.compress(plain.read_bytes(), 1))
    assert identify(plain) == identify(packed) == "apogee"
    np.testing.assert_array_equal(astrofm.read(packed)[0].flux.value, astrofm.read(plain)[0].flux.value)


def test_files_of_others_are_not_claimed(tmp_path, instrument):
    header = fits.Header([("TELESCOP", "SDSS 2.5-M")])
    fits.HDUList([fits.PrimaryHDU(header=header), fits.ImageHDU(np.zeros((3, 4096)))]).writeto(tmp_path / "boss.fits")
    fits.PrimaryHDU(np.zeros(8575)).writeto(tmp_path / "plain.fits")
    (tmp_path / "text.fits").write_text("hello")
    mwm(tmp_path / "boss-only.fits", counts=(1, 1, 0, 0))
    for path in [*tmp_path.iterdir(), tmp_path / "absent.fits"]:
        assert not instrument.claims_file(path), path.name


def test_an_mwm_file_of_both_spectrographs_is_read_by_what_the_refusal_says(tmp_path):
    path = mwm(tmp_path / "both.fits", counts=(1, 0, 1, 0))
    with pytest.raises(AmbiguousError, match="apogee .* and sdss-optical") as caught:
        identify(path)
    typed = str(caught.value).split("for example ")[1]
    assert len(eval(typed, {"astrofm": astrofm})) == 1


def test_mwm_files_give_each_observatory_and_leave_boss_alone(tmp_path, instrument):
    stars = instrument.read(mwm(tmp_path / "a.fits", counts=(1, 1, 2, 1)))
    assert len(stars) == 3 and {star.meta["product"] for star in stars} == {"mwmStar"}
    visits = instrument.read(mwmvisit(tmp_path / "b.fits"))
    assert [(visit.meta["mjd"], visit.meta["snr"]) for visit in visits] == [(59804, 50.0), (59805, 51.0)]


def test_unsigned_flags_mean_what_signed_ones_mean(tmp_path, instrument):
    flags = spectrum()[2].astype(np.uint64)[None]
    mjd = np.array([59804], np.uint32)
    tables = [astra_table("APOGEE/APO", 1, with_wave=False, pixel_flags=("8575K", flags), mjd=("J", mjd))]
    path = mwm(tmp_path / "a.fits", tables=tables)
    header = fits.getheader(path, 1)
    assert 2**63 in [header.get(f"TZERO{k}") for k in range(1, 20)]
    star, = instrument.read(path)
    np.testing.assert_array_equal(~star.mask, good())
    assert star.meta["mjd"] == 59804


@pytest.mark.parametrize(("write", "form"), [
    (apstar, "APOGEE apStar"), (apvisit, "APOGEE apVisit"), (aspcapstar, "APOGEE aspcapStar"), (sdss5, "SDSS-V apStar")])
def test_what_specutils_reads_of_a_file_samples_to_the_same_flux(write, form, tmp_path, instrument):
    path = write(tmp_path / "star.fits")
    theirs = Spectrum.read(path, format=form)
    assert instrument.claims(theirs)
    one, ours = instrument.sample(theirs), instrument.sample(instrument.read(path)[0])
    both = ~one.mask & ~ours.mask
    assert both.sum() > 0.99 * (~ours.mask).sum() - 20
    np.testing.assert_allclose(one.value[both], ours.value[both], rtol=1e-5)
    assert one.mask[~inside()].mean() > 0.7, "pixels without data are masked"


def test_what_specutils_reads_of_an_mwm_file_is_ours(tmp_path, instrument):
    theirs = SpectrumList.read(mwm(tmp_path / "a.fits"), format="SDSS-V mwm")[-1]
    assert instrument.claims(theirs)
    good_there = ~instrument.sample(theirs).mask
    np.testing.assert_array_equal(good_there[1200:3000], good()[1200:3000])


def test_specutils_reads_by_our_format(tmp_path):
    path = aspcapstar(tmp_path / "a.fits")
    assert Spectrum.read(path, format="APOGEE").meta["id"] == ID
    assert len(SpectrumList.read(mwmvisit(tmp_path / "b.fits"), format="APOGEE")) == 2


def test_rebuilt_spectra_say_that_they_are_normalised(tmp_path, instrument):
    batch, = instrument.read_batches([aspcapstar(tmp_path / "a.fits")])
    star, = instrument.rebuild(batch)
    assert star.meta["normalised"] is True and star.flux.unit == u.dimensionless_unscaled


@pytest.mark.parametrize(("header", "mine"), [
    ({"TELESCOP": "apo25m"}, True), ({"TELESCOP": "lco25m  "}, True), ({"SURVEY": "apogee2-manga"}, True),
    ({"FERRE": "v461a", "SPECLIB": "v17"}, True), ({}, False), ({"TELESCOP": "SDSS 2.5-M"}, False),
    ({"TELESCOP": 25}, False)])
def test_spectra_in_memory_are_known_by_their_header(header, mine, instrument):
    star = instrument.example()
    star.meta["header"] = header
    assert instrument.claims(star) is mine


def test_spectra_of_the_users_own_making_are_left_as_they_are(instrument):
    star = instrument.example()
    del star.meta["header"]
    star.flux[100] = 0 * star.flux.unit
    assert not instrument.sample(star).mask.any()


def test_simulated_stars_are_observed_through_it(instrument):
    sky = pytest.importorskip("astrofm_sky")
    wave = np.geomspace(15000, 17100, 40000)
    flux = 1 - 0.4 * np.exp(-0.5 * ((wave - 16000) / 0.2) ** 2) * np.ones((2, 1))
    batch = sky.observe(sky.Sources(wave, flux.astype(np.float32)), "apogee", snr=200.0, defects=False)
    assert batch.value.shape == (2, 8575) and (batch.mask == instrument.gaps).all()
    line = np.abs(WAVE - 16000) < 1.5
    lost = ((1 - batch.value[:, line]) * np.gradient(WAVE)[line]).sum(1)
    np.testing.assert_allclose(lost, 0.4 * 0.2 * np.sqrt(2 * np.pi), rtol=0.1)
    assert (batch.value[:, line].min(1) > 0.75).all(), "the line is as broad as a resolving power of 22,500 makes it"


def test_gaps_are_the_pixels_that_aspcap_does_not_fit(instrument):
    np.testing.assert_array_equal(instrument.gaps, ~inside())
