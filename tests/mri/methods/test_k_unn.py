"""K-UNN fills what was not acquired, one side of k-space above all."""

import time
from dataclasses import replace

import pytest
import torch

from gadgets.mri.calibration.echo import echo
from gadgets.mri.fft import fft, ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import k_unn
from gadgets.mri.methods.k_unn import KUnn
from gadgets.mri.solvers.deadline import deadline
from gadgets.mri.solvers.progress import listening
from tests.support.iterates import gone_on, iterates
from tests.support.smooth_phase import part, smooth_phase

N = 32
SMALL = KUnn(iterations=200, warm_iterations=50, width=32, layers=4, kernel=5)


def scan(coils=4, n=N, noise=0.0):
    """5 / 8 of the lines of a real object under a smooth phase, and the root sum of squares (1, 1, n, n) of all."""
    data, _ = smooth_phase(n, coils)
    torch.manual_seed(0)
    data = data + noise * data.abs().max() * torch.randn_like(data)
    return part(data, k1=slice(5 * n // 8)), ifft(data, (-2, -1)).norm(dim=0, keepdim=True)


def error(image, truth):
    return float((image.abs() - truth).norm() / truth.norm())


@pytest.fixture(scope="module")
def fitted():
    kspace, truth = scan()
    return kspace, truth, *SMALL.fitted(kspace, None)


def test_a_smooth_phase_fills_the_side_that_is_missing(fitted):
    kspace, truth, image, _ = fitted
    zeros = error(ifft(kspace.data, (-2, -1)).norm(dim=0, keepdim=True), truth)
    without = error(replace(SMALL, phase=False)(kspace), truth)
    # Of the missing side, sensitivities alone know no more than a kernel reaches; the paper's prior is to know the
    # most of it, in energy three quarters or more.
    assert error(image, truth) < 0.5 * min(zeros, without)


def test_a_displaced_echo_changes_nothing(fitted):
    """Lines that are acquired are displaced with it: all that there is to tell is where the image's phase is 0."""
    kspace, *_ = fitted
    data, mask = (one.roll((3, -4), (-2, -1)) for one in (kspace.data, kspace.mask))
    method = replace(SMALL, iterations=10)
    assert error(method(KSpace(data=data, mask=mask)), method(kspace).abs()) < 1e-4


def test_coils_may_turn_as_they_like(fitted):
    kspace, *_ = fitted
    turn = torch.exp(1j * torch.tensor([0.4, -2.0, 1.0, 3.0]))[:, None, None, None]
    method = replace(SMALL, iterations=5)
    # More iterations amplify rounding; after these, were coils not turned back, it would be 6e-3.
    assert error(method(replace(kspace, data=turn * kspace.data)), method(kspace).abs()) < 1e-4


def rough_phase(kspace):
    """The same coils and magnitudes, but a phase that is another one from point to point."""
    images = ifft(kspace.data, (-2, -1))
    torch.manual_seed(0)
    return fft(images * torch.exp(2j * torch.pi * torch.rand(images.shape[-2:])), (-2, -1))


def remarks_of(method, kspace, start=None):
    said = []
    with listening(lambda *_: None, said.append):
        image, state = method.fitted(kspace, None, start=start)
    return said, image, state


def test_a_phase_that_is_not_smooth_is_refuted_by_the_samples():
    """It is said, the image is that without, and the next slice begins so."""
    data, _ = smooth_phase(N, 4)
    data = rough_phase(KSpace.from_data(data))
    kspace = part(data, k1=slice(5 * N // 8))
    truth = ifft(data, (-2, -1)).norm(dim=0, keepdim=True)
    said, image, state = remarks_of(SMALL, kspace)
    assert said == ["its phase is not smooth, as samples that were held out tell, and not taken to be"]
    assert not any(name.startswith("phase") for name in state)
    zeros = error(ifft(kspace.data, (-2, -1)).norm(dim=0, keepdim=True), truth)
    # Nothing foretells the other side, which must not be filled with anything else.
    assert error(image, truth) < 1.1 * zeros
    said, _, _ = remarks_of(SMALL, kspace, start=state)
    assert said == ["its phase is taken not to be smooth, as in what it starts from"]
    assert remarks_of(replace(SMALL, iterations=8, phase=False), kspace)[0] == []


def test_what_nothing_foretells_stays_small(fitted):
    """Without a phase, lines farther away than sensitivities reach; their mirror images are about as large as they."""
    kspace, *_ = fitted
    _, full = replace(SMALL, phase=False)._completed(kspace.data[:, 0], kspace.mask[0], None)
    assert full[:, -8:].norm() < 0.5 * full[:, 1:9].norm()


def test_what_mirror_images_do_not_reach_either_is_kept_small(monkeypatch):
    """With a smooth phase; edges tell something of lines beyond all samples, so that there is no more than that."""
    kspace = part(smooth_phase(N, 4)[0], k1=slice(10, 23))
    energies = []
    for weight in (k_unn._BEYOND, 0.0):
        monkeypatch.setattr(k_unn, "_BEYOND", weight)
        _, full = SMALL._completed(kspace.data[:, 0], kspace.mask[0], None)
        energies.append(float(full[:, [*range(7), *range(26, N)]].abs().square().sum()))
    assert 0 < energies[0] < 0.5 * energies[1]


@pytest.mark.parametrize("phase", [True, False])
def test_the_image_is_the_mean_of_iterates_that_foretell_samples_about_as_well(fitted, monkeypatch, phase):
    """Where no phase is smooth, of the early ones: the others drift between lines."""
    kspace, *_ = fitted
    found, fits = iterates(monkeypatch)
    monkeypatch.setattr(k_unn, "_AS_GOOD", 0.5)
    fit = k_unn.fit
    monkeypatch.setattr(k_unn, "fit", lambda *a, **b: gone_on(fit(*a, **b), 2))
    _, full = replace(SMALL, phase=phase, iterations=60)._completed(kspace.data[:, 0], kspace.mask[0], None)
    assert len(found) == int((fits[0].validation <= 1.5 * fits[0].validation.min()).sum()) > 3
    expected = torch.stack(found if phase else found[:3]).mean(dim=0)
    torch.testing.assert_close(full[:, -12:], echo(kspace.data[:, 0]).displaced(expected)[:, -12:])
    assert (found[0] - found[2]).norm() > 1e-2 * found[0].norm()


def test_a_smooth_phase_is_not_refuted(fitted):
    kspace, _, _, state = fitted
    assert any(name.startswith("phase.") for name in state)
    assert remarks_of(SMALL, kspace)[0] == []


def test_sensitivities_begin_as_the_echo_has_them(fitted):
    """Were all the same, coils of other phases would cancel each other where they are as strong."""
    kspace, *_ = fitted
    data = torch.tensor([1.0, 0.2, 0.1, 0.05])[:, None, None] * kspace.data[:, 0]
    coils = SMALL._networks(data, phase=False).leader.coils().detach()
    assert (coils - echo(data).strengths[:, None, None]).abs().max() < 0.3
    assert coils[0].abs().min() > 2 * coils[3].abs().max()


@pytest.mark.parametrize("phase", [True, False])
def test_without_a_smooth_phase_fits_begin_more_than_once(fitted, monkeypatch, phase):
    """The sparsest goes on; where a smooth phase is not refuted, all end alike, and one is enough."""
    fit, fits = k_unn.fit, []
    monkeypatch.setattr(k_unn, "fit", lambda networks, *a, **b: (fits.append(networks), fit(networks, *a, **b))[1])
    method, data = replace(SMALL, phase=phase, iterations=12, starts=3), fitted[0].data[:, 0]
    network, _ = method._completed(data, fitted[0].mask[0], None)
    assert fits[-1].leader is network and len(fits[-1].networks) == (1 if phase else 3)
    assert len(replace(method, tv=0.0)._networks(data, phase=phase, starts=3).networks) == 1
    begun = [one.content.seed for one in method._networks(data, phase=phase, starts=3).networks]
    assert len({float(seed.sum()) for seed in begun}) == 3
    # The first one begins as it does alone.
    assert begun[0].equal(replace(method, starts=1)._networks(data, phase=phase).leader.content.seed)


def test_progress_is_told_of_the_whole(fitted):
    """Of both fits of the trial, and of what follows."""
    kspace, *_ = fitted
    told = []
    with listening(lambda done, total, _: told.append((done, total))):
        replace(SMALL, iterations=40)(kspace)
    done, totals = zip(*told, strict=True)
    assert set(totals) == {60} and done[-1] == 60 and list(done) == sorted(done)


def test_what_was_acquired_is_kept(fitted):
    kspace, *_ = fitted
    mask = kspace.mask[0]
    _, found = replace(SMALL, iterations=1)._completed(kspace.data[:, 0], mask, None)
    assert (found * mask).equal(kspace.data[:, 0])
    assert bool((found * ~mask).any())


def test_a_neighbouring_slice_starts_from_the_state(fitted):
    kspace, truth, image, state = fitted
    other, expected = scan(noise=1e-3)
    looks = []
    with listening(lambda done, total, text: looks.append(total)):
        warm, _ = SMALL.fitted(other, None, start=state)
    assert set(looks) == {SMALL.warm_iterations}
    cold = replace(SMALL, iterations=SMALL.warm_iterations)(other)
    # But for a little noise, the fit is nearly there; from random parameters, as many iterations are not.
    assert error(warm, expected) < min(1.25 * error(image, truth), error(cold, expected))


def test_randomness_is_its_own(fitted):
    kspace, *_ = fitted
    method = replace(SMALL, iterations=3)
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = method(kspace)
    assert torch.random.get_rng_state().equal(before)
    torch.manual_seed(4)
    assert method(kspace).equal(first)
    assert not replace(method, seed=1)(kspace).allclose(first)


def test_it_scales_with_its_input(fitted):
    kspace, *_ = fitted
    method = replace(SMALL, iterations=10)
    image = method(kspace)
    for factor in (2.0**-60, 2.0**60):
        torch.testing.assert_close(method(replace(kspace, data=factor * kspace.data)), factor * image)


def test_slices_and_planes_are_fitted_each_for_itself(fitted):
    kspace, *_ = fitted
    method = replace(SMALL, iterations=5)
    alone = [method(kspace), method(replace(kspace, data=kspace.data.flip(-1)))]
    slices = KSpace(data=torch.stack([kspace.data, kspace.data.flip(-1)]), mask=kspace.mask[None])
    for image, expected in zip(method(slices), alone, strict=True):
        torch.testing.assert_close(image, expected)
    planes = fft(torch.cat([kspace.data, kspace.data.flip(-1)], dim=-3), (-3,))
    method = replace(SMALL, iterations=2)
    completed = []
    for data in (kspace.data, kspace.data.flip(-1)):
        completed.append(method._completed(data[:, 0], kspace.mask[0], None)[1])
    energy = ifft(torch.stack(completed, dim=1), (-2, -1)).norm(dim=0, keepdim=True)
    volume = method(KSpace(data=planes, mask=kspace.mask.expand(1, 2, N, N))).abs()
    # Combined with maps that are estimated from both planes, so that a little of the intensity is lost.
    assert error(volume, energy) < 0.1


def test_a_deadline_leaves_each_slice_its_part(fitted):
    kspace = fitted[0]
    both = KSpace(data=torch.stack([kspace.data, 2 * kspace.data]), mask=kspace.mask[None])
    with deadline(2.0) as limit:
        first, second = replace(SMALL, iterations=100_000)(both)
    assert limit.met
    assert first.norm() > 0 and second.norm() > first.norm()


def test_a_deadline_after_the_trial_leaves_what_that_found(fitted, monkeypatch):
    kspace = fitted[0]
    fit, done = k_unn.fit, []

    def thrice(module, *settings, **named):
        if len(done) == 2:
            time.sleep(2.1)
        done.append(module)
        return fit(module, *settings, **named)

    monkeypatch.setattr(k_unn, "fit", thrice)
    with deadline(2.0) as limit:
        image = replace(SMALL, iterations=8)(kspace)
    assert limit.met and len(done) == 3
    assert image.isfinite().all() and image.any()


def test_without_samples_missing_nothing_is_fitted():
    data, _ = smooth_phase(N, 4)
    looks = []
    with listening(lambda done, total, text: looks.append(done)):
        image, state = SMALL.fitted(KSpace.from_data(data), None)
    assert not looks
    assert state == {}
    assert error(image, ifft(data, (-2, -1)).norm(dim=0, keepdim=True)) < 0.05


def test_an_empty_slice_stays_empty_and_the_next_is_fitted_from_the_beginning(fitted):
    kspace, *_ = fitted
    method = replace(SMALL, iterations=3, warm_iterations=2)
    image, state = method.fitted(replace(kspace, data=torch.zeros_like(kspace.data)), None)
    assert not image.any()
    assert method.fitted(kspace, None, start=state)[0].equal(method(kspace))


def test_sampling_that_changes_along_k2_is_refused():
    data = torch.ones(2, 3, 8, 8, dtype=torch.complex64)
    mask = torch.ones(1, 3, 8, 8, dtype=torch.bool)
    mask[:, 1, 4:] = False
    with pytest.raises(ValueError, match="k_unn fits plane by plane, .* changes along k2"):
        SMALL(KSpace(data=data * mask, mask=mask))


def test_the_state_of_other_networks_is_refused(fitted):
    kspace, _, _, state = fitted
    with pytest.raises(ValueError, match="start is of another network: .*instead of"):
        replace(SMALL, width=8).fitted(kspace, None, start=state)


def test_every_second_line_alone_is_refused():
    data = torch.zeros(2, 1, 8, 8, dtype=torch.complex64)
    data[:, :, ::2] = 1
    with pytest.raises(ValueError, match="along k1, only one point of every 2 was sampled.*k_unn needs"):
        SMALL(KSpace.from_data(data))


@pytest.mark.parametrize(
    "settings",
    [{"held_out": 0.0}, {"tv": -1.0}, {"filter": float("nan")}, {"warm_iterations": 0}, {"starts": 0}],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        KUnn(**settings)
