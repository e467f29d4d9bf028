"""Gradient delays from where spokes meet."""

from dataclasses import replace

import pytest
import torch

from gadgets.mri.calibration.ring import ring, shifted
from gadgets.mri.kspace import KSpace
from tests.support.radial_scan import radial_scan, trajectory

SIZE = 48
# s_yy, s_xx, s_xy in cycles per field of view; a sample is half a cycle.
DELAYS = {"none": (0.0, 0.0, 0.0), "axes": (0.3, -0.4, 0.0), "all": (-0.25, 0.5, 0.12), "large": (1.2, 0.9, -0.3)}


def delayed(delays, *, spokes=34, golden=False, noise=0.0):
    """A scan whose gradients lag: nominal trajectory, samples of where it was."""
    nominal = trajectory(spokes=spokes, size=SIZE, golden=golden)
    # All directions of a full turn, as delays of opposite ones are opposite.
    nominal[..., ::2, :] *= -1
    real = shifted(nominal, torch.tensor(delays))
    scan = radial_scan(real, SIZE, smooth=False)
    data = scan.data + noise * torch.randn(scan.data.shape, dtype=scan.data.dtype)
    return KSpace(data=data, mask=scan.mask, trajectory=nominal[None], grid=scan.grid), real


@pytest.mark.parametrize("golden", [False, True])
@pytest.mark.parametrize("delays", DELAYS.values(), ids=DELAYS.keys())
def test_delays_are_found_to_a_twentieth_of_a_sample(delays, golden):
    kspace, _ = delayed(delays, golden=golden)
    found = ring(kspace)
    assert found.shape == (1, 3)
    torch.testing.assert_close(found[0], torch.tensor(delays), rtol=0, atol=0.025)


def test_with_few_spokes_and_noise():
    torch.manual_seed(0)
    # The image has intensities up to 2: at its brightest, a signal to noise ratio of some 20 in the plain image.
    kspace, _ = delayed(DELAYS["all"], spokes=13, noise=0.1)
    torch.testing.assert_close(ring(kspace)[0], torch.tensor(DELAYS["all"]), rtol=0, atol=0.025)


def test_the_corrected_trajectory_is_the_real_one():
    kspace, real = delayed(DELAYS["all"])
    corrected = shifted(kspace.trajectory, ring(kspace))
    assert (corrected[0] - real).abs().max() < 0.025 * 2
    assert (kspace.trajectory[0] - real).abs().max() > 0.3


def test_slices_and_missing_spokes():
    one, _ = delayed(DELAYS["axes"])
    other, _ = delayed(DELAYS["all"])
    mask = torch.ones(2, 1, 1, 34, 1, dtype=torch.bool)
    mask[1, ..., 20:, :] = False
    data = torch.cat([one.data, other.data]) * mask
    found = ring(KSpace(data=data, mask=mask, trajectory=one.trajectory, grid=one.grid))
    torch.testing.assert_close(found, torch.tensor([DELAYS["axes"], DELAYS["all"]]), rtol=0, atol=0.025)


def test_what_is_not_made_of_spokes_is_refused():
    kspace, _ = delayed(DELAYS["none"])
    bent = kspace.trajectory + 3 * (kspace.trajectory > 0)
    bent[:, 0] = 0
    with pytest.raises(ValueError, match="another kind"):
        ring(KSpace(data=kspace.data, mask=kspace.mask, trajectory=bent, grid=kspace.grid))
    first = kspace.trajectory[..., :2, :]
    two = KSpace(data=kspace.data[..., :2, :], mask=kspace.mask, trajectory=first, grid=kspace.grid)
    with pytest.raises(ValueError, match="three spokes or more, 2 were acquired"):
        ring(two)
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="the places where spokes meet are no ellipse"):
        ring(replace(kspace, data=torch.randn_like(kspace.data)))
