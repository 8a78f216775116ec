"""DESI files of every layout are read, in bulk and one by one, and their arms joined as the survey joins them."""

import gzip
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance
from hypothesis import given, settings
from hypothesis import strategies as st
from specutils import SpectrumList

import astrofm
from astrofm.compat import Spectrum
from astrofm.errors import ReadError
from astrofm.registry import get_instrument, identify
from astrofm.testing import InstrumentTests

sys.path.insert(0, str(Path(__file__).parent))
from astrofm_desi.arms import Arm  # noqa: E402
from astrofm_desi.join import join, width  # noqa: E402
from desi_fakes import ARMS, DESI, SIGMA, TARGETS, arm, desi, joined  # noqa: E402


class TestDesi(InstrumentTests):
    """The promises of every instrument."""

    name = "desi"


@pytest.fixture
def instrument():
    return get_instrument("desi")


@pytest.mark.parametrize("write", DESI.values(), ids=DESI)
def test_every_layout_gives_the_same_stars(write, tmp_path):
    stars = astrofm.read(write(tmp_path / "any.fits"))
    truth = joined()["brz"]
    assert [star.meta["id"] for star in stars] == list(TARGETS)
    for k, star in enumerate(stars):
        good = truth["IVAR"][k] > 0
        np.testing.assert_array_equal(star.spectral_axis.value, np.round(3600 + 0.8 * np.arange(7781), 1))
        np.testing.assert_array_equal(star.mask, ~good)
        np.testing.assert_allclose(star.flux.value[good], truth["FLUX"][k, good], rtol=1e-6)
        np.testing.assert_allclose(star.uncertainty.array[good], truth["IVAR"][k, good], rtol=1e-6)
        assert star.flux.unit == "1e-17 erg s-1 cm-2 AA-1" and star.meta["calibration"] == "absolute"
        assert star.fm.instrument == "desi"


@pytest.mark.parametrize("write", DESI.values(), ids=DESI)
def test_bulk_and_single_reading_agree_to_the_bit(write, tmp_path, instrument):
    path = write(tmp_path / "any.fits")
    batch, = instrument.read_batches([path])
    for k, star in enumerate(instrument.read(path)):
        one, many = instrument.sample(star), batch.sample(k)
        for name in ("coordinate", "value", "error", "mask"):
            np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
        np.testing.assert_equal({key: one.meta[key] for key in many.meta}, dict(many.meta))


def test_identifiers_keep_every_digit_and_rows_their_order(tmp_path, instrument):
    batch, = instrument.read_batches([desi(tmp_path / "a.fits", n=6, targets=(TARGETS[0], TARGETS[0] + 1, TARGETS[0]))])
    assert batch.meta["id"] == [TARGETS[0], TARGETS[0] + 1, TARGETS[0]] * 2
    assert {type(one) for one in batch.meta["id"]} == {int}
    assert batch.meta["fibre"] == [2500, 2501, 2502, 2503, 2504, 2505]


def test_what_the_survey_says_of_the_fibre_travels(tmp_path, instrument):
    batch, = instrument.read_batches([desi(tmp_path / "a.fits", coadd=False)])
    assert batch.meta["objtype"] == ["TGT", "SKY", "", "TGT"] and batch.meta["fiberstatus"] == [0, 8, 512, 0]
    assert batch.meta["expid"][3] == 83737 and batch.meta["night"][0] == 20210406 and batch.meta["mjd"][0] == 59311.25
    assert batch.meta["survey"][0] == "main" and batch.meta["program"][0] == "bright" and batch.meta["snr_z"][3] == 5.0
    assert batch.meta["ref_id"][0] == 5853498713190525696 and np.isnan(batch.meta["flux_g"][0])
    sky = batch[np.array([kind == "SKY" for kind in batch.meta["objtype"]])]
    assert sky.meta["id"] == [TARGETS[1]]


def test_a_fibre_without_light_is_masked_and_says_so(tmp_path, instrument):
    batch, = instrument.read_batches([desi(tmp_path / "a.fits")])
    assert batch.meta["missing_arms"] == ["", "", "brz", ""] and batch.mask[2].all() and not batch.value[2].any()
    assert batch.meta["n_bad"][2] == 7781 and batch.meta["n_bad"][0] == batch.mask[0].sum() > 0


