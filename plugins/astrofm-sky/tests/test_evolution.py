"""Evolved stars are those of the isochrones: interpolated between them, drawn in their proportions, and like real ones."""

import gzip

import numpy as np
import pytest
from astrofm_sky.evolution import PHASES, Isochrones, surface_c_n

from astrofm.errors import DataError, ReadError


@pytest.fixture
def folder(tmp_path):
    """Write isochrones on which everything is linear in log age, [M/H] and the place along a phase."""
    (tmp_path / "isochrones").mkdir()
    for z in (0.00152, 0.0152, 0.0304):
        m_h, rows = np.log10(z / 0.0152), []
        for log_age in (9.0, 9.5, 10.0):
            for phase in (1, *PHASES):
                place = np.linspace(0, 1, 30)
                mass = 11 - log_age + 0.1 * m_h + 0.01 * phase + 0.005 * place
                rows.append(np.stack([np.full(30, log_age), mass, mass - 0.01, 1 + place, np.full(30, 3.7 - 0.02 * m_h),
                                      3.5 - 2 * place, np.zeros(30), np.full(30, phase)], axis=1))
        with gzip.open(tmp_path / "isochrones" / f"parsec_z{z:.5f}.dat.gz", "wt") as stream:
            np.savetxt(stream, np.concatenate(rows), header="log(age) Mini Mact logl logt logg Composition Phase")
    return tmp_path


def test_stars_are_interpolated_in_age_metallicity_and_place(folder):
    grid = Isochrones.open(folder)
    random = np.random.default_rng(0)
    log_age, m_h, place = random.uniform(9, 10, 50), random.uniform(-1, 0.3, 50), random.random(50)
    stars = grid.at(log_age, m_h, np.full(50, 3), place)
    np.testing.assert_allclose(stars["initial_mass"], 11 - log_age + 0.1 * m_h + 0.03 + 0.005 * place, rtol=1e-6)
    np.testing.assert_allclose(stars["log_teff"], 3.7 - 0.02 * m_h, rtol=1e-6)
    np.testing.assert_allclose(stars["logg"], 3.5 - 2 * place, atol=1e-6)


def test_nothing_is_made_beyond_the_isochrones(folder, tmp_path_factory):
    grid = Isochrones.open(folder)
    for log_age, m_h, phase, place, words in (
            (10.1, 0, 2, 0.5, "log_age lies outside 9 to 10"), (9.5, 0.5, 2, 0.5, "m_h lies"),
            (9.5, 0, 1, 0.5, "phases are 2"), (9.5, 0, 2, 1.5, "place lies outside")):
        with pytest.raises(DataError, match=words):
            grid.at(np.array([log_age]), np.array([m_h]), np.array([phase]), np.array([place]))
    with pytest.raises(ReadError, match="docs/sky.rst"):
        Isochrones.open(tmp_path_factory.mktemp("empty"))
    path = next((folder / "isochrones").iterdir())
    path.write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(ReadError, match="is no isochrone"):
        Isochrones.open(folder)


def test_giants_stay_in_their_ranges_and_repeat(folder):
    grid = Isochrones.open(folder)
    first, again = (grid.giants(500, np.random.default_rng(2), age=(2.0, 9.0), logg=(2.0, 3.0)) for _ in range(2))
    assert all(len(column) == 500 and np.isfinite(column).all() for column in first.values())
    assert ((first["logg"] >= 2) & (first["logg"] <= 3)).all() and ((first["age"] >= 2) & (first["age"] <= 9)).all()
    np.testing.assert_array_equal(first["mass"], again["mass"])


def test_carbon_over_nitrogen_follows_the_published_relation():
    assert surface_c_n(np.array([1.0]))[0] == pytest.approx((9 - 10.14) / 2.23)
    scattered = surface_c_n(np.full(4000, 3.0), np.random.default_rng(0))
    assert scattered.std() == pytest.approx(0.06, rel=0.1)


def test_real_isochrones_give_the_giants_that_kepler_saw(shared_data):
    from astropy.table import Table

    giants = Isochrones.open(shared_data).giants(5000, np.random.default_rng(0), logg=(1.8, 3.1))
    real = Table.read(shared_data / "labels" / "APOKASC_Catalog.v7.1.fits")
    mass, teff, logg = (np.asarray(real[name], float) for name in ("KASC_RG_MASS_SCALE_1", "CORR_ASPCAP TEFF",
                                                                   "CORR_ASPCAP LOGG"))
    seen = (mass > 0.5) & (mass < 4) & (logg > 1.8) & (logg < 3.1)
    for ours, theirs, within in ((giants["mass"], mass, 0.15), (giants["teff"], teff, 200), (giants["logg"], logg, 0.2)):
        assert abs(np.median(ours) - np.median(theirs[seen])) < within
    clump = giants["phase"] == 3
    assert 0.2 < clump.mean() < 0.8 and np.median(giants["logg"][clump]) == pytest.approx(2.5, abs=0.15)
    old = (giants["age"] > 4) & (giants["age"] < 5) & (giants["phase"] == 2)
    assert np.median(giants["initial_mass"][old]) == pytest.approx(1.28, abs=0.08), "4.5 Gyr of solar metallicity: 1.28"
