"""Units of trajectories in recon buffers."""

import numpy as np
import pytest
import torch

from gadgets.tensors import first_of_slice, kspace, of_slice
from gadgets.trajectory import places_of, within
from tests.support.buffers import random_kspace, recon_buffer


def buffer(reach, *, dimensions=2, encoded=(64, 33, 1), recon=(32, 32, 1), third=0.0, slices=1, spokes=5, **head):
    """Readouts of 64 samples at random angles, that reach `reach` along x; pixels of 2 mm."""
    made = recon_buffer(
        random_kspace((slices, 1, 1, 2, 1, spokes, 64)),
        encoded_fov=(128.0, 128.0, 8.0),
        recon_fov=(64.0, 64.0, 8.0),
        recon_matrix=recon,
        **head,
    )
    made.sampling.encoded_matrix[:] = encoded
    angle = np.random.default_rng(0).uniform(0, np.pi, (slices, 1, 1, 1, spokes, 1))
    angle[..., 0, :] = 0
    radius = np.linspace(-1, 1, 64) * reach
    values = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0 * radius * angle + third], axis=-1)
    made.trajectory = values[..., :dimensions].astype(np.float32).T
    return made


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize(("reach", "expected"), [(0.5, 16.0), (0.25, 8.0), (32.0, 16.0), (8.0, 4.0)])
def test_is_in_cycles_per_reconstructed_field_of_view(reach, expected, dimensions):
    """64 samples over 128 mm: normalised 0.5 and 32 cycles per 128 mm are 16 cycles per 64 mm."""
    places = places_of(buffer(reach, dimensions=dimensions))
    assert places.shape == (1, 1, 1, 3, 1, 5, 64)
    assert not places[:, :, :, 0].any() and not places[:, :, :, 1, :, 0].any()
    assert float(places[0, 0, 0, 2, 0, 0, -1]) == pytest.approx(expected)
    np.testing.assert_allclose(places.norm(dim=3)[..., -1], expected, rtol=1e-5)


def test_a_field_of_view_that_is_longer_along_one_axis():
    made = buffer(0.5)
    made.sampling.recon_FOV[1] = 96.0
    made.trajectory[:, ...] = made.trajectory[::-1]
    places = places_of(made)
    # 0.25 per mm, over 96 mm: 24 to both sides.
    assert float(places[0, 0, 0, 1, 0, 0, -1]) == pytest.approx(24.0)


@pytest.mark.parametrize("reach", [0.0, 0.6, 1.0, np.pi, 34.0, 1000.0])
def test_units_that_cannot_be_told_are_refused(reach):
    with pytest.raises(ValueError, match=r"trajectory reaches .*up to 0.5 \(normalised\), or 4 to 32 \(cycles"):
        places_of(buffer(reach))


def test_what_is_no_place_in_k_space_is_refused():
    with pytest.raises(ValueError, match=r"1 components, expected \(x, y\) or \(x, y, z\)"):
        places_of(buffer(0.5, dimensions=1))
    with pytest.raises(ValueError, match="third component is up to 0.3, .* kz must be 0, and density"):
        places_of(buffer(0.5, dimensions=3, third=0.3))
    with pytest.raises(ValueError, match="NaN or infinite"):
        places_of(buffer(np.nan))
    with pytest.raises(ValueError, match="reconstructed matrix, which the header gives as 0 x 32"):
        made = buffer(0.5)
        made.sampling.recon_matrix[0] = 0
        kspace(made)


def test_the_image_has_the_reconstructed_matrix_and_shares_trajectories():
    made = buffer(0.5, slices=3)
    made.trajectory[...] = made.trajectory[..., :1]
    whole = kspace(made)
    assert whole.image_matrix == (1, 32, 32)
    assert whole.trajectory.shape == (1, 1, 1, 3, 1, 5, 64)
    assert whole.data.shape == (3, 1, 1, 2, 1, 5, 64) and whole.mask.all()
    own = kspace(buffer(0.5, slices=3))
    assert own.trajectory.shape[0] == 3
    assert of_slice(own, 1).trajectory.equal(own.trajectory[1:2])
    assert of_slice(whole, 1).trajectory.equal(whole.trajectory)


def test_samples_beyond_the_image_and_readouts_that_are_not_there_are_left_out():
    whole = kspace(buffer(0.5, recon=(16, 16, 1)))
    inside = whole.trajectory.norm(dim=3, keepdim=True)[..., 0, :] <= 8
    assert whole.mask[..., 0, :].equal(inside) and not inside.all()
    assert within(torch.tensor([0.0, 8.0, -8.1])[:, None, None, None], (1, 16, 16)).all()
    acquired = np.array([True, False, True, True, False])
    assert kspace(buffer(0.5, acquired=acquired)).matrix == (1, 3, 64)


def test_calibration_takes_the_readouts_of_all_frames():
    made = buffer(0.5, spokes=6)
    for name, axis in (("data", 4), ("trajectory", 4)):
        values = getattr(made, name)
        setattr(made, name, np.concatenate([values, 0.5 * values], axis=axis))
    made.headers = np.concatenate([made.headers, made.headers], axis=2).view(type(made.headers))
    part = first_of_slice(kspace(made), 0)
    assert part.data.shape == (1, 1, 1, 2, 1, 12, 64)
    assert part.trajectory[..., 6:, :].equal(part.trajectory[..., :6, :] / 2)