@pytest.mark.parametrize(("arms", "lost"), [("br", "z"), ("bz", "r"), ("z", "br")])
def test_a_missing_arm_is_masked_and_named(arms, lost, tmp_path, instrument):
    batch, = instrument.read_batches([desi(tmp_path / "a.fits", arms=arms)])
    assert batch.meta["missing_arms"][0] == lost
    whole, = instrument.read_batches([desi(tmp_path / "b.fits")])
    own = {"b": slice(0, 2700), "r": slice(2751, 4900), "z": slice(5026, 7781)}
    for letter, place in own.items():
        if letter in lost:
            assert batch.mask[:, place].all() and np.isnan(batch.meta[f"resolution_{letter}"]).all()
        else:
            np.testing.assert_array_equal(batch.value[:, place], whole.value[:, place])


def test_resolution_travels_with_each_fibre(tmp_path, instrument):
    path = desi(tmp_path / "a.fits")
    star = instrument.read(path)[0]
    batch, = instrument.read_batches([path])
    for letter, (first, count) in ARMS.items():
        middle = {"b": 4700.0, "r": 6690.4, "z": 8672.0}[letter]
        expected = middle / (2.3548 * SIGMA[letter] * 0.8)
        np.testing.assert_allclose(batch.meta[f"resolution_{letter}"], expected, rtol=2e-3)
        np.testing.assert_array_equal(star.meta["resolution"][letter], arm(letter)["RESOLUTION"][0])
        start = round((first - 3600) / 0.8) + 200
        np.testing.assert_allclose(star.meta["dispersion"][start: start + count - 400], SIGMA[letter] * 0.8, rtol=2e-3)
    overlap = star.meta["dispersion"][2720:2740]
    assert (overlap > SIGMA["r"] * 0.8).all() and (overlap < SIGMA["b"] * 0.8).all()
    sample = instrument.sample(star)
    assert "dispersion" not in sample.meta and "resolution" not in sample.meta


def test_width_is_nan_where_the_matrix_is_empty_and_exact_for_any_kernel():
    random = np.random.default_rng(1)
    diagonals = random.uniform(0, 1, (3, 7, 5))
    diagonals[1] = 0
    step = np.arange(3, -4, -1)[:, None]
    mean = (diagonals[0] * step).sum(0) / diagonals[0].sum(0)
    expected = 0.8 * np.sqrt((diagonals[0] * (step - mean) ** 2).sum(0) / diagonals[0].sum(0))
    np.testing.assert_allclose(width(diagonals)[0], expected, rtol=1e-5)
    assert np.isnan(width(diagonals)[1]).all()


def test_files_without_masks_widths_or_scores_are_read(tmp_path, instrument):
    gone = {f"{letter}_{part}": lambda hdu: None for letter in "BRZ" for part in ("MASK", "RESOLUTION")} | {
        "SCORES": lambda hdu: None}
    path = desi(tmp_path / "a.fits", changes=gone)
    batch, = instrument.read_batches([path])
    assert batch.meta["n_bad"][0] == 4 and np.isnan(batch.meta["resolution_b"]).all() and np.isnan(batch.meta["snr_b"]).all()
    star = instrument.read(path)[0]
    assert star.meta["resolution"] == {} and np.isnan(star.meta["dispersion"]).all()


def test_nan_flux_and_infinite_weights_are_bad(tmp_path, instrument):
    data = {letter: arm(letter) for letter in "brz"}
    data["b"]["FLUX"][0, 100], data["b"]["FLUX"][0, 101] = np.nan, np.inf
    data["b"]["IVAR"][0, 102], data["b"]["IVAR"][0, 103], data["b"]["IVAR"][0, 104] = np.nan, np.inf, -1
    data["r"]["FLUX"][0, 30] = np.nan  # in the overlap: the arm b has it alone
    batch, = instrument.read_batches([desi(tmp_path / "a.fits", data=data)])
    assert batch.mask[0, 100:105].all() and not batch.mask[0, 105:2700].any()
    assert batch.value[0, 2730] == data["b"]["FLUX"][0, 2730]


def test_another_scale_of_the_unit_is_converted(tmp_path, instrument):
    def plain(hdu):
        hdu.data, hdu.header["BUNIT"] = hdu.data * 1e-17, "erg/(s cm2 Angstrom)"
        return hdu

    def weight(hdu):
        hdu.data, hdu.header["BUNIT"] = hdu.data.astype("f8") * 1e34, "(s2 cm4 Angstrom2) / erg2"
        return hdu

    other, = instrument.read_batches([desi(tmp_path / "a.fits", changes={"B_FLUX": plain, "B_IVAR": weight})])
    same, = instrument.read_batches([desi(tmp_path / "b.fits")])
    np.testing.assert_allclose(other.value, same.value, rtol=1e-5)
    np.testing.assert_allclose(other.error, same.error, rtol=1e-5)


