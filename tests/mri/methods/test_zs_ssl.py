"""From one scan and nothing else, a network learns more than least squares know."""

import pytest
import torch

from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.zs_ssl import ZsSsl
from gadgets.mri.quality.errors import psnr
from tests.support.heads import scan
from tests.support.radial_scan import radial_scan, trajectory


@pytest.fixture(scope="module")
def head():
    """K-space of a fourth of the lines, maps and truth."""
    return scan(0, noise=0.01, size=32, acceleration=4)


def decibels(image, truth):
    return psnr(image.abs().numpy(), truth.abs().numpy())


def test_better_than_least_squares(head):
    kspace, csm, truth = head
    # Of least squares, the better of two: noise as it comes, and lowered.
    sense = max(decibels(CgSense(damping=damping)(kspace, csm), truth) for damping in (1e-3, 1e-2))
    assert decibels(ZsSsl(iterations=120)(kspace, csm), truth) > sense + 0.5


def test_the_same_numbers_again_and_no_others_moved(head):
    kspace, csm, _ = head
    before = torch.random.get_rng_state()
    method = ZsSsl(iterations=3)
    first, again = method(kspace, csm), method(kspace, csm)
    assert first.equal(again)
    assert torch.random.get_rng_state().equal(before)
    assert not first.equal(ZsSsl(iterations=3, seed=1)(kspace, csm))


def test_starts_from_what_was_learned(head):
    kspace, csm, _ = head
    method = ZsSsl(iterations=3, warm_iterations=0)
    image, state = method.fitted(kspace, csm)
    same, kept = method.fitted(kspace, csm, start=state)
    torch.testing.assert_close(same, image)
    assert all(value.equal(kept[name]) for name, value in state.items())


def test_runs_where_nothing_else_has_gradients(head):
    kspace, csm, _ = head
    with torch.inference_mode():
        inside = ZsSsl(iterations=2)(kspace, csm.clone())
    torch.testing.assert_close(inside, ZsSsl(iterations=2)(kspace, csm))


def test_along_spokes():
    kspace = radial_scan(trajectory(spokes=24, size=32), 32, slices=(0,))
    method = ZsSsl(iterations=2)
    csm = method.calibrate(kspace)
    image = method(kspace, csm)
    assert image.shape == (1, 1, 1, 32, 32)
    assert image.dtype == torch.complex64
    assert not image[(csm == 0).all(dim=-4, keepdim=True)].any()
