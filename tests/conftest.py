"""What all tests share: where the scanner data are, and that nothing is kept in the home folder."""

import os
from collections.abc import Iterator
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


@pytest.fixture(scope="session", autouse=True)
def own_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Noise covariances and jobs of the tests, and of the processes that they start, go into folders of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("GADGETRON_STORAGE_ADDRESS", raising=False)
        patch.setenv("DEEPGADGETS_STORAGE", str(tmp_path_factory.mktemp("storage")))
        patch.setenv("DEEPGADGETS_JOBS", str(tmp_path_factory.mktemp("jobs")))
        yield
