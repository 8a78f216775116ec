"""Where the real data are, and fakes that the archive could have served."""

import os
from pathlib import Path

import pytest
from gaia_fakes import fake_table

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def shared_data() -> Path:
    """Give the folder of real data beside the repository, or skip."""
    folder = Path(os.environ.get("ASTROFM_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "gaia-xp").is_dir():
        pytest.skip(f"no real data in {folder}: set ASTROFM_SHARED_DATA")
    return folder


@pytest.fixture
def table() -> dict:
    """Make six continuous spectra; the second without BP, the fourth without RP, the fifth twice."""
    return fake_table(6, no_bp=[1], no_rp=[3], twice=[(4, 5)])
