"""What every test of astrofm may use."""

import os
from pathlib import Path

import pytest

from astrofm import registry


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real survey files: ``../shared/data`` beside the repository, or where ``ASTROFM_SHARED_DATA`` says."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ASTROFM_SHARED_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set ASTROFM_SHARED_DATA to their folder")
    return folder


@pytest.fixture
def fresh_registry():
    """Let a test change what is installed: the registry forgets before it and after it."""
    registry.refresh()
    yield registry
    registry.refresh()
