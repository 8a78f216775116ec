"""What the tests of every plugin may use."""

import os
from pathlib import Path

import numpy as np
import pytest

#: the doctest collector would import this file once more, under a name that another conftest has
collect_ignore = ["conftest.py"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of real data beside the repository, or where ``ASTROFM_SHARED_DATA`` says; or skip."""
    folder = Path(os.environ.get("ASTROFM_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}: set ASTROFM_SHARED_DATA")
    return folder


@pytest.fixture(scope="session")
def invented_giants():
    """Evolved stars of invented isochrones and invented spectra: what `astrofm_sky.evolved` makes, without any file."""
    from astrofm_sky import analytic_stars
    from astrofm_sky.between import Between
    from astrofm_sky.evolution import COLUMNS, PHASES, POINTS, Isochrones
    from astrofm_sky.evolved import Evolved

    log_age, m_h, place = np.linspace(8.6, 10.1, 7), np.array([-1.5, -0.5, 0.0, 0.5]), np.linspace(0, 1, POINTS)
    tracks = np.empty((len(m_h), len(log_age), len(PHASES), len(COLUMNS), POINTS))
    for z, metal in enumerate(m_h):
        for a, age in enumerate(log_age):
            mass = 10 ** (0.3 * (10.1 - age)) * 0.95 + 0.02 * place
            logg = 3.5 - 2.3 * place + 0.2 * metal
            log_teff = 3.62 + 0.035 * logg - 0.02 * metal + 0.05 * np.log10(mass)
            tracks[z, a] = np.stack([mass, mass, np.log10(mass) - logg + 4 * (log_teff - 3.762) + 4.44, log_teff, logg])
    stars = analytic_stars(600, seed=2, hottest=6500.0)
    labels = np.stack([stars.labels[name] for name in ("teff", "logg", "fe_h")], axis=1)
    labels[:, 1] = np.random.default_rng(1).uniform(0.5, 4.0, len(labels))
    flux = np.log(np.clip(stars.flux / np.median(stars.flux, axis=1, keepdims=True), 1e-4, None))
    return Evolved(Isochrones(log_age, m_h, tracks), stars.wavelength, Between(labels, flux.astype(np.float32)))
