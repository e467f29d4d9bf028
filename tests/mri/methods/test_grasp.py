"""GRASP follows a course in time with few spokes per frame."""

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.grasp import Grasp
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.phantom.scan import coil_maps, truth
from gadgets.mri.quality.errors import nrmse
from tests.support.radial_scan import trajectory

SIZE, FRAMES, SPOKES = 48, 12, 8
NOISE = 0.02


@pytest.fixture(scope="module")
def uptake():
    """A spot that takes up contrast, 8 golden spokes a frame (75 would be needed): k-space, maps, frames, the spot."""
    matrix = (1, SIZE, SIZE)
    maps = torch.from_numpy(coil_maps(matrix[::-1], coils=6))
    csm = (maps / maps.norm(dim=0))[None]
    k = torch.arange(SIZE) - SIZE // 2
    spot = ((k[:, None] - 6).square() + (k - 2).square() < 16).float()
    course = torch.sigmoid(torch.arange(FRAMES) - 5.0)
    frames = (torch.from_numpy(truth(matrix[::-1])) + 0.5 * course[:, None, None, None] * spot)[:, None]
    places = trajectory(FRAMES, spokes=SPOKES, size=SIZE, golden=True)
    data = NonUniformFourierOp(places, matrix)(csm * frames)
    noise = torch.randn(data.shape, dtype=data.dtype, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool)
    return KSpace(data=data + NOISE * noise, mask=mask, trajectory=places, grid=matrix), csm, frames, spot


def test_better_than_every_frame_alone(uptake):
    kspace, csm, frames, _ = uptake
    alone = min(
        nrmse(CgSense(iterations=n, damping=d)(kspace, csm).abs().numpy(), frames.abs().numpy())
        for n in (10, 30)
        for d in (1e-3, 1e-1)
    )
    together = nrmse(Grasp()(kspace, csm).abs().numpy(), frames.abs().numpy())
    assert together < 0.5 * alone


def test_the_course_in_time_is_kept(uptake):
    kspace, csm, frames, spot = uptake
    found, expected = (
        ((x.abs() * spot).sum(dim=(-4, -3, -2, -1)) / spot.sum()) for x in (Grasp()(kspace, csm), frames)
    )
    # A tenth of the uptake of 0.5: the differences that it is to lose are 0.02 of the object's intensity, below 1.
    assert (found - expected).abs().max() < 0.05
    average = expected.mean()
    assert (average - expected).abs().max() > 0.2


def test_a_stronger_prior_leaves_less_change(uptake):
    kspace, csm, _, _ = uptake
    change = [Grasp(regularisation=r)(kspace, csm).diff(dim=0).abs().sum() for r in (0.005, 0.05, 10.0)]
    assert change[0] > change[1] > change[2]
    assert change[2] < 0.01 * change[0]


def test_maps_are_of_all_frames_together(uptake):
    kspace, csm, _, _ = uptake
    found = Grasp().calibrate(kspace)
    assert found.shape == csm.shape
    inside = (found != 0).all(dim=1, keepdim=True)
    similarity = (found.conj() * csm).sum(dim=1, keepdim=True).abs()[inside]
    assert similarity.mean() > 0.98


def test_what_it_cannot_do_is_refused(uptake):
    kspace, csm, _, _ = uptake
    single = KSpace(data=kspace.data[:1], mask=kspace.mask, trajectory=kspace.trajectory[:1], grid=kspace.grid)
    with pytest.raises(ValueError, match="has a single frame on the axis before the coils"):
        Grasp()(single, csm)
    cartesian = KSpace.from_data(kspace.data)
    with pytest.raises(ValueError, match="grasp reconstructs k-space along a trajectory"):
        Grasp()(cartesian, csm)
    with pytest.raises(ValueError, match="Grasp.regularisation is 0, expected more than 0"):
        Grasp(regularisation=0)
