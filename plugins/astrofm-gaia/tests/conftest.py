"""Fakes that the archive could have served."""

import pytest
from gaia_fakes import fake_table


@pytest.fixture
def table() -> dict:
    """Make six continuous spectra; the second without BP, the fourth without RP, the fifth twice."""
    return fake_table(6, no_bp=[1], no_rp=[3], twice=[(4, 5)])
