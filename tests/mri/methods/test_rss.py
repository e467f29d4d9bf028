"""Root sum of squares."""

import numpy as np
import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.rss import Rss
from gadgets.mri.phantom.scan import cartesian, coil_maps, truth
from gadgets.mri.quality.errors import nrmse


def test_is_the_object_times_the_length_of_the_maps():
    data = torch.from_numpy(cartesian((64, 63, 1), coils=5))
    image = Rss()(KSpace.from_data(data)).numpy()
    expected = np.abs(truth((64, 63, 1))) * np.linalg.norm(coil_maps((64, 63, 1), coils=5), axis=0)
    # 3 %: the maps act before the cut of k-space, and not after it.
    assert nrmse(image[0].real, expected) < 0.03
    assert not image.imag.any()


def test_radial_data_are_refused():
    data = torch.ones(2, 1, 4, 8, dtype=torch.complex64)
    radial = KSpace(data=data, mask=torch.ones(1, 1, 4, 8).bool(), trajectory=torch.zeros(3, 1, 4, 8), grid=(1, 8, 8))
    with pytest.raises(ValueError, match="rss reconstructs Cartesian k-space, but this k-space has a trajectory"):
        Rss()(radial)
