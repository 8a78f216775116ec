"""Calibration: the official tool's numbers, for any number of sources."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from astrofm_gaia import calibration
from astrofm_gaia.calibration import calibrate, covariance, flux, flux_error, instrument_model
from astrofm_gaia.coefficients import XPCoefficients
from astrofm_gaia.instrument import ARCHIVE_GRID, GaiaXP
from astrofm_gaia.products import read_table
from gaia_fakes import fake_table

from astrofm.errors import DataError, PluginError


def official(table):
    """Calibrate with GaiaXPy's public function."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import gaiaxpy
        import pandas

        frame = pandas.DataFrame({name: [None if np.size(x) == 0 else x for x in column]
                                  for name, column in table.items()})
        for band in ("bp", "rp"):
            for name in ("coefficients", "coefficient_errors", "coefficient_correlations"):
                frame[f"{band}_{name}"] = [np.nan if x is None else np.asarray(x, float)
                                           for x in frame[f"{band}_{name}"]]
        result, grid = gaiaxpy.calibrate(frame, save_file=False)
    return np.stack(result["flux"]), np.stack(result["flux_error"]), grid


def same(ours, theirs, tolerance=1e-6):
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    good = np.isfinite(theirs)
    assert np.all(np.abs(ours - theirs)[good] <= tolerance * np.abs(theirs)[good])


def rows_of(path):
    product, blocks = read_table(path)
    return product, next(blocks)


@pytest.mark.parametrize(("given", "solution"), [
    ("XP_CONTINUOUS_RAW.csv", "calibrator_solution_default.csv"),
    ("XP_CONTINUOUS_RAW.fits", "calibrator_solution_default.csv"),
    ("XP_CONTINUOUS_RAW.xml", "calibrator_solution_default.csv"),
    ("XP_CONTINUOUS_RAW_with_missing_BP.csv", "with_missing_calibrator_solution.csv"),
    ("XP_CONTINUOUS_RAW_with_missing_BP.ecsv", "with_missing_calibrator_solution.csv"),
    ("XP_CONTINUOUS_RAW_with_missing_BP.fits", "with_missing_calibrator_solution.csv"),
])
def test_the_official_solutions_are_met_to_a_millionth(shared_data, given, solution):
    folder = shared_data / "gaia-xp"
    product, table = rows_of(folder / given)
    oracle = rows_of(folder / solution)[1]
    coefficients = XPCoefficients.from_table(table)
    assert product == "continuous"
    assert np.array_equal(coefficients.source_id, oracle["source_id"])
    same(flux(coefficients), np.stack(oracle["flux"]))
    same(flux_error(coefficients), np.stack(oracle["flux_error"]))


def test_the_official_tool_is_met_on_fakes_with_missing_photometers(table):
    theirs, their_errors, grid = official(table)
    coefficients = XPCoefficients.from_table(table)
    assert np.array_equal(grid, ARCHIVE_GRID)
    same(flux(coefficients), theirs)
    same(flux_error(coefficients), their_errors)


def test_the_instrument_model_is_on_the_archives_grid():
    grid, bases, merge = instrument_model()
    assert np.array_equal(grid, ARCHIVE_GRID)
    assert bases.shape == (2, 55, 343)
    assert np.allclose(merge.sum(axis=0), 1)


def test_a_missing_photometer_is_a_mask(table):
    batch = calibrate(table)
    nm = batch.coordinate / 10
    assert batch.meta["missing"] == ["", "bp", "", "rp", "", ""]
    assert np.array_equal(batch.mask[1], nm <= 635)
    assert np.array_equal(batch.mask[3], nm >= 643)
    assert not batch.mask[[0, 2, 4, 5]].any()
    assert not batch.value[batch.mask].any()


def test_a_source_without_both_photometers_is_all_mask():
    batch = calibrate(fake_table(2, no_bp=[0], no_rp=[0]))
    assert batch.mask[0].all() and not batch.mask[1].any()
    assert batch.meta["missing"][0] == "bp rp"


def test_order_and_duplicates_are_kept_and_ids_are_exact(table):
    batch = calibrate(table)
    assert batch.meta["id"] == [str(item) for item in table["source_id"]]
    assert batch.meta["source_id"] == table["source_id"]
    assert np.array_equal(batch.value[4], batch.value[5])


def test_each_source_is_calibrated_by_itself(table):
    whole = XPCoefficients.from_table(table)
    values, errors = flux(whole), flux_error(whole)
    for row in range(len(whole)):
        same(flux(whole[row:row + 1])[0], values[row], 1e-9)
        same(flux_error(whole[row:row + 1])[0], errors[row], 1e-9)


def test_many_blocks_give_what_one_block_gives(monkeypatch):
    whole = XPCoefficients.from_table(fake_table(11, no_rp=[2, 9]))
    errors = flux_error(whole)
    monkeypatch.setattr(calibration, "BLOCK", 3)
    same(flux_error(whole), errors, 1e-9)


