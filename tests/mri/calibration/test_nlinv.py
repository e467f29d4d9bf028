"""Maps and image by nonlinear inversion."""

import pytest
import torch

from gadgets.mri.calibration.nlinv import nlinv, nlinv_maps
from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from tests.support.sampled_phantom import phantom_scan, random_sampling


@pytest.fixture(scope="module")
def scan():
    """Noiseless k-space of known maps, and where the object is."""
    kspace, csm, image = phantom_scan(48, random_sampling(48, 2.0, centre=4), noise=0)
    return kspace, csm, image[0, 0].abs() > 0.1


def misfit(kspace, iterations):
    csm, image = nlinv(kspace, iterations=iterations)
    return float((encoding(kspace, csm)(image) - kspace.data).norm() / kspace.data.norm())


def test_what_is_exact_is_reproduced(scan):
    """What regularisation keeps from the data goes with its square root at least."""
    kspace, _, _ = scan
    first, second = misfit(kspace, 10), misfit(kspace, 16)
    assert first < 0.05
    assert second < 2**-3 * first


def test_maps_are_those_of_the_coils(scan):
    kspace, truth, inside = scan
    csm, _ = nlinv(kspace)
    torch.testing.assert_close(csm.norm(dim=-4), torch.ones(1, 48, 48))
    overlap = (csm.conj() * truth).sum(dim=0)[0].abs()
    assert overlap[inside].min() > 0.98


def test_slow_phase_of_the_object_is_in_the_maps():
    kspace, csm, image = phantom_scan(48, torch.ones(1, 1, 48, 48, dtype=torch.bool), noise=0)
    # Darker places can be negative: they ring.
    inside = image[0, 0].abs() > 0.15
    place = torch.linspace(-1, 1, 48)
    phase = 2 + place - 1.5 * place[:, None] * place
    turned = torch.exp(1j * phase)
    data = fft(csm * turned * image, (-3, -2, -1))
    maps, found = nlinv(KSpace(data=data, mask=kspace.mask))
    little = 0.15 * float(phase[inside].abs().max())
    assert found[0, 0].angle()[inside].abs().max() < little
    assert ((csm.conj() * maps).sum(dim=0)[0] * turned.conj()).angle()[inside].abs().max() < little


def test_maps_alone_are_found_by_the_centre_on_the_whole_matrix():
    kspace, truth, image = phantom_scan(100, random_sampling(100, 2.0, centre=4), noise=0)
    csm = nlinv_maps(kspace)
    assert csm.shape == truth.shape
    inside = image[0, 0].abs() > 0.15
    assert (csm.conj() * truth).sum(dim=0)[0].abs()[inside].min() > 0.95
    outer = kspace.mask.clone()
    outer[..., 18:82, 18:82] = False
    with pytest.raises(ValueError, match="no sample of the centre"):
        nlinv_maps(KSpace(data=kspace.data * outer, mask=outer))


def test_nothing_gives_nothing():
    empty = KSpace(data=torch.zeros(2, 3, 1, 8, 8, dtype=torch.complex64), mask=torch.ones(1, 1, 1, 8, 8).bool())
    csm, image = nlinv(empty)
    assert not csm.any()
    assert not image.any()
