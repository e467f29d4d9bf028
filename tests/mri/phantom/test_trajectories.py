"""Trajectories of simulated scans."""

import numpy as np
import pytest

from gadgets.mri.phantom.trajectories import radial


@pytest.mark.parametrize("samples", [7, 8, 16])
def test_spokes_are_diameters_through_the_centre(samples):
    k = radial(5, samples, 8)
    assert k.shape == (5, samples, 3)
    assert not k[:, samples // 2].any() and not k[..., 0].any()
    length = np.linalg.norm(k, axis=-1)
    assert length.max() <= 4
    np.testing.assert_allclose(np.linalg.norm(np.diff(k, axis=1), axis=-1), 8 / samples)
    np.testing.assert_allclose(k[0, :, 2], (np.arange(samples) - samples // 2) * 8 / samples)


def test_however_many_golden_spokes_cover_all_directions():
    """No gap is wider than golden ratio squared times the narrowest: three gap theorem."""
    for spokes in (5, 8, 20, 34):
        k = radial(spokes, 4, 4, golden=True, first=11)
        angle = np.sort(np.arctan2(k[:, 0, 1], k[:, 0, 2]) % np.pi)
        gaps = np.diff([*angle, angle[0] + np.pi])
        assert gaps.max() < 2.62 * gaps.min()
    np.testing.assert_array_equal(radial(3, 4, 4, golden=True, first=2)[0], radial(5, 4, 4, golden=True)[2])