def test_no_source_gives_an_empty_batch():
    batch = calibrate(fake_table(0))
    assert batch.value.shape == (0, 343) and batch.meta["id"] == []


def test_fluxes_alone_need_only_the_coefficients(table):
    whole = flux(XPCoefficients.from_table(table))
    alone = {name: table[name] for name in ("source_id", "bp_coefficients", "rp_coefficients")}
    same(flux(alone), whole, 1e-12)


def test_the_covariance_has_the_errors_on_its_diagonal(table):
    coefficients = XPCoefficients.from_table(table)
    errors = flux_error(coefficients)
    for row in range(len(coefficients)):
        matrix = covariance(coefficients, row)
        same(np.sqrt(np.diag(matrix)), errors[row], 1e-6)
        assert np.allclose(matrix, matrix.T, rtol=1e-9, atol=0, equal_nan=True)


def test_the_covariance_is_that_of_noise_in_the_coefficients(table):
    coefficients = XPCoefficients.from_table(table)[0:1]
    random = np.random.default_rng(5)
    draws = np.empty((40000, 110))
    for band in range(2):
        place = slice(55 * band, 55 * (band + 1))
        correlation = np.eye(55)
        correlation[np.tril_indices(55, -1)] = coefficients.correlations[0, 1485 * band:1485 * (band + 1)]
        correlation = np.tril(correlation, -1) + np.tril(correlation).T
        root = np.linalg.cholesky(correlation)
        draws[:, place] = (random.normal(size=(40000, 55)) @ root.T) * coefficients.errors[0, place]
    values = calibration._flux(draws, calibration.design(True, True))
    expected = covariance(coefficients)
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs((np.cov(values.T) - expected) / scale).max() < 0.03


def test_the_whole_correlation_matrix_is_as_good_as_its_triangle(table):
    whole = dict(table)
    for band in ("bp", "rp"):
        matrices = []
        for vector in table[f"{band}_coefficient_correlations"]:
            matrix = np.eye(55)
            if len(vector):
                matrix[np.tril_indices(55, -1)] = vector
                matrix = np.tril(matrix) + np.tril(matrix, -1).T
            matrices.append(matrix if len(vector) else vector)
        whole[f"{band}_coefficient_correlations"] = matrices
    same(flux_error(XPCoefficients.from_table(whole)), flux_error(XPCoefficients.from_table(table)), 1e-6)


@pytest.mark.parametrize(("column", "spoil", "says"), [
    ("bp_coefficients", lambda x: np.where(np.arange(55) == 3, np.nan, x), "BP coefficients that are not"),
    ("rp_coefficients", lambda x: np.where(np.arange(55) == 0, np.inf, x), "RP coefficients that are not"),
    ("rp_coefficient_errors", lambda x: -x, "RP coefficient errors that are not positive"),
    ("bp_coefficient_errors", lambda x: x * np.nan, "bp_coefficients or bp_coefficient_errors"),
    ("rp_coefficient_correlations", lambda x: x * 0 + 2, "outside -1 to 1"),
    ("bp_coefficient_correlations", lambda x: x[:-1], "has 1484 values, expected 1485"),
    ("bp_coefficients", lambda x: x[:50], "has 50 values, expected 55"),
])
def test_values_that_cannot_be_are_refused_by_source(table, column, spoil, says):
    table[column] = [spoil(x) if row == 2 else x for row, x in enumerate(table[column])]
    with pytest.raises(DataError, match=says) as error:
        XPCoefficients.from_table(table)
    assert str(table["source_id"][2]) in str(error.value)


def test_float_source_ids_are_refused(table):
    with pytest.raises(DataError, match="lost its last digits"):
        calibrate({**table, "source_id": np.array(table["source_id"], float)})


def test_a_lacking_column_is_named(table):
    del table["rp_coefficient_errors"]
    with pytest.raises(DataError, match="no column rp_coefficient_errors"):
        calibrate(table)


def test_another_version_of_the_model_is_refused(monkeypatch):
    from gaiaxpy.core import config

    monkeypatch.setattr(config, "load_xpsampling_from_xml",
                        lambda: {"bp": np.ones((54, 343)), "rp": np.ones((54, 343))})
    instrument_model.cache_clear()
    with pytest.raises(PluginError, match="another version"):
        instrument_model()
    monkeypatch.undo()
    instrument_model.cache_clear()


def test_the_line_spread_is_within_the_published_resolution():
    wave = GaiaXP().wavelength()
    resolution = wave / (GaiaXP().line_spread.sigma(wave) * 2.3548)
    assert 25 < resolution.min() and resolution.max() < 110


def test_plots_of_users_stay_as_they_were():
    code = ("import matplotlib\nfrom astrofm_gaia.calibration import instrument_model\nbefore = dict(matplotlib.rcParams)\n"
            "instrument_model()\nassert dict(matplotlib.rcParams) == before")
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
