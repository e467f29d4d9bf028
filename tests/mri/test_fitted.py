"""What methods share that are fitted to the scan that they reconstruct."""

from dataclasses import replace

import pytest
import torch

from gadgets.mri.fitted import Fitted
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import create, find, names
from gadgets.mri.solvers.deadline import deadline
from gadgets.mri.solvers.progress import listening
from tests.support.heads import scan
from tests.support.radial_scan import radial_scan, trajectory

FITTED = [name for name in names() if issubclass(find(name), Fitted)]


@pytest.fixture(params=FITTED)
def method(request):
    """A method, as it is after few iterations; from a start, after none."""
    return create(request.param, {"iterations": 3, "warm_iterations": 0, "width": 8})


@pytest.fixture(scope="module")
def head():
    """K-space of half of the lines, and maps."""
    return scan(0, noise=0.01, size=16, acceleration=2)[:2]


def test_methods_with_a_network_of_one_scan_are_fitted():
    assert {"coggen_dip", "coggen_inr", "deep_image_prior", "inr", "unroll_inr", "zs_ssl"} <= set(FITTED)


def test_the_same_numbers_again_and_no_others_moved(method, head):
    before = torch.random.get_rng_state()
    first, again = method(*head), method(*head)
    assert first.equal(again)
    assert torch.random.get_rng_state().equal(before)
    assert not first.equal(replace(method, seed=1)(*head))


def test_starts_from_what_was_learned(method, head):
    # Of one iteration, so that the image is that of the state, and no mean of several.
    method = replace(method, iterations=1)
    image, state = method.fitted(*head)
    same, kept = method.fitted(*head, start=state)
    torch.testing.assert_close(same, image)
    assert all(value.equal(kept[name]) for name, value in state.items())
    with pytest.raises(ValueError, match="start is of another network: .*instead of"):
        replace(method, width=9).fitted(*head, start=state)


def test_fewer_iterations_follow_a_state(method, head):
    _, state = method.fitted(*head)
    told = []
    with listening(lambda *what: told.append(what[:2])):
        replace(method, warm_iterations=2).fitted(*head, start=state)
    assert told[-1] == (2, 2)


def test_runs_where_nothing_else_has_gradients(method, head):
    with torch.inference_mode():
        inside = method(head[0], head[1].clone())
    torch.testing.assert_close(inside, method(*head))


def test_no_networks_are_refused():
    with pytest.raises(ValueError, match="Inr.members is 0, expected 1 or more"):
        create("inr", {"members": 0})


def test_along_spokes(method):
    kspace = radial_scan(trajectory(spokes=12, size=16), 16, slices=(0,))
    csm = method.calibrate(kspace)
    image = method(kspace, csm)
    assert image.shape == (1, 1, 1, 16, 16)
    assert image.dtype == torch.complex64
    outside = (csm == 0).all(dim=-4, keepdim=True)
    assert outside.any() and not image[outside].any()


def test_a_deadline_leaves_each_volume_its_part(method, head):
    """The second is there, too, when the time of both has passed."""
    kspace, csm = head
    both = KSpace(data=torch.stack([kspace.data, 2 * kspace.data]), mask=kspace.mask[None].expand(2, -1, -1, -1, -1))
    # What the first fit of a process has to import takes no part in the time.
    method(*head)
    with deadline(2.0) as limit:
        images = replace(method, iterations=100_000)(both, csm[None].expand(2, -1, -1, -1, -1))
    assert limit.met
    assert (images.flatten(1).norm(dim=1) > 0.1 * torch.linalg.vector_norm(kspace.data)).all()
