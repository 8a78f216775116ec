"""Where the real data are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def shared_data() -> Path:
    """Give the folder of real data beside the repository, or skip."""
    folder = Path(os.environ.get("ASTROFM_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "oracles").is_dir():
        pytest.skip(f"no real data in {folder}: set ASTROFM_SHARED_DATA")
    return folder
