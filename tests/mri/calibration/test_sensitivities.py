"""Sensitivities from calibration lines, against the truth and against a scanner's body coil."""

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.espirit import espirit
from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.phantom.scan import cartesian, coil_maps, truth
from gadgets.mri.quality.support import support


def overlap(csm, maps):
    """|cosine| of the angle between estimated and true maps, per point."""
    return np.abs((csm.conj() * maps).sum(axis=0)) / np.linalg.norm(maps, axis=0)


def reference(matrix, coils, lines, noise=0.0):
    data = torch.from_numpy(cartesian(matrix, coils=coils))
    torch.manual_seed(0)
    data = data + noise * torch.randn_like(data)
    mask = torch.zeros(1, *data.shape[-3:], dtype=torch.bool)
    mask[0][(slice(None) if matrix[2] == 1 else central(matrix[2], lines), central(matrix[1], lines))] = True
    return KSpace(data=data * mask, mask=mask)


def central(n, length):
    return slice(n // 2 - length // 2, n // 2 - length // 2 + length)


@pytest.mark.parametrize("matrix", [(64, 64, 1), (45, 47, 1), (32, 32, 16)])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_central_lines_give_the_true_maps(matrix, noise):
    csm = sensitivities(reference(matrix, 6, 14, noise)).numpy()
    inside = support(truth(matrix))
    # In three dimensions voxels are large here, and maps act before the cut of k-space.
    assert overlap(csm, coil_maps(matrix, coils=6))[inside & (csm != 0).any(axis=0)].mean() > 0.994
    length = np.linalg.norm(csm, axis=0)
    assert np.all((np.abs(length - 1) < 1e-5) | (length == 0))
    assert (length[inside] > 0).mean() > 0.98


def test_noise_far_from_the_object_is_no_support():
    csm = sensitivities(reference((64, 64, 1), 8, 20, 0.03))
    assert not csm[:, 0, :3, :3].any()


def test_eigenvalues_say_where_maps_hold():
    kspace = reference((64, 64, 1), 6, 24)
    block = kspace.data[..., central(64, 24), central(64, 24)]
    _, eigenvalues = espirit(block, (1, 64, 64))
    values = eigenvalues[0].numpy()
    assert values.max() < 1.001
    assert values[support(truth((64, 64, 1)))].mean() > 0.97
    assert values[0, :, :3].max() < 0.9


def test_one_coil_and_no_signal():
    alone = sensitivities(reference((32, 32, 1), 1, 16))
    assert set(alone.abs().round(decimals=4).unique().tolist()) <= {0.0, 1.0}
    nothing = KSpace(data=torch.zeros(3, 1, 16, 16, dtype=torch.complex64), mask=torch.ones(1, 1, 16, 16).bool())
    assert not sensitivities(nothing).any()


def test_low_resolution_keeps_what_is_fully_sampled():
    kspace = reference((32, 30, 1), 2, 30)
    torch.testing.assert_close(low_resolution(kspace), ifft(kspace.data, (-3, -2, -1)))


def test_low_resolution_does_not_ring():
    mask = torch.zeros(1, 1, 64, 8, dtype=torch.bool)
    mask[:, :, central(64, 16)] = True
    point = KSpace(data=mask.to(torch.complex64), mask=mask)
    far = low_resolution(point).abs()[0, 0, :, 4]
    plain = ifft(point.data, (-3, -2, -1)).abs()[0, 0, :, 4]
    assert far[:20].max() < 0.01 * far.max()
    assert plain[:20].max() > 0.08 * plain.max()


@pytest.mark.data
def test_agrees_with_array_over_body_coil(data_dir):
    h5py = pytest.importorskip("h5py")

    def load(name):
        with h5py.File(data_dir / "mrd" / name) as file:
            lines = file["dataset/data"][:]
        data = np.stack([line["data"].view(np.complex64).reshape(-1, 128) for line in lines], axis=1)
        return torch.from_numpy(data[:, None])

    array = load("brain_gre_3T_16ch_full.h5")
    body = ifft(load("brain_gre_3T_bodycoil2ch_full.h5"), (-3, -2, -1))
    mask = torch.zeros(1, 1, 128, 128, dtype=torch.bool)
    mask[:, :, central(128, 24)] = True
    csm = sensitivities(KSpace(data=array * mask, mask=mask)).numpy()
    # The body coil's phase and intensity are the same for all channels, so the ratio is parallel to the maps.
    ratio = (ifft(array, (-3, -2, -1)) / body[:1]).numpy()
    inside = support(body.abs().sum(dim=0).numpy())
    # 0.98: the ratio itself has the noise of single points of both scans.
    assert np.median(overlap(csm, ratio)[inside]) > 0.98
