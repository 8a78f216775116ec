"""TESS and Kepler: files in every layout, flags, and the objects that astropy and lightkurve make of them."""

import gzip
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.time import Time
from astropy.timeseries import TimeSeries
from astropy.utils.masked import Masked

import astrofm
from astrofm.data import collate
from astrofm.errors import DataError, ReadError
from astrofm.registry import get_instrument, identify
from astrofm.testing import LightCurveInstrumentTests

sys.path.insert(0, str(Path(__file__).parent))
from tess_fakes import BAD, COUNT, HARMLESS, LAYOUTS, NO_FLUX, NO_TIME, kepler, light, pixels, qlp, spoc  # noqa: E402

MISSION = {name: "kepler" if name.startswith("K") else "tess" for name in LAYOUTS}


class TestTess(LightCurveInstrumentTests):
    name = "tess"


class TestKepler(LightCurveInstrumentTests):
    name = "kepler"


@pytest.fixture
def instrument():
    return get_instrument("tess")


def as_astropy(path, form="tess.fits"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return TimeSeries.read(path, format=form)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(layout, tmp_path):
    path = LAYOUTS[layout](tmp_path / "star.fits")
    assert identify(path) == MISSION[layout]
    star, = astrofm.read(path)
    assert len(star) == COUNT - len(NO_TIME) and star.meta["n_no_time"] == len(NO_TIME)
    assert star["flux"].unit == (u.one if layout.startswith("QLP") else u.electron / u.s)
    sample = get_instrument(MISSION[layout]).sample(star)
    bad = [*BAD, *NO_FLUX] + ([HARMLESS] if layout.startswith("QLP") else [])
    assert np.flatnonzero(sample.mask).tolist() == sorted(bad), "flags and NaN are masked, removed cosmic rays are not"
    assert sample.meta["n_bad"] == len(bad) + len(NO_TIME)
    assert sample.meta["unit"] == ("" if layout.startswith("QLP") else "electron / s")
    made = light()
    good = ~np.isin(np.arange(COUNT), [*bad, *NO_TIME])
    np.testing.assert_allclose(sample.coordinate[~sample.mask], made["time"][good] - made["time"][0], atol=1e-9)
    scale = 9000 if layout.startswith("QLP") else 1
    np.testing.assert_allclose(sample.value[~sample.mask] * scale, made["flux"][good], rtol=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bulk_and_single_reading_agree_to_the_bit(layout, tmp_path):
    path = LAYOUTS[layout](tmp_path / "star.fits")
    instrument = get_instrument(MISSION[layout])
    batch, = instrument.read_batches([path, path])
    single = collate([instrument.sample(astrofm.read(path)[0])] * 2)
    for name in ("coordinate", "value", "error", "mask", "band"):
        np.testing.assert_array_equal(getattr(single, name), getattr(batch, name))
    assert {key: list(column) for key, column in batch.meta.items()} == {key: list(c) for key, c in single.meta.items()}


def test_light_curves_of_unlike_length_share_a_batch_under_the_mask(tmp_path, instrument):
    short = spoc(tmp_path / "short.fits", made={key: item[:60] for key, item in light().items()})
    batch, = instrument.read_batches([short, spoc(tmp_path / "long.fits")])
    assert batch.value.shape == (2, COUNT - len(NO_TIME)) and batch.mask[0, 60:].all()
    assert [len(star) for star in instrument.rebuild(batch)] == [60, COUNT - len(NO_TIME)]
    assert [len(part) for part in instrument.read_batches([short] * 5, size=2)] == [2, 2, 1]


def test_the_headers_say_who_it_is(tmp_path, instrument):
    star, = instrument.read(spoc(tmp_path / "a.fits"))
    assert star.meta["id"] == "TIC 25155310" and star.meta["product"] == "SPOC"
    assert (star.meta["sector"], star.meta["tess_mag"], star.meta["crowdsap"]) == (1, 10.555, 0.97)
    assert get_instrument("kepler").read(kepler(tmp_path / "k.fits", k2=True))[0].meta["campaign"] == 5
    nameless, = instrument.read(spoc(tmp_path / "b.fits", primary={"OBJECT": ""}, table={"OBJECT": ""}))
    assert nameless.meta["id"] == "TIC 25155310"


def test_times_are_barycentric_tdb(tmp_path, instrument):
    star, = instrument.read(spoc(tmp_path / "a.fits"))
    assert star.time.scale == "tdb"
    first = Time(2457000, light()["time"][0], format="jd", scale="tdb")
    assert (star.time[0] - first).to_value(u.s) == pytest.approx(0, abs=1e-6)


def test_aperture_photometry_is_there_for_the_asking(tmp_path, instrument):
    path = spoc(tmp_path / "a.fits")
    raw = instrument.read_aperture(path)
    assert raw.meta["flux_column"] == "SAP_FLUX"
    ratio = raw["flux"] / instrument.read(path)[0]["flux"]
    np.testing.assert_allclose(ratio[np.isfinite(ratio)], 0.9, rtol=1e-6)
    with pytest.raises(ReadError, match="no column SAP_FLUX_ERR"):
        instrument.read_aperture(qlp(tmp_path / "q.fits"))


@pytest.mark.parametrize(("write", "form", "name"), [(spoc, "tess.fits", "tess"), (kepler, "kepler.fits", "kepler")])
def test_what_astropy_reads_samples_to_the_same_numbers(write, form, name, tmp_path):
    path = write(tmp_path / "a.fits")
    theirs, ours = as_astropy(path, form), get_instrument(name)
    assert theirs.fm.instrument == name
    one, other = ours.sample(theirs), ours.sample(ours.read(path)[0])
    for array in ("coordinate", "value", "error", "mask"):
        np.testing.assert_array_equal(getattr(one, array), getattr(other, array))
    assert one.meta["id"] == other.meta["id"] and one.meta["n_no_time"] == 0, "astropy drops points without a time by itself"


class LightCurve(TimeSeries):
    """What lightkurve's class of that name looks like: columns flux, flux_err, quality; the headers in meta."""

    _required_columns = ["time", "flux", "flux_err"]


@pytest.mark.parametrize("masked", [False, True])
def test_a_lightkurve_object_is_taken_as_it_is(masked, tmp_path, instrument):
    made = light()
    timed = np.isfinite(made["time"])
    flux = u.Quantity(made["flux"][timed], "electron / s")
    if masked:
        flux = Masked(flux, mask=~np.isfinite(flux.value))
    curve = LightCurve(time=Time(made["time"][timed] + 2457000, format="jd", scale="tdb"), data={
        "flux": flux, "flux_err": u.Quantity(made["error"][timed], "electron / s"), "quality": made["quality"][timed]})
    curve.meta.update({"TELESCOP": "TESS", "OBJECT": "TIC 25155310", "SECTOR": 1, "AUTHOR": "SPOC"})
    assert curve.fm.instrument == "tess"
    sample, own = instrument.sample(curve), instrument.sample(instrument.read(spoc(tmp_path / "a.fits"))[0])
    np.testing.assert_array_equal(sample.mask, own.mask)
    np.testing.assert_array_equal(sample.value, own.value)
    np.testing.assert_allclose(sample.coordinate, own.coordinate, atol=1e-9)
    assert sample.meta["id"] == "TIC 25155310" and sample.meta["sector"] == 1
    curve["time_bin_size"] = 0.1 * u.day
    assert instrument.sample(curve).mask.sum() == len(NO_FLUX), "lightkurve's bin() makes whole numbers of the means of flags"


def test_flags_may_be_floats_and_means_of_flags_say_nothing():
    from astrofm_tess.quality import TESS_BAD, bad_cadences

    assert bad_cadences(np.array([0.0, 8.0, 64.0, np.nan]), TESS_BAD).tolist() == [False, True, False, True]
    assert not bad_cadences(np.array([0.0, 8.0, 0.25]), TESS_BAD).any()
    assert bad_cadences(np.ma.array([0, 0], mask=[False, True]), TESS_BAD).tolist() == [False, True]


def test_a_folded_light_curve_is_refused(tmp_path, instrument):
    star = instrument.read(spoc(tmp_path / "a.fits"))[0].fold(period=0.1 * u.day)
    with pytest.raises(DataError, match="folded"):
        instrument.sample(star)


def test_normalised_flux_says_so(tmp_path, instrument):
    star, = instrument.read(spoc(tmp_path / "a.fits"))
    star["flux"], star["flux_err"] = (star[name] / (9000 * u.electron / u.s) for name in ("flux", "flux_err"))
    assert instrument.sample(star).meta["unit"] == ""
    star["flux"], star["flux_err"] = (star[name].to(u.percent) for name in ("flux", "flux_err"))
    assert np.median(instrument.sample(star).value) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS)
def test_files_are_known_by_their_content_packed_or_not(write, tmp_path):
    plain = write(tmp_path / "plain")
    packed = tmp_path / "download?id=3"
    packed.write_bytes(gzip.compress(plain.read_bytes(), 1))
    assert identify(plain) == identify(packed)
    np.testing.assert_array_equal(astrofm.read(packed)[0]["flux"], astrofm.read(plain)[0]["flux"])


HARM = {"truncated": (lambda data: data[:20000], "breaks off"), "in the table": (lambda data: data[:9000], "breaks off"),
        "empty": (lambda data: b"", "is empty"), "html": (lambda data: b"<!DOCTYPE html>", "web page"),
        "gzip": (lambda data: gzip.compress(data, 1)[:-2000], "breaks off inside its gzip")}


@pytest.mark.parametrize(("harm", "message"), HARM.values(), ids=HARM)
def test_damage_is_named_with_the_file(harm, message, tmp_path, instrument):
    path = spoc(tmp_path / "star.fits")
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(ReadError, match=message) as caught:
        instrument.read(path)
    bad = []
    assert str(path) in str(caught.value)
    assert list(instrument.read_batches([path], on_error=lambda *why: bad.append(why))) == []
    assert bad[0][0] == path and str(bad[0][1]) == str(caught.value)


@pytest.mark.parametrize(("write", "message"), [
    (pixels, "target pixel file"), (kepler, "no light curve of TESS"),
    (lambda path: spoc(path, table={"TIMESYS": "UTC"}), "TIMESYS = 'UTC'"),
    (lambda path: spoc(path, table={"BJDREFI": 0}), "BJDREFI = 0"),
    (lambda path: spoc(path, made={key: item[:0] for key, item in light().items()}), "holds no cadences"),
    (lambda path: spoc(path, made={**light(), "time": light()["time"] + 2457000}), "days after"),
])
def test_what_is_no_light_curve_is_refused_in_words(write, message, tmp_path, instrument):
    path = tmp_path / "star.fits"
    write(path)
    with pytest.raises(ReadError, match=message):
        instrument.read(path)


def test_a_light_curve_without_any_time_is_refused_when_sampled(tmp_path, instrument):
    made = light()
    made["time"][:] = np.nan
    path = spoc(tmp_path / "a.fits", made=made)
    star, = instrument.read(path)
    assert len(star) == 0
    with pytest.raises(DataError, match="holds no points"):
        instrument.sample(star)
    batch, = instrument.read_batches([path, spoc(tmp_path / "b.fits")])
    assert batch.mask[0].all() and batch.meta["n_points"][0] == 0 and not batch.mask[1].all(), "in bulk, a row without points"


def test_the_real_tess_file_agrees_with_astropy_to_the_bit(shared_data, instrument):
    path, = (shared_data / "tess").glob("hlsp_tess*_lc.fits")
    sample, theirs = instrument.sample(astrofm.read(path)[0]), instrument.sample(as_astropy(path))
    for name in ("coordinate", "value", "error", "mask"):
        np.testing.assert_array_equal(getattr(sample, name), getattr(theirs, name))
    assert (sample.meta["n_points"], sample.meta["n_no_time"], sample.meta["n_bad"]) == (19261, 815, 1973)
    good = ~sample.mask
    assert 0.98 < sample.value[good].min() / np.median(sample.value[good]) < 1, "cadences of flux 0 are masked"
    assert np.diff(sample.coordinate[good]).max() > 1, "the gap between the orbits stays a gap"


def test_the_real_kepler_file_agrees_with_astropy_to_the_bit(shared_data):
    path, = (shared_data / "tess").glob("kplr*.fits")
    instrument = get_instrument("kepler")
    sample, theirs = instrument.sample(astrofm.read(path)[0]), instrument.sample(as_astropy(path, "kepler.fits"))
    for name in ("coordinate", "value", "error", "mask"):
        np.testing.assert_array_equal(getattr(sample, name), getattr(theirs, name))
    depth = 1 - np.percentile(sample.value[~sample.mask], 2) / np.median(sample.value[~sample.mask])
    assert 0.006 < depth < 0.008, "the transits of HAT-P-7 b"


def test_real_tables_without_headers_are_read_as_plain_tables(shared_data, instrument):
    from astropy.table import Table

    paths = sorted((shared_data / "tess" / "csv").glob("*sector*.csv"))
    btjd = Time(2457000, format="jd", scale="tdb")
    for path in paths:
        table = Table.read(path)
        error = 1.48 / np.sqrt(2) * np.median(np.abs(np.diff(table["flux"])))
        star = astrofm.light_curve(table, time="time", flux="flux", error=error * u.one, epoch=btjd,
                                   instrument="tess", id=path.stem)
        sample = instrument.sample(star)
        assert (~sample.mask).sum() == len(table) and sample.meta["id"] == path.stem
        assert 20 < sample.coordinate[-1] < 30
    assert len(paths) == 8


def test_files_of_light_curves_are_answered_by_a_model_of_light_curves(tmp_path):
    from astrofm.models.defaults import default_model

    nobodys = tmp_path / "readme.txt"
    nobodys.write_text("no star")
    assert default_model([nobodys, spoc(tmp_path / "star.fits")]) == "variable-tiny"
