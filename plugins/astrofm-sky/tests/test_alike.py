"""Sources that are the same star are found, whatever their brightness."""

import numpy as np
from astrofm_sky import Sources, analytic_stars, libraries
from astrofm_sky.alike import alike


def test_a_star_that_is_there_twice_is_one_group():
    stars = analytic_stars(30, seed=1)
    twice = Sources(stars.wavelength, np.concatenate([stars.flux, 7 * stars.flux * 1.0005]), None, {},
                    [str(k) for k in range(60)], stars.resolution)
    group = alike(twice)
    assert (group[:30] == group[30:]).all() and len(set(group.tolist())) > 25


def test_the_real_archetypes_repeat(shared_data):
    stars = libraries.archetypes(shared_data, count=3000)
    group = alike(stars)
    assert 300 < group.max() + 1 < 0.6 * len(stars)
