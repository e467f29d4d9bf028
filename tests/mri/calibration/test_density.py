"""The area of k-space that each sample stands for."""

import math

import pytest
import torch

from gadgets.mri.calibration.density import density, pipe_menon
from gadgets.mri.calibration.radial_density import is_radial, radial_density
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.radial_scan import coil_images, radial_scan, trajectory

SIZE = 48
ALL = torch.ones(1, 1, 1, 1, dtype=torch.bool)
SPOKES = {
    "regular": lambda: trajectory(spokes=80, size=SIZE),
    "golden": lambda: trajectory(spokes=110, size=SIZE, golden=True),
}
WAYS = {
    "closed form": lambda places: radial_density(places, ALL),
    "iteration": lambda places: pipe_menon(places, (1, SIZE, SIZE), ALL),
}


def spread(places, dcf, matrix=(1, SIZE, SIZE)):
    """The image of a point in the middle."""
    return NonUniformFourierOp(places, matrix).adjoint(dcf + 0j).squeeze() / math.sqrt(math.prod(matrix))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spokes", SPOKES)
def test_all_of_k_space_is_counted_once(spokes, way):
    places = SPOKES[spokes]()
    dcf = WAYS[way](places)
    # Samples end half a sample before the edge on one side; iteration counts the cells that the edge cuts in part.
    assert float(dcf.sum()) == pytest.approx(math.pi * (SIZE / 2) ** 2, rel=0.04)
    assert (dcf >= 0).all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spokes", SPOKES)
def test_the_image_of_a_point_is_that_of_a_disc_of_k_space(spokes, way):
    places = SPOKES[spokes]()
    line = spread(places, WAYS[way](places)).real[SIZE // 2, SIZE // 2 :]
    r = torch.arange(1, 12) * math.pi
    disc = 2 * torch.special.bessel_j1(r) / r
    # Up to the third zero; at its end iteration makes the edge of k-space a little brighter.
    torch.testing.assert_close(line[1:12] / line[0], disc, rtol=0, atol=0.02)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spokes", SPOKES)
def test_gridding_gives_the_image_of_cartesian_k_space(spokes, way):
    places = SPOKES[spokes]()
    kspace, expected = radial_scan(places, SIZE), coil_images(SIZE)
    found = NonUniformFourierOp(places, (1, SIZE, SIZE)).adjoint(WAYS[way](places) * kspace.data)
    # Golden spokes leave gaps up to 1.17 times those of regular ones. Without the right centre it would be 0.02.
    assert nrmse(found.numpy(), expected.numpy(), support(expected.norm(dim=-4, keepdim=True).numpy())) < 0.005


def test_on_the_grid_every_sample_is_a_cell():
    k = torch.arange(16.0) - 8
    places = torch.stack(torch.meshgrid(torch.zeros(1), k, k, indexing="ij"))
    # The edge has no neighbours on one side, which sinc^2 does not see on the grid.
    torch.testing.assert_close(pipe_menon(places, (1, 16, 16), ALL), torch.ones(1, 1, 16, 16), rtol=0, atol=1e-3)


@pytest.mark.parametrize("shift", [0.0, 0.2, 0.5])
def test_the_centre_may_lie_between_samples(shift):
    """A sum over |k| f(k) needs what Euler and Maclaurin add to it, wherever the first sample is."""
    angle = torch.arange(40.0) * math.pi / 40
    radius = torch.arange(-48.0, 48) / 2 + shift / 2
    places = torch.stack([0 * angle, angle.sin(), angle.cos()])[:, None, :, None] * radius
    dcf = radial_density(places, ALL)
    # The integral of a Gaussian over the plane.
    assert float((dcf * torch.exp(-radius.square() / 2)).sum()) == pytest.approx(2 * math.pi, rel=2e-3)


def test_radii_count_as_diameters_do():
    whole = trajectory(spokes=30, size=32, oversampling=1)
    ahead = whole[..., 16:]
    behind = whole[..., 1:17].flip(-1)
    apart = radial_density(torch.cat([ahead, behind], dim=-2), ALL)
    dcf = radial_density(whole, ALL)
    torch.testing.assert_close(apart[..., :30, 1:], dcf[..., 17:])
    torch.testing.assert_close(apart[..., 30:, 1:-1], dcf[..., 2:16].flip(-1))
    torch.testing.assert_close(apart[..., :30, 0] + apart[..., 30:, 0], dcf[..., 16])


@pytest.mark.parametrize("way", [radial_density, lambda places, mask: pipe_menon(places, (1, 16, 16), mask)])
def test_what_was_not_acquired_takes_no_area(way):
    places = trajectory(spokes=20, size=16)
    mask = torch.ones(1, 1, 20, 1, dtype=torch.bool)
    mask[:, :, 5:9] = False
    missing = places.clone()
    missing[..., 5:9, :] = 0
    dcf = way(missing, mask)
    alone = way(places[..., mask.flatten(), :], ALL)
    assert not dcf[..., 5:9, :].any()
    torch.testing.assert_close(dcf[..., mask.flatten(), :], alone, rtol=1e-3, atol=1e-4)


def test_frames_have_densities_of_their_own():
    places = trajectory(3, spokes=13, size=32, golden=True)
    for way in (radial_density, lambda p, mask: pipe_menon(p, (1, 32, 32), mask)):
        together = way(places, ALL[None])
        assert together.shape == (3, 1, 1, 13, 64)
        torch.testing.assert_close(together[2], way(places[2], ALL), rtol=1e-3, atol=1e-4)


def test_tells_spokes_from_other_trajectories():
    assert is_radial(trajectory(spokes=7, size=16))
    angle = torch.arange(64) / 8
    spiral = torch.stack([0 * angle, angle * angle.sin(), angle * angle.cos()])[:, None, None]
    assert not is_radial(spiral)
    assert not is_radial(trajectory(spokes=7, size=16).roll(1, dims=0))
    assert not is_radial(torch.zeros(3, 1, 2, 8))


def test_own_density_goes_before_that_of_spokes_and_that_before_iteration():
    places = trajectory(spokes=20, size=16)
    data = torch.zeros(2, *places.shape[1:], dtype=torch.complex64)
    kspace = KSpace(data=data, mask=ALL, trajectory=places, grid=(1, 16, 16))
    torch.testing.assert_close(density(kspace), radial_density(places, ALL))
    own = KSpace(data=data, mask=ALL, trajectory=places, grid=(1, 16, 16), dcf=torch.rand(1, 1, 1, 32))
    torch.testing.assert_close(density(own), own.dcf)
    bent = places + torch.tensor([0.0, 2.0, 0.0])[:, None, None, None] * (places > 0)
    other = KSpace(data=data, mask=ALL, trajectory=bent, grid=(1, 16, 16))
    torch.testing.assert_close(density(other), pipe_menon(bent, (1, 16, 16), ALL))
    with pytest.raises(ValueError, match="density reconstructs k-space along a trajectory"):
        density(KSpace.from_data(data))