@pytest.mark.parametrize("name", ["coadd.fits.gz", "coadd.fits", "download?id=3"])
def test_gzip_is_told_by_its_bytes_whatever_the_name(name, tmp_path, instrument):
    plain = desi(tmp_path / "plain.fits", n=1)
    path = tmp_path / name
    path.write_bytes(gzip.compress(plain.read_bytes(), 1))
    assert identify(path) == "desi"
    np.testing.assert_array_equal(next(instrument.read_batches([path])).value, next(instrument.read_batches([plain])).value)


def test_reading_is_the_same_in_batches_of_any_size(tmp_path, instrument):
    paths = [desi(tmp_path / "a.fits", n=70), tmp_path / "bad.fits", desi(tmp_path / "b.fits", n=3, seed=1)]
    paths[1].write_bytes(b"<html>404</html>")
    bad = []
    whole, = instrument.read_batches(paths, size=100, on_error=lambda path, error: bad.append((path, str(error))))
    assert bad[0][0] == paths[1] and "web page" in bad[0][1]
    for size in (1, 7, 32, 73):
        parts = list(instrument.read_batches(paths, size=size, on_error=lambda *why: None))
        assert {len(part) for part in parts[:-1]} <= {size}
        np.testing.assert_array_equal(np.concatenate([part.value for part in parts]), whole.value)
        assert [one for part in parts for one in part.meta["fibre"]] == whole.meta["fibre"]
    assert whole.meta["file"] == [str(paths[0])] * 70 + [str(paths[2])] * 3
    with pytest.raises(ReadError, match="web page"):
        list(instrument.read_batches(paths))


def test_one_star_alone_equals_the_star_among_others(tmp_path, instrument):
    many = {letter: arm(letter, 5) for letter in "brz"}
    alone = {letter: {part: array if part == "WAVELENGTH" else array[3:4] for part, array in parts.items()}
             for letter, parts in many.items()}
    batch, = instrument.read_batches([desi(tmp_path / "many.fits", data=many, n=5)])
    one, = instrument.read_batches([desi(tmp_path / "one.fits", data=alone, n=1)])
    for name in ("value", "error", "mask"):
        np.testing.assert_array_equal(getattr(one, name)[0], getattr(batch, name)[3])


def test_memory_is_bounded_by_the_batch_not_by_the_file(tmp_path, instrument):
    path = desi(tmp_path / "long.fits", n=300)
    size = path.stat().st_size
    tracemalloc.start()
    for batch in instrument.read_batches([path], size=16):
        assert len(batch) <= 16
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.3 * size, f"{peak / 2**20:.0f} MB for a file of {size / 2**20:.0f} MB"


def test_the_first_hdu_may_have_a_name(tmp_path, instrument):
    def named(hdu):
        hdu.header["EXTNAME"] = "PRIMARY"
        return hdu

    batch, = instrument.read_batches([desi(tmp_path / "a.fits", changes={"PRIMARY": named})])
    assert batch.meta["survey"][0] == "main"


def test_an_empty_file_holds_no_stars(tmp_path, instrument):
    def empty(hdu):
        return fits.ImageHDU(np.zeros((0, *hdu.data.shape[1:]), "f4"), hdu.header)

    changes = {f"{letter}_{part}": empty for letter in "BRZ" for part in ("FLUX", "IVAR", "RESOLUTION")}
    changes |= dict.fromkeys(("B_MASK", "R_MASK", "Z_MASK", "SCORES"), lambda hdu: None)
    changes["FIBERMAP"] = lambda hdu: fits.BinTableHDU(hdu.data[:0], name="FIBERMAP")
    path = desi(tmp_path / "a.fits", n=1, changes=changes)
    assert instrument.read(path) == [] and list(instrument.read_batches([path])) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 50, width=32), st.floats(0, 100, width=32), st.floats(-50, 50, width=32),
                          st.floats(0, 100, width=32)), min_size=1, max_size=8))
