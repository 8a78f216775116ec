"""What the tests of every plugin may use."""

import os
from pathlib import Path

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
