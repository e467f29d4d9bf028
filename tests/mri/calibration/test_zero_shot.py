"""Learning from one scan: what teaches, what does not, and what is gained by knowing another scan."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.splits import split_zero_shot
from gadgets.mri.calibration.walsh import walsh
from gadgets.mri.calibration.zero_shot import Alternation, Samples, learn, reconstruct, typical
from gadgets.mri.networks.residual_cnn import ResidualCnn
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.cg import cg
from gadgets.mri.solvers.members import Members
from tests.support.heads import scan
from tests.support.radial_scan import coil_images, radial_scan, trajectory

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


def test_what_no_sample_says_anything_of_is_beyond(head):
    """K-space more than three points from all lines: its energy, in units of that of the samples."""
    kspace, csm, image = head
    mask = torch.zeros_like(kspace.mask)
    mask[..., 12:20, :] = True
    full = encoding(replace(kspace, mask=torch.ones_like(mask)), csm)(image)
    samples = Samples.of(replace(kspace, mask=mask, data=torch.where(mask, full, 0)), csm)
    far = full[..., [*range(9), *range(23, SIZE)], :].abs().square().sum()
    torch.testing.assert_close(samples.beyond(image), far / (full * mask).abs().square().sum())
    assert samples.beyond(image) > 0


def test_along_spokes_nothing_is_beyond(spokes):
    kspace, csm, truth = spokes
    assert Samples.of(kspace, csm).beyond(truth) == 0


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
    *_, training = split_zero_shot(kspace, np.random.default_rng(3), pairs=1)
    other = replace(kspace, data=torch.where(training.mask, kspace.data, -kspace.data))
    # One look, at the end: it keeps what there is.
    found = [learn(Members([alternation()]), k, csm, iterations=1, rate=1e-3, seed=3) for k in (kspace, other)]
    for name, value in found[0].state.items():
        assert value.equal(found[1].state[name])
    assert found[1].validation > 1.2 * found[0].validation


def test_the_image_is_learned_that_has_less_of_a_penalty(head):
    kspace, csm, _ = head

    def fitted(weight):
        module = Members([alternation()])
        learn(
            module,
            kspace,
            csm,
            iterations=60,
            rate=3e-3,
            seed=0,
            penalty=lambda x, z, training: weight * training.beyond(x),
        )
        samples = Samples.of(kspace, csm)
        with torch.no_grad():
            return float(samples.beyond(module.members[0](samples)[0]))

    # In a plane of 32 points little is out of reach.
    assert fitted(100.0) < 0.95 * fitted(0.0)


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


@pytest.fixture(scope="module")
def spokes():
    """The k-space of a plane, maps and truth."""
    size = 48
    places = trajectory(spokes=24, size=size)
    scanned = radial_scan(places, size)
    images = coil_images(size)[0]
    csm, _ = walsh(images)
    csm = csm * (images.norm(dim=0) > 0.05 * images.norm(dim=0).max())
    (kspace,) = (volume for volume, _ in scanned.volumes(csm[None]))
    return kspace, csm, (csm.conj() * images).sum(dim=0, keepdim=True)


def test_most_eigenvalues_along_spokes_are_small(spokes):
    """Each point of an image has as many samples as another, and the mean eigenvalue is what one point gives."""
    kspace, csm, _ = spokes
    operator = encoding(kspace, csm)
    strength = csm.abs().square().sum(dim=-4)
    point = torch.zeros(strength.numel(), dtype=torch.complex64)
    point[strength.argmax()] = 1
    energy = operator(point.reshape(1, *strength.shape[-3:])).abs().square().sum()
    share = typical(kspace, csm, operator.bound)
    torch.testing.assert_close(share, (energy / operator.bound).reshape(()), rtol=1e-2, atol=0)
    # A weight as on a grid is more than that: these eigenvalues would count for less than the network.
    assert share < 0.05


def test_on_a_grid_most_eigenvalues_are_the_largest(head):
    kspace, csm, _ = head
    assert float(typical(kspace, csm, encoding(kspace, csm).bound)) == 1


def test_trust_is_a_factor_of_the_weight():
    one, other = alternation(), alternation()
    other.trust(torch.tensor(0.01))
    first, second = (float(torch.nn.functional.softplus(module.weight.detach())) for module in (one, other))
    # Where the weight is small, softplus is the exponential function, to 2.5 %.
    assert second / first == pytest.approx(0.01, rel=0.03)


def test_along_spokes_too_the_data_are_met_from_the_beginning(spokes):
    """A weight as on a grid leaves what few samples tell, the edge of k-space, to the network, which knows nothing."""
    kspace, csm, truth = spokes
    image, _ = reconstruct(lambda _: alternation(count=5), kspace, csm, iterations=1, rate=1e-6, seed=0)
    operator = encoding(kspace, csm)
    solved = cg(operator.gram, operator.H(kspace.data), iterations=50).x
    size = operator.bound.sqrt().reshape(())
    grid = alternation(count=5)(Samples.of(replace(kspace, data=kspace.data / size), csm / size))[0].detach()

    def error(found):
        found = found.reshape(truth.shape)
        return float((found - truth).norm() / truth.norm())

    # As many conjugate gradients as five alternations have: a weight as on a grid is worse than none, and this is not.
    assert error(image) < error(solved) < error(grid)


def test_nothing_gives_nothing(head):
    kspace, csm, _ = head
    nothing = replace(kspace, data=0 * kspace.data)
    image, _ = reconstruct(lambda _: alternation(), nothing, csm, iterations=2, rate=1e-3, seed=0)
    assert not image.any()


def test_no_alternations_are_refused():
    with pytest.raises(ValueError, match="0 alternations"):
        Alternation(ResidualCnn(), 0)
