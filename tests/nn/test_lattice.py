"""One lattice for all wavelengths."""

import numpy as np
import pytest
import torch

from astrofm.errors import DataError
from astrofm.nn.lattice import STEP, Lattice, level_of, pixels, span

SURVEY = 10 ** (3.5682 + STEP * np.arange(3909))
COARSE = np.arange(3360.0, 10201.0, 20.0)


def _on_lattice(wavelength, value, error=0.01, mask=None):
    lattice = Lattice(64)
    plan = lattice.plan(torch.from_numpy(wavelength))
    value = torch.tensor(np.atleast_2d(value), dtype=torch.float32)
    mask = torch.zeros(value.shape, dtype=torch.bool) if mask is None else mask
    return plan, *lattice.patches(plan, value, torch.full_like(value, error), mask)


def test_pixels_that_are_the_lattices_own_come_through_unchanged():
    value = np.random.default_rng(0).normal(1, 0.1, len(SURVEY))
    plan, found, error, mask = _on_lattice(SURVEY, value)
    assert plan.level == 0
    flat, bad = found.flatten(), mask.flatten()
    np.testing.assert_allclose(flat[~bad].numpy(), value, atol=2e-3)
    np.testing.assert_allclose(error.flatten()[~bad].numpy(), 0.01, rtol=0.02)


@pytest.mark.parametrize(("wavelength", "level"), [(SURVEY, 0), (COARSE, 3), (np.geomspace(3530, 9200, 2048), 1)])
def test_a_grid_goes_to_the_level_nearest_its_own_sampling(wavelength, level):
    assert level_of(wavelength) == level


@pytest.mark.parametrize("wavelength", [SURVEY, COARSE, np.linspace(15100, 17000, 8575)])
def test_patches_cover_the_whole_grid_and_little_more(wavelength):
    level = level_of(wavelength)
    first, count = span(wavelength, level, 64)
    grid = pixels(level, first, 64 * count)
    assert grid[0] <= wavelength[0] * (1 + 1e-4) and grid[-1] >= wavelength[-1] * (1 - 1e-3)
    assert grid[63] >= wavelength[0] * (1 - 1e-4) and grid[-64] <= wavelength[-1] * (1 + 1e-3)


@pytest.mark.parametrize("wavelength", [SURVEY, COARSE, np.linspace(4000.0, 4400.0, 9000)])
def test_a_constant_stays_constant_at_any_sampling(wavelength):
    _, found, _, mask = _on_lattice(wavelength, np.full(len(wavelength), 3.0))
    np.testing.assert_allclose(found[~mask].numpy(), 3.0, rtol=1e-4)


def test_fine_pixels_average_down_and_their_errors_with_them():
    wavelength = 10 ** (3.6 + STEP / 10 * np.arange(20_000))
    _, _, error, mask = _on_lattice(wavelength, np.ones(len(wavelength)))
    inner = error[~mask][20:-20]
    np.testing.assert_allclose(inner.numpy(), 0.01 / np.sqrt(10), rtol=0.06)


def test_masked_pixels_do_not_count():
    mask = torch.zeros(1, len(SURVEY), dtype=torch.bool)
    mask[0, 1000:1100] = True
    value = np.ones(len(SURVEY))
    clean = _on_lattice(SURVEY, value, mask=mask)[1:]
    value[1000:1100] = 1e6
    poisoned = _on_lattice(SURVEY, value, mask=mask)[1:]
    for a, b in zip(clean, poisoned, strict=True):
        torch.testing.assert_close(a, b)
    assert int(clean[2].sum()) >= 100


def test_a_grid_for_each_star_is_refused_with_words():
    with pytest.raises(DataError, match="share one grid"):
        Lattice(64).plan(torch.ones(2, 10, dtype=torch.float64))


def test_wavelengths_that_do_not_increase_are_refused():
    with pytest.raises(DataError, match="increase"):
        Lattice(64).plan(torch.tensor([5000.0, 5001.0, 4000.0], dtype=torch.float64))


def test_plans_are_kept_and_bounded():
    lattice = Lattice(8)
    wave = torch.linspace(4000, 5000, 50, dtype=torch.float64)
    assert lattice.plan(wave) is lattice.plan(wave.clone())
    for k in range(lattice.CAPACITY + 5):
        lattice.plan(wave + k)
    assert len(lattice._plans) == lattice.CAPACITY
