"""The adaptive combination's maps."""

import pytest
import torch

from gadgets.mri.calibration.walsh import walsh


def smooth_maps(coils, *matrix):
    """Maps that are waves of low frequency, normalised."""
    torch.manual_seed(0)
    places = torch.meshgrid(*(torch.linspace(-0.5, 0.5, n) if n > 1 else torch.zeros(1) for n in matrix), indexing="ij")
    maps = torch.ones(coils, *matrix, dtype=torch.complex64)
    for place in places:
        waves = torch.sin(place + torch.randn(coils, 1, 1, 1))
        maps = maps + torch.randn(coils, 1, 1, 1, dtype=torch.complex64) * waves
    return maps / maps.norm(dim=0)


@pytest.mark.parametrize("matrix", [(1, 20, 21), (8, 9, 10), (1, 1, 30)])
def test_finds_smooth_maps(matrix):
    maps = smooth_maps(4, *matrix)
    images = maps * (1 + torch.rand(matrix))
    csm, dominance = walsh(images, window=3)
    overlap = (csm.conj() * maps).sum(dim=0).abs()
    assert overlap.min() > 0.98
    assert dominance.shape == (1, *matrix)
    assert dominance.min() > 0.9
    torch.testing.assert_close(csm.norm(dim=0), torch.ones(matrix))


def test_is_the_eigenvector_of_the_local_covariance():
    torch.manual_seed(0)
    images = torch.randn(3, 1, 7, 8, dtype=torch.complex64) + 2
    csm, dominance = walsh(images, window=3, iterations=100)
    patch = images[:, 0, 2:5, 3:6].reshape(3, -1).to(torch.complex128)
    values, vectors = torch.linalg.eigh(patch @ patch.mH)
    assert (vectors[:, -1].conj() @ csm[:, 0, 3, 4].to(torch.complex128)).abs() == pytest.approx(1, abs=1e-5)
    assert dominance[0, 0, 3, 4] == pytest.approx(float(values[-1] / values.sum()), abs=1e-5)


def test_noise_is_not_dominated_by_one_source():
    torch.manual_seed(0)
    _, dominance = walsh(torch.randn(16, 1, 30, 30, dtype=torch.complex64))
    assert dominance.max() < 0.4


def test_a_global_phase_and_scale_do_not_change_maps():
    images = smooth_maps(4, 1, 12, 13)
    csm, _ = walsh(images)
    other, _ = walsh(1e-7j * images)
    torch.testing.assert_close(other, csm, rtol=1e-4, atol=1e-4)


def test_nothing_gives_nothing():
    csm, dominance = walsh(torch.zeros(2, 3, 1, 6, 6, dtype=torch.complex64))
    assert not csm.any()
    assert not dominance.any()


def test_a_window_has_a_centre():
    with pytest.raises(ValueError, match="window is 4"):
        walsh(torch.zeros(3, 1, 6, 6, dtype=torch.complex64), window=4)