def test_joined_flux_is_the_weighted_mean(pixels):
    left, w_left, right, w_right = (np.array(part) for part in zip(*pixels, strict=True))
    n = len(pixels)
    blue, red = ((0, 0), (2751 - n, 0)), ((0, 0), (0, 100))
    arms = [Arm("b", 0, np.pad(left[None], blue), np.pad(w_left[None], blue), None, 0, None),
            Arm("r", 2751 - n, np.pad(right[None], red), np.pad(w_right[None], red), None, 0, None)]
    flux, ivar = join(arms, slice(0, 1))
    place = slice(2751 - n, 2751)
    np.testing.assert_allclose(ivar[0, place], w_left + w_right)
    good = w_left + w_right > 0
    low, high = np.minimum(left, right), np.maximum(left, right)
    mean = (left * w_left + right * w_right)[good] / (w_left + w_right)[good]
    np.testing.assert_allclose(flux[0, place][good], mean, rtol=1e-9, atol=1e-12)
    one_sided = (w_left == 0) != (w_right == 0)
    np.testing.assert_allclose(flux[0, place][one_sided], np.where(w_left > 0, left, right)[one_sided], rtol=1e-9)
    assert (flux[0, place][good] >= low[good] - 1e-6).all() and (flux[0, place][good] <= high[good] + 1e-6).all()
    assert not flux[0, place][~good].any()


def test_specutils_reads_by_format(tmp_path):
    path = desi(tmp_path / "a.fits")
    assert [star.meta["id"] for star in SpectrumList.read(path, format="DESI stars")] == list(TARGETS)
    star = Spectrum.read(desi(tmp_path / "b.fits", n=1), format="DESI stars")
    assert star.fm.instrument == "desi"


@pytest.mark.parametrize(("header", "mine"), [
    ({"SPGRP": "healpix", "SPGRPVAL": 1}, True), ({"SPGRP": "cumulative", "SPGRPVAL": 1}, True), ({}, False),
    ({"SPGRP": "choir", "SPGRPVAL": 1}, False), ({"TELESCOP": "SDSS 2.5-M"}, False)])
def test_spectra_in_memory_are_known_by_their_header(header, mine, instrument):
    star = instrument.example()
    star.meta["header"] = header
    assert instrument.claims(star) is mine


def test_an_arm_alone_read_by_others_can_be_sampled(instrument):
    parts = arm("r")
    star = Spectrum(spectral_axis=parts["WAVELENGTH"] * instrument.grid.unit, flux=parts["FLUX"][0] * instrument.unit,
                    uncertainty=InverseVariance(parts["IVAR"][0]), meta={"header": {"SPGRP": "healpix", "SPGRPVAL": 1}})
    sample = instrument.sample(star)
    assert star.fm.instrument == "desi" and not sample.meta["resampled"] and sample.mask[:2700].all()


def test_simulated_stars_are_observed():
    sky = pytest.importorskip("astrofm_sky")
    for name in ("desi", "sdss-optical"):
        batch = sky.observe(sky.typical_stars(3), name, snr=50)
        instrument = get_instrument(name)
        assert batch.value.shape == (3, len(instrument.grid)) and (~batch.mask).mean() > 0.8
        assert len(instrument.rebuild(batch)) == 3


def test_real_files_give_what_astropy_reads(shared_data, instrument):
    for path, count in ((shared_data / "desi/coadd-5-169-thru20210419.fits", 5),
                        (shared_data / "desi/spectra-sv3-dark-26065.fits", 5)):
        assert identify(path) == "desi"
        batch, = instrument.read_batches([path])
        assert len(batch) == count
        with fits.open(path) as hdus:
            assert batch.meta["id"] == hdus["FIBERMAP"].data["TARGETID"].tolist()
            for letter, place in (("B", slice(0, 2700)), ("R", slice(2751, 4900)), ("Z", slice(5026, 7781))):
                first = hdus[f"{letter}_WAVELENGTH"].data[0]
                own = slice(place.start - round((first - 3600) / 0.8), place.stop - round((first - 3600) / 0.8))
                flux, ivar, mask = (hdus[f"{letter}_{part}"].data[:, own] for part in ("FLUX", "IVAR", "MASK"))
                good = (mask == 0) & (ivar > 0)
                np.testing.assert_array_equal(~batch.mask[:, place], good)
                np.testing.assert_array_equal(batch.value[:, place][good], flux[good])
                np.testing.assert_allclose(batch.error[:, place][good], ivar[good] ** -0.5, rtol=1e-6)


def test_real_widths_are_those_of_the_line_spread(shared_data, instrument):
    for path in (shared_data / "desi").glob("*.fits"):
        for star in instrument.read(path):
            known = np.isfinite(star.meta["dispersion"])
            if known.any():
                ratio = star.meta["dispersion"][known] / instrument.line_spread.sigma(star.spectral_axis.value[known])
                assert abs(np.median(ratio) - 1) < 0.05 and np.percentile(np.abs(ratio - 1), 90) < 0.12
