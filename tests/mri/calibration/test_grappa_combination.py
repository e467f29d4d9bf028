"""GRAPPA and combination in one step."""

import pytest
import torch

from gadgets.mri.calibration.grappa_combination import GrappaCombination, noise_scale, on_lattice
from gadgets.mri.calibration.sampling import lattice
from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from tests.support.smooth_phase import smooth_phase

AXES = (-3, -2, -1)


def sampled(lines, n=64):
    mask = torch.zeros(1, 1, n, 1, dtype=torch.bool)
    mask[:, :, lines] = True
    return mask


def test_complete_k_space_is_combined_by_maps_that_are_normalised():
    data, expected = smooth_phase()
    u = GrappaCombination().coefficients(KSpace.from_data(data), (1, 1), len(data))
    torch.testing.assert_close(u.norm(dim=0), torch.ones(1, 64, 64))
    image = (u * ifft(data, AXES)).sum(dim=0)
    inside = expected[0] > 0.1
    # Maps take the phase of the object, but for what changes in a box: its phase turns by up to 0.16 a point, and at
    # the rim the signal of a box comes from two points beside its middle.
    assert (image - expected[0])[inside].abs().max() < 2 * 0.16
    assert (image.abs() - expected[0])[inside].abs().mean() < 0.01


def test_a_lattice_is_unfolded_by_calibration_lines():
    data, expected = smooth_phase()
    mask = sampled(slice(0, None, 2))
    reference = KSpace(data=data * sampled(slice(20, 44)), mask=sampled(slice(20, 44)))
    u = GrappaCombination().coefficients(reference, (1, 2), len(data))
    image, folded = (u * ifft(data * mask, AXES)).sum(dim=0).abs(), 2 * ifft(data * mask, AXES).norm(dim=0)
    inside = expected[0] > 0.1
    norm = expected[0][inside].norm()
    errors = [float((each - expected[0])[inside].norm() / norm) for each in (image, folded)]
    assert errors[0] < 0.05 < 0.3 < errors[1]


def test_how_many_channels_are_made():
    data = torch.ones(5, 1, 4, 4, dtype=torch.complex64) * torch.tensor([1, 0.5, 0.05, 0.5, 0.01])[:, None, None, None]
    assert GrappaCombination(threshold=0.01).channels(data) == 2
    assert GrappaCombination(threshold=0.001).channels(data) == 4
    assert GrappaCombination(threshold=-1.0).channels(data) == 5
    assert GrappaCombination(keep=3).channels(data) == 3
    assert GrappaCombination(keep=9).channels(data) == 5


def test_lines_off_the_lattice_are_left_out():
    data = torch.randn(2, 1, 64, 8, dtype=torch.complex64)
    mask = sampled(slice(1, None, 3)) | sampled(slice(20, 44))
    regular = lattice(mask.expand(1, 1, 64, 8)[0])
    assert regular.extra is not None
    torch.testing.assert_close(on_lattice(data, regular), data * sampled(slice(1, None, 3)))


@pytest.mark.parametrize(
    ("lines", "k0"),
    [(slice(0, None, 2), slice(None)), (slice(0, 40, 3), slice(8, None)), (slice(24, None), slice(None))],
)
def test_noise_is_as_of_complete_k_space(lines, k0):
    """Pseudo-replicas with a coefficient that averages the whole: its gain is that of the signal."""
    torch.manual_seed(0)
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[:, lines, k0] = True
    regular = lattice(mask)
    noise = torch.randn(1, 1, 64, 64, dtype=torch.complex64)
    gain = regular.steps[0] * regular.steps[1]
    image = gain * ifft(noise * mask, AXES) * noise_scale((1, 64, 64), regular)
    assert float(image.abs().square().mean()) == pytest.approx(float(noise.abs().square().mean()), rel=0.1)


def test_complete_lines_are_not_scaled():
    mask = torch.zeros(1, 64, 64, dtype=torch.bool)
    mask[:, :, 10:] = True
    assert noise_scale((1, 64, 64), lattice(mask)) == 1


def test_kernels_of_two_lengths_are_refused():
    data = fft(torch.randn(2, 16, 16, 8, dtype=torch.complex64), AXES)
    method = GrappaCombination(kernel_size=(2, 4, 5))
    with pytest.raises(ValueError, match="kernels are 2 lines long along k2 and 4 along k1"):
        method.coefficients(KSpace.from_data(data), (2, 2), 2)
