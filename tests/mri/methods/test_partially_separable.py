"""Partial separability: courses in time from a few lines of every frame, images from all lines of all frames."""

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.partially_separable import PartiallySeparable
from gadgets.mri.phantom.scan import coil_maps
from gadgets.mri.quality.errors import nrmse
from tests.support.series import dense_centre, in_turns, perfusion, sampled


def maps(size, coils=8):
    """Those of `sampled`, (1, coil, 1, y, x)."""
    found = coil_maps((size, size, 1), coils=coils)
    return torch.from_numpy(found / (abs(found) ** 2).sum(axis=0) ** 0.5)[None]


def sliding(kspace, frames):
    """The same frames, in each of which lines that it lacks come from the nearest of so many that have them."""
    data, mask = kspace.data.clone(), kspace.mask.clone()
    for shift in [sign * distance for distance in range(1, frames // 2 + 1) for sign in (1, -1)]:
        new = kspace.mask.roll(shift, 0) & ~mask
        data, mask = torch.where(new, kspace.data.roll(shift, 0), data), mask | new
    return KSpace(data=data, mask=mask)


def test_exact_where_the_series_has_that_rank():
    # Without motion there are as many courses as arrivals, and one for what rests.
    series, _ = perfusion(48, 48)
    kspace = sampled(series, in_turns(48, 48, 6), noise=0.0)
    method = PartiallySeparable(rank=4, damping=0.0, tolerance=0.0, iterations=200)
    csm = maps(48)
    s = torch.linalg.svdvals(series.flatten(1))
    assert s[4] < 1e-5 * s[0]
    assert nrmse(method(kspace, csm).abs().numpy(), series.abs().numpy()) < 1e-3
    # One course fewer than there are is missed by more than all else.
    fewer = PartiallySeparable(rank=3, damping=0.0, tolerance=0.0, iterations=200)
    assert nrmse(fewer(kspace, csm).abs().numpy(), series.abs().numpy()) > 1e-2


def test_better_than_frames_alone_and_than_a_sliding_window():
    background, motion = perfusion(48, 64)
    kspace = sampled(background + motion, in_turns(64, 48, 5))
    truth = (background + motion).abs().numpy()
    csm = PartiallySeparable().calibrate(kspace)
    assert csm.shape[0] == 1
    each = csm.expand(64, -1, -1, -1, -1)
    found = nrmse(PartiallySeparable()(kspace, csm).abs().numpy(), truth)
    alone = min(nrmse(CgSense(damping=d)(kspace, each).abs().numpy(), truth) for d in (1e-3, 1e-2, 1e-1))
    window = min(nrmse(CgSense()(sliding(kspace, n), each).abs().numpy(), truth) for n in (4, 8, 16))
    assert found < window / 2
    assert found < alone / 2


def test_series_have_courses_of_their_own():
    # Without noise, the last of the courses would be those of rounding, which no two computers have in common.
    kspaces = [sampled(sum(perfusion(32, 16)) * f, in_turns(16, 32, 3), noise=1e-3) for f in (1, 1j)]
    kspaces[1] = KSpace(data=kspaces[1].data.flip(0), mask=kspaces[1].mask.flip(0))
    both = KSpace(data=torch.stack([k.data for k in kspaces]), mask=torch.stack([k.mask for k in kspaces]))
    csm = maps(32)
    together = PartiallySeparable()(both, csm[None])
    for index, kspace in enumerate(kspaces):
        alone = PartiallySeparable()(kspace, csm)
        torch.testing.assert_close(together[index], alone, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("axes", [(), (1,), (3, 1)])
def test_a_single_frame_is_refused(axes):
    one = torch.ones(*axes, 2, 1, 8, 8, dtype=torch.complex64)
    with pytest.raises(ValueError, match="partially_separable reconstructs series .* has a single frame"):
        PartiallySeparable()(KSpace.from_data(one), one)


def test_frames_without_common_lines_are_refused():
    kspace = sampled(sum(perfusion(16, 4)), dense_centre(4, 16, 4))
    mask = kspace.mask & (torch.arange(16)[:, None] % 4 == torch.arange(4)[:, None, None, None, None])
    with pytest.raises(ValueError, match="samples that every frame has, .* 1 of 1 series of 4 frames have none"):
        PartiallySeparable()(KSpace(data=kspace.data * mask, mask=mask), maps(16))
    with pytest.raises(ValueError, match="PartiallySeparable.rank is 0"):
        PartiallySeparable(rank=0)
