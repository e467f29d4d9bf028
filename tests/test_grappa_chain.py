"""The GRAPPA chain on a brain, beside Gadgetron's."""

from pathlib import Path

import ismrmrd
import numpy as np
import pytest

from gadgets.mri.quality.errors import nrmse
from pipelines.clients.dataset import Dataset, read_images
from pipelines.clients.replay import find, replay

pytestmark = pytest.mark.data


def ours(path: Path) -> np.ndarray:
    with Dataset(path) as dataset:
        items = replay(find("cartesian_grappa"), dataset.header, dataset.items())
        (image,) = (item.data[0, 0] for item in items if isinstance(item, ismrmrd.Image))
    return np.asarray(image, float)


def theirs(path: Path) -> np.ndarray:
    if not path.exists():
        pytest.skip(f"no reference image {path.name} beside the scanner data")
    (image,) = (image for series in read_images(path).values() for image in series)
    return np.squeeze(np.abs(image.data)).astype(float)


@pytest.mark.parametrize("acceleration", [2, 3])
def test_undersampled_is_nearer_to_full_than_gadgetrons(data_dir, acceleration):
    """Each from its own image of the full data, after scaling. The full scan has no noise measurement, so that in
    Gadgetron's most of it is the weight of the coils by their noise; ours are as bright as the receivers see it."""
    full, fewer = "brain_gre_3T_16ch_full", f"brain_gre_3T_16ch_retroR{acceleration}_acs24_noise"
    reference = data_dir.parent / "reference"
    gadgetron = nrmse(*(theirs(reference / f"{name}__grappa_float.h5") for name in (fewer, full)), scaled=True)
    assert nrmse(*(ours(data_dir / "mrd" / f"{name}.h5") for name in (fewer, full)), scaled=True) < gadgetron
