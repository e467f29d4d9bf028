"""Noise by replicas agrees with noise by theory."""

import pytest
import torch

from gadgets.mri.calibration.noise import NoiseCovariance, noise_scale, whitening
from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.methods.grappa import Grappa
from gadgets.mri.methods.sense import Sense
from gadgets.mri.phantom.scan import coil_maps, truth
from gadgets.mri.quality.pseudo_replica import pseudo_replica
from tests.support.lattices import lattice_mask

REPLICAS = 100
# Of a standard deviation from n samples, relative to itself.
ERROR = 1 / (2 * (REPLICAS - 1)) ** 0.5


def noise(*shape, seed=0):
    """Unit standard deviation in the real and in the imaginary part."""
    return 2**0.5 * torch.randn(shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def scan(mask, coils=8, signal=200.0):
    """K-space in units of its noise, and maps that end."""
    matrix = tuple(mask.shape[-3:])
    maps = torch.from_numpy(coil_maps(matrix[::-1], coils=coils)).to(torch.complex64)
    image = torch.from_numpy(truth(matrix[::-1]))[None]
    inside = torch.nn.functional.max_pool2d(image.abs(), 5, 1, 2) > 0
    csm = maps / maps.norm(dim=0) * inside
    data = fft(maps / maps.norm(dim=0) * signal * image, (-3, -2, -1))
    full = data + noise(*data.shape)
    return KSpace(data=full * mask, mask=mask), KSpace.from_data(full), csm


def agrees(found, expected, inside):
    """The errors are those of counting: as large as foretold, and without a bias."""
    relative = (found / expected)[inside] - 1
    assert relative.square().mean().sqrt() < 1.1 * ERROR
    assert relative.mean().abs() < 0.15 * ERROR


@pytest.mark.parametrize(("step", "lines"), [(1, 40), (2, 40), (4, 40), (2, 30)])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_sense(step, lines, scale):
    """Whatever the scale of the maps is, and where lines are missing at the border of k-space."""
    mask = lattice_mask((1, 40, 32), (1, step), first=(0, step // 2))
    mask[:, :, lines:] = False
    kspace, _, csm = scan(mask)
    inside = csm[:1].abs() > 0
    theory = Sense().unmixing(kspace, scale * csm)
    mean, found = pseudo_replica(lambda one: Sense()(one, scale * csm), kspace, replicas=REPLICAS)
    agrees(found, theory.noise(), inside)
    assert not found[~inside].any()
    assert ((mean - Sense()(kspace, scale * csm)).abs() < 6 * theory.noise() / REPLICAS**0.5)[inside].all()


@pytest.mark.parametrize("step", [2, 4])
def test_the_gfactor_is_what_noise_grows_by_more_than_with_the_root_of_the_acceleration(step):
    kspace, _, csm = scan(lattice_mask((1, 40, 32), (1, step)))
    inside = csm[:1].abs() > 0
    (_, fast), (_, full) = (
        pseudo_replica(lambda one: Sense()(one, csm), one, replicas=REPLICAS)
        for one in (kspace, KSpace.from_data(noise(8, 1, 40, 32)))
    )
    ratio = fast / full / step**0.5 / Sense().unmixing(kspace, csm).gfactor()
    assert (ratio[inside] - 1).square().mean().sqrt() < 1.1 * 2**0.5 * ERROR


@pytest.mark.parametrize("step", [2, 4])
def test_grappa(step):
    kspace, full, csm = scan(lattice_mask((1, 40, 32), (1, step)))
    inside = csm[:1].abs() > 0
    method = Grappa()
    calibration = method.calibrate(full)
    theory = method.unmixing(kspace, calibration)
    _, found = pseudo_replica(theory, kspace, replicas=REPLICAS)
    agrees(found, theory.noise(), inside)
    if step == 2:
        # The method itself ends where k-space does: at either border, one line of 40 has half of its sources.
        _, found = pseudo_replica(lambda one: method(one, calibration), kspace, replicas=REPLICAS)
        assert (found / theory.noise() - 1)[inside].mean().abs() < 2 / 40


def test_shifted_lattices_have_their_own_noise():
    mask = lattice_mask((4, 20, 20), (2, 2), shift=1)
    maps = torch.from_numpy(coil_maps((20, 20, 4), coils=8)).to(torch.complex64)
    csm = maps / maps.norm(dim=0)
    kspace = KSpace(data=noise(8, 4, 20, 20) * mask, mask=mask)
    theory = Sense().unmixing(kspace, csm)
    _, found = pseudo_replica(lambda one: Sense()(one, csm), kspace, replicas=REPLICAS)
    agrees(found, theory.noise(), torch.ones(1, 4, 20, 20, dtype=torch.bool))


def test_whitened_full_data_give_an_image_of_unit_noise():
    """In units of SNR: whitening, orthonormal transform, combination by normalised maps."""
    generator = torch.Generator().manual_seed(1)
    mixing = torch.randn(6, 6, dtype=torch.complex64, generator=generator)
    covariance = NoiseCovariance(6)
    covariance.add((mixing @ noise(6, 20000, seed=2)).numpy())
    weights = torch.from_numpy(whitening(covariance.matrix())).to(torch.complex64) * noise_scale(10.0, 10.0, 1.0)
    coloured = torch.einsum("ab,bzyx->azyx", mixing, noise(6, 1, 128, 128, seed=3))
    white = KSpace.from_data(torch.einsum("ab,bzyx->azyx", weights, coloured))
    maps = torch.from_numpy(coil_maps((128, 128, 1), coils=6)).to(torch.complex64)
    image = Sense()(white, maps / maps.norm(dim=0))
    # 16384 values: a standard deviation to within 0.6 %, the covariance of 20000 samples to within 1 %.
    assert abs(float(image.real.std()) - 1) < 0.03
    assert abs(float(image.imag.std()) - 1) < 0.03


def test_noise_is_scaled_and_repeated_by_its_seed():
    kspace = KSpace.from_data(noise(4, 1, 16, 16))
    combine = AdaptiveCombine()
    maps = combine.calibrate(kspace)
    run = [
        pseudo_replica(lambda one: combine(one, maps), kspace, replicas=8, noise=n, seed=s)[1]
        for n, s in [(1.0, 0), (1.0, 0), (3.0, 0), (1.0, 1)]
    ]
    assert run[0].equal(run[1])
    torch.testing.assert_close(run[2], 3 * run[0], rtol=1e-3, atol=1e-3)
    assert not run[3].isclose(run[0]).all()


def test_what_is_out_of_phase_does_not_count():
    """A method that keeps the real part has noise there alone."""
    kspace = KSpace.from_data(noise(1, 1, 16, 16, seed=4) + fft(20 * torch.ones(1, 1, 16, 16) + 0j, (-3, -2, -1)))
    _, found = pseudo_replica(lambda one: ifft(one.data, (-3, -2, -1)) * 1j, kspace, replicas=REPLICAS)
    _, imaginary = pseudo_replica(lambda one: 20 + 1j * ifft(one.data, (-3, -2, -1)).imag, kspace, replicas=REPLICAS)
    assert abs(float(found.mean()) - 1) < 3 * ERROR
    assert float(imaginary.mean()) < 0.2


def test_one_replica_is_refused():
    with pytest.raises(ValueError, match="replicas is 1, expected 2 or more"):
        pseudo_replica(lambda one: one.data, KSpace.from_data(noise(1, 1, 4, 4)), replicas=1)
