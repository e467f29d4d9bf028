"""Learning from one scan: what teaches, what does not, and what is gained by knowing another scan."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.splits import split_zero_shot
from gadgets.mri.calibration.zero_shot import Alternation, Samples, learn, reconstruct
from gadgets.mri.networks.residual_cnn import ResidualCnn
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.members import Members
from tests.support.heads import scan

SIZE = 32


def alternation(seed=0, count=3):
    torch.manual_seed(seed)
    return Alternation(ResidualCnn(width=8, layers=3), count)


@pytest.fixture(scope="module")
def head():
    """K-space, maps and truth."""
    return scan(0, noise=0.01, size=SIZE, acceleration=3)


def test_error_is_relative(head):
    kspace, csm, image = head
    clean = replace(kspace, data=encoding(kspace, csm)(image))
    assert Samples.of(clean, csm).error(image) < 1e-5
    assert Samples.of(clean, csm).error(0.7 * image) == pytest.approx(0.3, rel=1e-4)
    assert Samples.of(clean, csm).error(0 * image) == pytest.approx(1, rel=1e-4)


def test_error_of_nothing_has_a_slope(head):
    kspace, csm, image = head
    nothing = replace(kspace, data=0 * kspace.data)
    at = torch.zeros_like(image).requires_grad_()
    Samples.of(nothing, csm).error(at).backward()
    assert torch.isfinite(torch.view_as_real(at.grad)).all()


def test_an_untrained_network_solves_least_squares(head):
    """Its network is the identity, so the alternations approach the data from one to the next."""
    kspace, csm, image = head
    samples = Samples.of(replace(kspace, data=encoding(kspace, csm)(image)), csm)
    with torch.no_grad():
        errors = [float(samples.error(alternation(count=count)(samples)[0])) for count in (1, 4, 16)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.1 * float(samples.error(samples.rhs))


def test_samples_to_stop_by_do_not_teach(head):
    kspace, csm, _ = head
    _, (_, stop) = split_zero_shot(kspace, np.random.default_rng(3), pairs=4)
    other = replace(kspace, data=torch.where(stop.mask, -kspace.data, kspace.data))
    # One look, at the end: it keeps what there is.
    found = [learn(Members([alternation()]), k, csm, iterations=1, rate=1e-3, seed=3) for k in (kspace, other)]
    for name, value in found[0].state.items():
        assert value.equal(found[1].state[name])
    assert found[1].validation > 1.2 * found[0].validation


def test_who_knows_another_scan_needs_a_third_of_the_iterations(head):
    """Of the same head, with other noise: what is predicted of samples that were held out is as good."""
    kspace, csm, image = head
    known = learn(Members([alternation()]), kspace, csm, iterations=90, rate=3e-3, seed=0)
    noise = torch.randn(kspace.data.shape, dtype=kspace.data.dtype, generator=torch.Generator().manual_seed(1))
    following = replace(kspace, data=encoding(kspace, csm)(image) + 2**0.5 * 0.01 * noise * kspace.mask)
    cold = learn(Members([alternation()]), following, csm, iterations=90, rate=3e-3, seed=0)
    warm = Members([alternation()])
    warm.load_state_dict(known.state)
    # Noise alone moves the error of some 60 points of 4 coils by several percent.
    assert learn(warm, following, csm, iterations=30, rate=3e-3, seed=0).validation.min() < 1.02 * cold.validation.min()


def test_each_volume_has_its_own_network(head):
    kspace, csm, _ = head
    other, *_ = scan(1, noise=0.01, size=SIZE, acceleration=3)
    both = replace(kspace, data=torch.stack([kspace.data, other.data]), mask=torch.stack([kspace.mask, other.mask]))
    settings = {"iterations": 3, "rate": 1e-3, "seed": 0}
    image, state = reconstruct(lambda _: alternation(), both, csm[None], **settings)
    for index, alone in enumerate((kspace, other)):
        expected, learned = reconstruct(lambda _: alternation(), alone, csm, **settings)
        torch.testing.assert_close(image[index], expected)
    for name, value in learned.items():
        torch.testing.assert_close(state[name], value)


def test_members_learn_each_by_itself(head):
    """From other samples; the image is the mean of theirs."""
    kspace, csm, _ = head
    settings = {"iterations": 2, "rate": 1e-3}
    both = Members([alternation(1), alternation(2)])
    learn(both, kspace, csm, seed=5, **settings)
    alone = [Members([alternation(1 + i)]) for i in range(2)]
    for i, one in enumerate(alone):
        learn(one, kspace, csm, seed=5 + i, **settings)
    samples = Samples.of(kspace, csm)
    with torch.no_grad():
        images = [one.mean(lambda member: member(samples)[0]) for one in alone]
        mean = both.mean(lambda member: member(samples)[0])
        torch.testing.assert_close(mean, (images[0] + images[1]) / 2)
    assert (images[0] - images[1]).norm() > 1e-3 * images[0].norm()


def test_a_start_of_another_network_is_refused(head):
    kspace, csm, _ = head
    other = Members([Alternation(ResidualCnn(width=9, layers=3), 3)]).state_dict()
    with pytest.raises(ValueError, match=r"network.layers.0.weight \(\(9, 2, 3, 3\) instead of \(8, 2, 3, 3\)\)"):
        reconstruct(lambda _: alternation(), kspace, csm, iterations=1, rate=1e-3, seed=0, start=other)


def test_nothing_gives_nothing(head):
    kspace, csm, _ = head
    nothing = replace(kspace, data=0 * kspace.data)
    image, _ = reconstruct(lambda _: alternation(), nothing, csm, iterations=2, rate=1e-3, seed=0)
    assert not image.any()


def test_no_alternations_are_refused():
    with pytest.raises(ValueError, match="0 alternations"):
        Alternation(ResidualCnn(), 0)
