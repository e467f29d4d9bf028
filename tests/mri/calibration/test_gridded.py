"""Calibration data on the grid from k-space along a trajectory."""

import pytest
import torch

from gadgets.mri.calibration.gridded import gridded
from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from tests.support.radial_scan import coil_images, radial_scan, trajectory


# Of half-empty cubes, whose gaps are one and a half cells, the outer third of the field of view is known less well.
@pytest.mark.parametrize(
    ("spokes", "golden", "limit"), [(80, False, 0.02), (40, False, 0.02), (40, True, 0.04), (24, False, 0.04)]
)
def test_is_the_centre_of_cartesian_k_space(spokes, golden, limit):
    found = gridded(radial_scan(trajectory(spokes=spokes, size=48, golden=golden), 48))
    expected = fft(coil_images(48), (-3, -2, -1))
    assert found.data.shape == expected.shape
    assert (found.data != 0).any(dim=-4, keepdim=True).equal(found.mask)
    width = found.mask.sum().sqrt()
    # Spokes may be one and a half cells apart at the corners of the cube.
    assert width >= min(32, 1.5 * spokes / torch.pi / 2**0.5 - 1)
    error = (found.data - expected * found.mask).norm() / (expected * found.mask).norm()
    assert error < limit


def test_every_slice_alone():
    kspace = radial_scan(trajectory(spokes=40, size=32), 32, slices=(0, 8))
    alone = radial_scan(trajectory(spokes=40, size=32), 32, slices=(8,))
    torch.testing.assert_close(gridded(kspace).data[1:], gridded(alone).data, rtol=1e-4, atol=1e-4)


def test_without_a_centre_it_is_refused():
    places = trajectory(spokes=40, size=32)
    kspace = radial_scan(places, 32)
    outer = KSpace(
        data=kspace.data, mask=places.norm(dim=-4)[None, None] > 3, trajectory=places[None], grid=(1, 32, 32)
    )
    with pytest.raises(ValueError, match="no sample is at the centre of k-space"):
        gridded(outer)
    with pytest.raises(ValueError, match="only in the central . cells of k-space per axis; 8 are needed"):
        gridded(radial_scan(trajectory(spokes=6, size=32), 32))
    with pytest.raises(ValueError, match="along a trajectory"):
        gridded(KSpace.from_data(kspace.data))
