"""SDSS optical spectra of every phase are read, in bulk and one by one."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from specutils import SpectrumList

import astrofm
from astrofm.compat import Spectrum
from astrofm.data.fitscolumns import columns, texts
from astrofm.errors import ReadError
from astrofm.registry import get_instrument, identify
from astrofm.testing import InstrumentTests

sys.path.insert(0, str(Path(__file__).parent))
from astrofm_desi.spec import FATAL, PIXELS, grid  # noqa: E402
from astrofm_desi.units import flux_factor, ivar_factor  # noqa: E402
from desi_fakes import SDSS, SDSS_BAD, mwm, sdss_arrays, sdss_v, spec, spspec  # noqa: E402


class TestSdssOptical(InstrumentTests):
    """The promises of every instrument."""

    name = "sdss-optical"


@pytest.fixture
def instrument():
    return get_instrument("sdss-optical")


@pytest.mark.parametrize("write", SDSS.values(), ids=SDSS)
def test_every_layout_gives_the_same_star(write, tmp_path):
    star, = astrofm.read(write(tmp_path / "any.fits"))
    flux, loglam, ivar, *_ = sdss_arrays()
    np.testing.assert_allclose(star.spectral_axis.value, 10 ** (3.5798 + 1e-4 * np.arange(len(flux))), rtol=1e-12)
    np.testing.assert_allclose(star.flux.value, flux, rtol=1e-6)
    np.testing.assert_allclose(star.uncertainty.array, ivar, rtol=1e-6)
    assert np.flatnonzero(star.mask).tolist() == SDSS_BAD
    assert star.flux.unit == "1e-17 erg s-1 cm-2 AA-1" and star.meta["calibration"] == "absolute"
    assert (star.meta["ra"], star.meta["dec"], star.meta["frame"]) == (241.5, 11.25, "heliocentric")
    assert star.fm.instrument == "sdss-optical"
    if write is not SDSS["no catalogue"]:
        assert star.meta["class"] == "STAR" and star.meta["z"] == pytest.approx(-2.5e-4)


@pytest.mark.parametrize("write", SDSS.values(), ids=SDSS)
def test_bulk_and_single_reading_agree_to_the_bit(write, tmp_path, instrument):
    path = write(tmp_path / "any.fits")
    batch, = instrument.read_batches([path, path])
    one, many = instrument.sample(instrument.read(path)[0]), batch.sample(1)
    for name in ("coordinate", "value", "error", "mask"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
    np.testing.assert_equal({key: one.meta[key] for key in many.meta}, dict(many.meta))


@pytest.mark.parametrize(("layout", "name"), [
    ("sdss", "4565636362342690816"), ("boss", str(2**63 + 4565636362342690816)), ("sdss-v", "15000-55359-27021597842679140"),
    ("spSpec", "4055-55359-0408"), ("no catalogue", "4055-55359-0408")])
def test_identifiers_keep_every_digit(layout, name, tmp_path, instrument):
    star, = instrument.read(SDSS[layout](tmp_path / "any.fits"))
    assert star.meta["id"] == name


@pytest.mark.parametrize(("bit", "bad"), [*((bit, True) for bit in FATAL.values()),
                                          *((bit, False) for bit in (4, 5, 6, 7, 8, 9, 10, 16, 17, 19, 20, 21, 24))])
def test_bits_of_the_mask_that_spoil_a_pixel(bit, bad, tmp_path, instrument):
    bits = np.zeros(3850, "i4")
    bits[700] = 1 << bit
    star, = instrument.read(spec(tmp_path / "any.fits", changes={"and_mask": bits}))
    assert star.mask[700] == bad and star.mask.sum() == 4 + bad


def test_the_width_of_lines_travels(tmp_path, instrument):
    path = spec(tmp_path / "any.fits", changes={"wdisp": np.r_[np.zeros(10), np.full(3840, 0.9)].astype("f4")})
    star, = instrument.read(path)
    wave = star.spectral_axis.value
    np.testing.assert_allclose(star.meta["dispersion"][10:], 0.9 * wave[10:] * np.log(10) * 1e-4, rtol=1e-6)
    assert np.isnan(star.meta["dispersion"][:10]).all()
    batch, = instrument.read_batches([path, spspec(tmp_path / "old.fit")])
    power = 1 / (2.3548 * 0.9 * 1e-4 * np.log(10))
    assert batch.meta["resolution_b"][0] == pytest.approx(power, rel=1e-4) == batch.meta["resolution_r"][0]
    assert np.isnan(batch.meta["resolution_b"][1])


def test_pixels_off_the_grid_are_counted_not_lost_in_read(tmp_path, instrument):
    path = spec(tmp_path / "any.fits", arrays=sdss_arrays(5000, start=3.5380))
    star, = instrument.read(path)
    batch, = instrument.read_batches([path])
    assert len(star.flux) == 5000 and star.meta["n_outside"] == 5000 - PIXELS == batch.meta["n_outside"][0]
    sample = instrument.sample(star)
    np.testing.assert_array_equal(sample.value, batch.value[0])
    assert sample.meta["n_bad"] == batch.meta["n_bad"][0] == 7


@settings(max_examples=30, deadline=None)
@given(st.integers(-200, 5200), st.integers(2, 400))
def test_a_piece_of_spectrum_stands_at_its_own_wavelengths(start, count):
    from astrofm_desi.sdss import _fill
    from astrofm_desi.spec import Star

    flux = np.arange(1, count + 1).astype("f4")
    star = Star(None, {}, start, flux, np.ones(count, "f4"), np.zeros(count, "i4"))
    value, error, mask = np.zeros(PIXELS, "f4"), np.zeros(PIXELS, "f4"), np.ones(PIXELS, bool)
    if start + count <= 0 or start >= PIXELS:
        return
    _fill(star, value, error, mask)
    shown = np.flatnonzero(~mask)
    np.testing.assert_array_equal(value[shown], shown - start + 1)
    assert len(shown) == min(start + count, PIXELS) - max(start, 0)


def test_stars_and_visits_of_astra_are_read_in_the_rest_frame(tmp_path, instrument):
    star, = astrofm.read(mwm(tmp_path / "star.fits"))
    assert star.meta["frame"] == "rest" and star.meta["id"] == "54392544" and star.meta["ra"] == 198.4346
    visits = instrument.read(mwm(tmp_path / "visits.fits", visits=3, star=False))
    assert [one.meta["mjd"] for one in visits] == [59804, 59805, 59806]
    for one in (star, *visits):
        np.testing.assert_allclose(one.spectral_axis.value, 10 ** (3.5523 + 1e-4 * np.arange(4648)), rtol=1e-12)
        assert np.flatnonzero(one.mask).tolist() == SDSS_BAD
    batches = list(instrument.read_batches([tmp_path / "visits.fits", tmp_path / "star.fits"], size=3))
    assert [len(batch) for batch in batches] == [3, 1]


def test_astras_files_without_optical_spectra_are_not_claimed(tmp_path, instrument):
    path = mwm(tmp_path / "infrared.fits", apogee=True)
    assert not instrument.claims_file(path)
    with pytest.raises(ReadError, match="no SDSS optical"):
        instrument.read(path)


@pytest.mark.parametrize("cards", [{"TELESCOP": "LCO Du Pont"}, {"TELESCOP": "sdss 2.5-M"}])
def test_both_telescopes_of_sdss_v_are_known(cards, tmp_path):
    path = sdss_v(tmp_path / "any.fits", **cards)
    assert identify(path) == "sdss-optical"


def test_many_packed_and_plain_files_keep_their_order(tmp_path, instrument):
    plain = [spec(tmp_path / f"{k}.fits", row=False, FIBERID=k + 1) for k in range(3)]
    paths = []
    for k in range(40):
        paths.append(tmp_path / f"many-{k}")
        data = plain[k % 3].read_bytes()
        paths[-1].write_bytes(gzip.compress(data, 1) if k % 4 else data)
    batches = list(instrument.read_batches(paths, size=16))
    assert [len(batch) for batch in batches] == [16, 16, 8]
    assert [one for batch in batches for one in batch.meta["file"]] == [str(path) for path in paths]
    assert batches[0].meta["fibre"][:4] == [1, 2, 3, 1]
    paths[5].write_text("<html>")
    bad = []
    kept = list(instrument.read_batches(paths, size=100, on_error=lambda path, error: bad.append(path)))
    assert bad == [paths[5]] and len(kept[0]) == 39
    assert list(instrument.read_batches([])) == []


def test_specutils_reads_by_format(tmp_path):
    path = spec(tmp_path / "any.fits")
    star = Spectrum.read(path, format="SDSS optical")
    assert star.fm.instrument == "sdss-optical" and SpectrumList.read(path, format="SDSS optical")[0].meta["plate"] == 4055


@pytest.mark.filterwarnings("ignore:.*multiple slashes")
def test_what_specutils_reads_by_its_own_format_is_the_same_star(tmp_path, instrument):
    path = spec(tmp_path / "any.fits")
    theirs = Spectrum.read(path, format="SDSS-III/IV spec")
    assert theirs.fm.instrument == "sdss-optical"
    sample, ours = instrument.sample(theirs), instrument.sample(instrument.read(path)[0])
    both = ~(sample.mask | ours.mask)
    assert not sample.meta["resampled"] and both.sum() > 3800
    np.testing.assert_array_equal(sample.value[both], ours.value[both])


@pytest.mark.parametrize(("header", "mine"), [
    ({"TELESCOP": "SDSS 2.5-M", "VERS2D": "v5", "PLATEID": 1}, True),
    ({"TELESCOP": "LCO Du Pont", "VERS2D": "v6", "FIELDID": 1}, True), ({"TELESCOP": "SDSS 2.5-M", "PLATEID": 1}, False),
    ({"TELESCOP": "LAMOST", "VERS2D": "v5", "PLATEID": 1}, False), ({}, False)])
def test_spectra_in_memory_are_known_by_their_header(header, mine, instrument):
    star = instrument.example()
    star.meta["header"] = header
    assert instrument.claims(star) is mine


@pytest.mark.parametrize(("spelling", "factor"), [
    ("10**-17 erg/(s cm2 Angstrom)", 1.0), ("1E-17 erg/cm^2/s/Ang", 1.0), ("1.0E-17 erg/cm/s/Ang", 1.0),
    ("10^-17 ergs/s/cm^2/Ang", 1.0), ("erg/(s cm2 Angstrom)", 1e17), ("W m-2 nm-1", 1e19), ("Jy", None), ("", None),
    ("mag", None), ("counts", None), ("electron/Angstrom", None)])
def test_units_as_the_surveys_spell_them(spelling, factor):
    assert flux_factor(spelling) == (factor if factor is None else pytest.approx(factor))


def test_units_of_inverse_variances():
    assert ivar_factor("10**+34 (s2 cm4 Angstrom2) / erg2") == 1.0 and ivar_factor("Angstrom") is None


def test_some_columns_are_those_that_astropy_reads(tmp_path):
    from astrofm.data.fitsfile import headers

    path = SDSS["boss"](tmp_path / "any.fits")
    data = path.read_bytes()
    header = headers(path, data)[2]
    found = columns(path, data, header, ("SPECOBJID", "THETA", "SUBCLASS", "FLAGS", "Z", "NOT_THERE"))
    with fits.open(path) as hdus:
        row = hdus[2].data
        assert sorted(found) == ["FLAGS", "SPECOBJID", "SUBCLASS", "THETA", "Z"]
        assert int(found["SPECOBJID"][0]) == int(row["SPECOBJID"][0]) > 2**63 and found["SPECOBJID"].dtype == np.uint64
        assert texts(found["SUBCLASS"]) == [row["SUBCLASS"][0]] == ["F9"]
        for name in ("THETA", "FLAGS", "Z"):
            np.testing.assert_array_equal(found[name], row[name])


def test_real_files_give_what_astropy_reads(shared_data, instrument):
    paths = sorted((shared_data / "sdss").glob("spec-*"))
    batch, = instrument.read_batches(paths)
    assert len(batch) == len(paths) == 4
    assert batch.meta["subclass"] == ["WD", "STARFORMING", "F9", "G1V (95128)"]
    for k, path in enumerate(paths):
        assert identify(path) == "sdss-optical"
        with fits.open(path) as hdus:
            table = hdus[1].data
            place = np.round((table["loglam"].astype(float) - 3.54) / 1e-4).astype(int)
            np.testing.assert_allclose(grid()[place], 10 ** table["loglam"].astype(float), rtol=1e-6)
            good = ~batch.mask[k, place]
            np.testing.assert_array_equal(batch.value[k, place][good], table["flux"][good])
            np.testing.assert_allclose(batch.error[k, place][good], table["ivar"][good] ** -0.5, rtol=1e-6)
            clean = (table["ivar"] > 0) & (table["and_mask"] == 0)
            assert good[clean].all() and good.mean() > 0.94


def test_real_widths_are_those_of_the_line_spread(shared_data, instrument):
    for path in (shared_data / "sdss").glob("spec-*"):
        star, = instrument.read(path)
        known = np.isfinite(star.meta["dispersion"])
        ratio = star.meta["dispersion"][known] / instrument.line_spread.sigma(star.spectral_axis.value[known])
        assert abs(np.median(ratio) - 1) < 0.15 and np.abs(ratio - 1).max() < 0.35
