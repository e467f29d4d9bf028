"""K-space and its refusals."""

import numpy as np
import pytest
import torch

from gadgets.mri.kspace import KSpace


def data(*shape):
    return torch.randn(*shape, dtype=torch.complex64)


def test_from_data_masks_what_any_coil_acquired():
    x = data(2, 3, 1, 4, 5)
    x[:, :, :, 1] = 0
    x[:, 0, :, 2] = 0
    kspace = KSpace.from_data(x)
    assert kspace.mask.shape == (2, 1, 1, 4, 5)
    assert kspace.mask.all(dim=-1).squeeze()[0].tolist() == [True, False, True, True]
    assert (kspace.n_coils, kspace.other, kspace.matrix) == (3, (2,), (1, 4, 5))
    assert kspace.acceleration == pytest.approx(4 / 3)
    assert kspace.to("cpu").mask.equal(kspace.mask)


def test_masks_and_trajectories_broadcast():
    KSpace(
        data=data(2, 3, 1, 4, 5),
        mask=torch.ones(1, 1, 1, 4, 1, dtype=torch.bool),
        trajectory=torch.zeros(1, 3, 1, 4, 5),
        dcf=torch.ones(1, 1, 1, 4, 5),
        grid=(1, 6, 7),
    )


def test_along_a_trajectory_the_image_has_a_matrix_of_its_own():
    samples = data(2, 3, 1, 4, 5)
    mask, trajectory = torch.ones(1, 1, 1, 1, 1, dtype=torch.bool), torch.zeros(1, 3, 1, 4, 5)
    kspace = KSpace(data=samples, mask=mask, trajectory=trajectory, grid=(1, 6, 7))
    assert (kspace.matrix, kspace.image_matrix) == ((1, 4, 5), (1, 6, 7))
    assert KSpace.from_data(samples).image_matrix == (1, 4, 5)
    assert kspace.to("cpu").image_matrix == (1, 6, 7)
    kspace.require_maps(data(2, 3, 1, 6, 7))
    with pytest.raises(ValueError, match=r"the images of the coils have shape \(2, 3, 1, 6, 7\)"):
        kspace.require_maps(samples)
    for places, grid in ((None, (1, 6, 7)), (trajectory, None)):
        with pytest.raises(ValueError, match="a trajectory and the grid of its image, or neither"):
            KSpace(data=samples, mask=mask, trajectory=places, grid=grid)


def test_volumes_are_the_elements_of_the_axes_before_the_coils():
    samples, csm = data(2, 3, 4, 1, 4, 5), data(1, 3, 4, 1, 6, 7)
    places = torch.arange(2.0).reshape(2, 1, 1, 1, 1, 1).expand(2, 1, 3, 1, 4, 5)
    mask = torch.rand(2, 1, 1, 1, 4, 5) > 0.5
    kspace = KSpace(data=samples, mask=mask, trajectory=places, grid=(1, 6, 7))
    volumes = list(kspace.volumes(csm))
    assert len(volumes) == 6
    for (volume, maps), (i, j) in zip(volumes, np.ndindex(2, 3), strict=True):
        assert volume.data.equal(samples[i, j]) and volume.mask.equal(mask[i, 0]) and maps.equal(csm[0, j])
        assert (volume.trajectory == i).all() and volume.dcf is None and volume.image_matrix == (1, 6, 7)
    ((whole, maps),) = KSpace.from_data(csm[0, 0]).volumes(csm[0, 0])
    assert whole.data.equal(csm[0, 0]) and maps.equal(csm[0, 0])


def test_each_refuses_the_other_kind():
    samples, mask = data(3, 1, 4, 5), torch.ones(1, 1, 4, 5, dtype=torch.bool)
    along = KSpace(data=samples, mask=mask, trajectory=torch.zeros(3, 1, 4, 5), grid=(1, 6, 7))
    with pytest.raises(ValueError, match=r"rss reconstructs Cartesian .* trajectory of shape \(3, 1, 4, 5\)"):
        along.require_cartesian("rss")
    with pytest.raises(ValueError, match=r"gridding reconstructs .* along a trajectory, .* \(3, 1, 4, 5\) is Cart"):
        KSpace(data=samples, mask=mask).require_trajectory("gridding")


@pytest.mark.parametrize("shape", [(1, 4, 5), (3, 1, 4, 5), (1, 1, 4, 4), (1, 1, 1, 4, 5)])
def test_a_mask_of_wrong_shape_is_refused_with_both(shape):
    with pytest.raises(ValueError, match=r"mask has shape .*expected \(1, 1, 4, 5\)"):
        KSpace(data=data(3, 1, 4, 5), mask=torch.ones(shape, dtype=torch.bool))


def test_wrong_kinds_are_refused():
    with pytest.raises(TypeError, match="expected torch.bool"):
        KSpace(data=data(3, 1, 4, 5), mask=torch.ones(1, 1, 4, 5))
    with pytest.raises(TypeError, match="float32"):
        KSpace.from_data(data(3, 1, 4, 5).real)
    with pytest.raises(ValueError, match=r"\(1, 4, 5\), expected"):
        KSpace.from_data(data(1, 4, 5))
    with pytest.raises(ValueError, match="trajectory has shape"):
        KSpace(data=data(3, 1, 4, 5), mask=torch.ones(1, 1, 4, 5, dtype=torch.bool), trajectory=torch.zeros(2, 1, 4, 5))


def test_what_is_not_finite_is_counted_and_located():
    x = data(2, 3, 1, 4, 5)
    x[1, 2, 0, 3, 4] = complex(0, float("nan"))
    x[1, 2, 0, 3, 1] = complex(float("inf"), 0)
    with pytest.raises(ValueError, match="2 samples .* first at other0 1, coil 2, k2 0, k1 3, k0 1"):
        KSpace.from_data(x).require_finite()


def test_masks_of_lines_cover_the_grid():
    mask = torch.zeros(1, 1, 6, 1, dtype=torch.bool)
    mask[..., ::2, :] = True
    kspace = KSpace(data=torch.ones(2, 3, 1, 6, 5, dtype=torch.complex64), mask=mask[None])
    assert kspace.mask.shape == (1, 1, 1, 6, 5)
    assert kspace.mask[..., 3].equal(mask[None, ..., 0])
    assert kspace.acceleration == 2
