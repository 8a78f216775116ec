"""Stars made between the stars of a library."""

import astrofm_sky.between
import numpy as np
import pytest


@pytest.fixture(scope="module")
def between():
    """The module."""
    return astrofm_sky.between


def library(between, *, n: int = 300, noise: float = 0.0):
    """Make stars whose log flux is linear in their labels."""
    random = np.random.default_rng(4)
    labels = np.column_stack([10 ** random.normal(3.72, 0.06, n), random.normal(3.5, 1.0, n), random.normal(-0.3, 0.5, n)])
    slope = random.normal(0, 0.05, (3, 40))
    flux = between.scaled(labels) @ slope + noise * random.normal(size=(n, 40))
    return labels, slope, flux.astype(np.float32)


def test_made_stars_have_the_spectrum_of_their_labels(between):
    labels, slope, flux = library(between)
    stars = between.Between(labels, flux)
    made, of = stars.draw(np.random.default_rng(0), np.arange(200))
    assert np.abs(between.scaled(of) - between.scaled(labels[:200])).max() > 1  # they are other stars
    assert np.abs(made - between.scaled(of) @ slope).max() < 2e-3


def test_the_errors_of_single_stars_average_out(between):
    labels, slope, flux = library(between, noise=0.05)
    stars = between.Between(labels, flux)
    agreed = stars.weights(stars.place) @ flux
    assert np.std(agreed - stars.place @ slope) < 0.6 * 0.05
    assert np.allclose(agreed + stars.own, flux, atol=1e-5)  # and with its own part a star is itself


def test_a_lonely_star_is_not_extrapolated(between):
    labels, _, flux = library(between)
    labels[0], flux[0] = (30000.0, 4.0, 0.0), 3.0
    stars = between.Between(labels, flux)
    made, of = stars.draw(np.random.default_rng(0), np.zeros(50, int))
    assert np.abs(made).max() < 1.1 * np.abs(flux).max()
    assert ((labels[:, 0].min() < of[:, 0]) & (of[:, 0] < 30300)).all()
