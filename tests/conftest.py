"""What all tests share: where the scanner data are."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of scanner data: DEEPGADGETS_DATA, else ``../shared/data``. Tests that use it are marked data."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("DEEPGADGETS_DATA") or beside)
    if not folder.is_dir():
        pytest.skip("no scanner data: set DEEPGADGETS_DATA to their folder")
    return folder
