"""Simulated scans: what is true of each part, and that a seed decides about all."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from gadgets.mri.fft import fft
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.training.anatomy import anatomy
from gadgets.mri.training.coils import coil_ring
from gadgets.mri.training.dataset import Generated, Simulated
from gadgets.mri.training.masks import PATTERNS, spoke_count, spokes
from gadgets.mri.training.phase import smooth_phase
from gadgets.mri.training.simulation import Simulation


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_anatomy_has_background_body_and_edges(random):
    image = anatomy((64, 80), random)
    assert image.shape == (64, 80) and image.dtype == np.float32
    assert image.min() == 0 and image.max() == 1
    assert 0.2 < (image > 0).mean() < 0.9
    assert not image[0].any() and not image[:, 0].any()


def test_phase_is_smooth_and_has_no_magnitude(random):
    phase = smooth_phase((64, 48), random)
    np.testing.assert_allclose(np.abs(phase), 1, rtol=1e-6)
    # Waves of 1.5 cycles per field of view and less: from a point to the next it turns little.
    assert np.abs(np.angle(phase[1:] / phase[:-1])).max() < 1


@pytest.mark.parametrize("coils", [1, 2, 7, 16, 32])
def test_coils_are_normalised_and_smooth(coils, random):
    csm = coil_ring(coils, (50, 40), random)
    assert csm.shape == (coils, 50, 40) and csm.dtype == np.complex64
    np.testing.assert_allclose((np.abs(csm) ** 2).sum(axis=0), 1, rtol=1e-5)
    assert np.abs(np.diff(csm, axis=-1)).max() < 0.3


def test_coils_on_a_ring_see_what_is_near_them(random):
    """Of two coils opposite to each other, each is the stronger one on its side."""
    csm = np.abs(coil_ring(2, (32, 32), random))
    stronger = csm[0] > csm[1]
    assert 0.3 < stronger.mean() < 0.7
    y, x = np.nonzero(stronger)
    v, u = np.nonzero(~stronger)
    assert np.hypot(y.mean() - v.mean(), x.mean() - u.mean()) > 8


def test_no_coils_are_refused(random):
    with pytest.raises(ValueError, match="coils is 0"):
        coil_ring(0, (8, 8), random)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_have_their_centre_and_their_number_of_samples(pattern, random):
    matrix, centre = (64, 48), 8
    mask = PATTERNS[pattern](matrix, 4.0, centre, random)
    assert mask.shape == matrix and mask.dtype == bool
    assert mask[28:36, 20:28].all()
    if pattern == "random":
        assert mask[:, 0].sum() == 16
    elif pattern == "poisson":
        assert 0.8 < mask.mean() * 4 < 1.3
    else:
        lines = set(np.flatnonzero(mask[:, 0])) - set(range(28, 36))
        assert len({line % 4 for line in lines}) == 1
    assert mask[40:].any() and (pattern != "partial_fourier" or not mask[-8:].any())


def test_poisson_points_keep_their_distance(random):
    mask = PATTERNS["poisson"]((64, 64), 8.0, 0, random)
    points = np.argwhere(mask[:16])
    distances = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    np.fill_diagonal(distances, 99)
    # At random, of so many points some would be neighbours.
    assert distances.min() >= 2


@pytest.mark.parametrize("matrix", [(64, 64), (48, 64)])
def test_spokes_are_diameters_of_all_directions(matrix, random):
    lines = spokes(matrix, spoke_count(matrix, 2, 8), random)
    # pi / 2 of as many as the matrix has lines, twice undersampled; readouts oversampled twice.
    assert lines.shape == (3, 1, 50, 128) and lines.dtype == np.float32
    assert not lines[0].any() and not lines[:, 0, :, 64].any()
    y, x = lines[1, 0] / matrix[0], lines[2, 0] / matrix[1]
    assert np.hypot(y, x).max() == pytest.approx(0.5)
    angles = np.sort(np.arctan2(y[:, -1], x[:, -1]) % np.pi)
    gaps = np.diff(angles, append=angles[0] + np.pi)
    # Golden angles leave gaps of three lengths at most, of which the largest is below twice the mean.
    assert gaps.max() < 2 * np.pi / 50


def test_a_dense_centre_has_its_spokes():
    assert spoke_count((64, 64), 8, 24) == round(np.pi / 2 * 24)


def scans(**settings):
    made = Simulation(matrix=(32, 40), coils=(4, 6), acceleration=(2, 3), centre=(8, 8), estimated=0, **settings)
    return Simulated(Generated(6, 0, size=48), made, batches=3, batch=2, seed=5)


def test_a_batch_has_one_shape_and_depends_on_seed_epoch_and_number_only():
    first, again = scans()[1], scans()[1]
    assert first.kspace.data.equal(again.kspace.data) and first.image.equal(again.image)
    assert first.kspace.data.shape != scans()[2].kspace.data.shape or not first.image.equal(scans()[2].image)
    coils, *_ = first.kspace.data.shape[1:]
    assert first.csm.shape == first.kspace.data.shape and first.image.shape[:3] == (2, 1, 1)
    assert 4 <= coils <= 6 and first.kspace.data.dtype == first.image.dtype == torch.complex64


def test_without_noise_samples_are_the_encoded_truth():
    example = scans(noise=(0, 0))[0]
    predicted = encoding(example.kspace, example.csm)(example.image)
    torch.testing.assert_close(predicted, example.kspace.data, atol=1e-5, rtol=1e-4)


def test_radial_samples_are_those_of_the_truth_along_spokes():
    example = scans(noise=(0, 0), patterns=("radial",))[0]
    kspace = example.kspace
    assert kspace.grid == tuple(example.image.shape[-3:]) and kspace.trajectory.shape[0] == 2
    assert not kspace.trajectory[0].equal(kspace.trajectory[1])
    torch.testing.assert_close(encoding(kspace, example.csm)(example.image), kspace.data, atol=1e-4, rtol=1e-4)
    # The centre, which spokes share, is the mean of the image.
    centre = kspace.data[..., kspace.data.shape[-1] // 2]
    whole = fft(example.csm * example.image, (-3, -2, -1))
    middle = whole[..., 0, whole.shape[-2] // 2, whole.shape[-1] // 2]
    torch.testing.assert_close(centre, middle[..., None, None].expand_as(centre), atol=1e-4, rtol=1e-3)


def test_maps_of_radial_scans_are_estimated_from_their_centre():
    made = Simulation(
        matrix=(48, 48), coils=(6, 6), acceleration=(2, 2), centre=(12, 12), patterns=("radial",), noise=(0.001, 0.001)
    )
    true, found = (
        Simulated(Generated(4, 0), replace(made, estimated=share), batches=1, batch=1, seed=3)[0] for share in (0, 1)
    )
    assert found.kspace.data.equal(true.kspace.data)
    support = (found.csm != 0).any(dim=1, keepdim=True)
    like = (found.csm.conj() * true.csm).sum(dim=1, keepdim=True).abs()[support]
    # 1 where maps are the same but for their common phase; least near edges, where both are of few pixels.
    assert support.any() and like.median() > 0.99


def test_noise_is_as_strong_as_it_was_asked_for():
    example, quiet = scans(noise=(0.02, 0.02))[0], scans(noise=(0, 0))[0]
    noise = (example.kspace.data - quiet.kspace.data)[0]
    deviation = noise[:, example.kspace.mask[0, 0]].abs().square().mean().sqrt()
    peak = quiet.image[0].abs().max()
    # Of some 2000 samples, the mean square is known to 2 %.
    assert abs(deviation / peak / 0.02 - 1) < 0.1


def test_the_truth_of_full_sampling_holds_the_samples_as_measured():
    settings = {"matrix": (32, 32), "coils": (1, 1), "noise": (0.05, 0.05), "estimated": 0}
    example = Simulated(Generated(2, 0), Simulation(**settings, noiseless=False), batches=1, batch=1, seed=0)[0]
    predicted = encoding(example.kspace, example.csm)(example.image)
    torch.testing.assert_close(predicted, example.kspace.data, atol=1e-5, rtol=1e-4)


def test_calibration_lines_of_their_own_are_not_reconstructed_from():
    example = scans(patterns=("uniform",), separate=1.0)[0]
    for mask in example.kspace.mask[:, 0, 0, :, 0]:
        lines = torch.nonzero(mask)[:, 0]
        assert len(set((lines[1:] - lines[:-1]).tolist())) == 1


@pytest.mark.parametrize(("coils", "asked"), [(2, 3), (4, 6), (9, 6)])
def test_regular_lines_are_as_many_as_coils_can_tell_apart(coils, asked):
    made = Simulation(matrix=(48, 48), coils=(coils, coils), acceleration=(asked, asked), centre=(8, 8), estimated=0)
    made = replace(made, patterns=("uniform",), separate=1.0, resolvable=2.0)
    example = Simulated(Generated(2, 0, size=48), made, batches=1, batch=2, seed=0)[0]
    for mask in example.kspace.mask[:, 0, 0, :, 0]:
        steps = set(torch.diff(torch.nonzero(mask)[:, 0]).tolist())
        assert steps == {round(coils / 2)} if coils > 3 else len(steps) > 1


def test_of_large_matrices_a_part_is_simulated():
    made = Simulation(matrix=(96, 96), excerpt=32, coils=(2, 2), acceleration=(2, 2), centre=(8, 8), estimated=0)
    example = Simulated(Generated(2, 0, size=96), made, batches=1, batch=2, seed=0)[0]
    assert max(example.image.shape[-2:]) == 32
    # The anatomy reaches beyond it: less of it is background than of the whole.
    whole = Simulated(Generated(2, 0, size=96), replace(made, excerpt=0), batches=1, batch=2, seed=0)[0]
    seen, all_of_it = ((one.image.abs() > 0.1 * one.image.abs().max()).float().mean() for one in (example, whole))
    assert seen > all_of_it


def test_held_out_samples_are_not_seen():
    made = Simulation(matrix=(32, 32), coils=(2, 2), acceleration=(2, 2), centre=(8, 8), estimated=0)
    example = Simulated(Generated(2, 0, size=32), made, batches=1, batch=2, seed=0, held_out=0.4)[0]
    whole = Simulated(Generated(2, 0, size=32), made, batches=1, batch=2, seed=0)[0]
    seen, kept = example.kspace.mask, example.held_out.mask
    assert not (seen & kept).any()
    assert (seen | kept).equal(whole.kspace.mask)
    assert abs(float(kept.sum() / whole.kspace.mask.sum()) - 0.4) < 0.02
    assert seen[..., 15:18, 15:18].equal(whole.kspace.mask[..., 15:18, 15:18])


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"patterns": ("spiral",)}, "spiral; there are: uniform, random, poisson, partial_fourier, radial"),
        ({"patterns": ("radial", "uniform")}, "expected radial alone or patterns on the grid"),
        ({"patterns": ("radial",), "noiseless": False}, "noiseless is false, which radial scans cannot have"),
        ({"measured": 1.5}, "measured is 1.5, expected 0 to 1"),
        ({"coils": (4, 2)}, r"coils is \(4, 2\)"),
        ({"matrix": (64,)}, "matrix is"),
        ({"acceleration": (0.5, 2)}, "acceleration is"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Simulation(**settings)
