"""Sensitivities from calibration lines, against the truth and against a scanner's body coil."""

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.espirit import espirit
from gadgets.mri.calibration.low_resolution import low_resolution
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.fft import fft, ifft
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
    kspace = reference(matrix, 6, 14, noise)
    csm = sensitivities(kspace).numpy()
    inside = support(truth(matrix))
    # The images of low resolution from the same lines, each over the root sum of squares, are maps of a kind: their
    # ringing and their noise, which patches of all coils average out, is what ESPIRiT is there to leave behind.
    images = low_resolution(kspace).numpy()
    plain = images / np.linalg.norm(images, axis=0)
    kept = inside & (csm != 0).any(axis=0)
    ours, theirs = (1 - overlap(maps, coil_maps(matrix, coils=6))[kept].mean() for maps in (csm, plain))
    assert ours < theirs / 3
    length = np.linalg.norm(csm, axis=0)
    assert np.all((np.abs(length - 1) < 1e-5) | (length == 0))
    assert (length[inside] > 0).mean() > 0.98


@pytest.mark.parametrize("lines", [6, 8, 10, 12])
def test_few_lines_leave_no_holes_in_the_object(lines):
    """With patches as large as for many lines, maps of six and eight have them."""
    n = 64
    y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, n)], indexing="ij")
    disc = (y.square() + x.square() < 0.5)[None]
    data = fft(torch.from_numpy(coil_maps((n, n, 1), coils=6)) * disc, (-2, -1))
    mask = torch.zeros(1, 1, n, n, dtype=torch.bool)
    mask[:, :, central(n, lines)] = True
    csm = sensitivities(KSpace(data=data * mask, mask=mask))
    assert float((csm != 0).any(dim=0)[disc].float().mean()) > 0.97


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


def test_eigenvectors_have_converged():
    kspace = reference((64, 64, 1), 8, 24, 0.02)
    block = kspace.data[..., central(64, 24), central(64, 24)]
    csm, values = espirit(block, (1, 64, 64))
    many, found = espirit(block, (1, 64, 64), iterations=100)
    inside = torch.from_numpy(support(truth((64, 64, 1))))
    apart = csm - many * (many.conj() * csm).sum(dim=0)
    # Of the error of the maps themselves, which is a hundredth and more, this is a small part.
    assert apart.norm(dim=0)[inside].max() < 1e-3
    assert (values - found).abs().amax() < 1e-3


def test_a_lower_threshold_takes_in_no_noise():
    kspace = reference((64, 64, 1), 8, 24, 0.1)
    block = kspace.data[..., central(64, 24), central(64, 24)]
    default, all_above_noise = (espirit(block, (1, 64, 64), threshold=t)[1] for t in (0.005, 0.0))
    torch.testing.assert_close(default, all_above_noise)
    assert (all_above_noise[0, 0, :3].mean() < 0.8) and all_above_noise.amax() < 1.001


def test_sets_are_orthonormal_and_in_order():
    kspace = reference((64, 64, 1), 6, 24)
    block = kspace.data[..., central(64, 24), central(64, 24)]
    csm, values = espirit(block, (1, 64, 64), sets=2)
    assert csm.shape == (12, 1, 64, 64) and values.shape == (2, 1, 64, 64)
    one, value = espirit(block, (1, 64, 64))
    torch.testing.assert_close(csm[:6], one)
    torch.testing.assert_close(values[:1], value)
    assert (values[0] > values[1] - 1e-3).all()
    maps = csm.unflatten(0, (2, 6))
    gram = torch.einsum("sczyx,tczyx->stzyx", maps.conj(), maps)
    torch.testing.assert_close(gram[0, 1], torch.zeros_like(gram[0, 1]), rtol=0, atol=1e-3)
    torch.testing.assert_close(gram[1, 1], torch.ones_like(gram[1, 1]))
    with pytest.raises(ValueError, match="sets is 7, expected 1 to 6"):
        espirit(block, (1, 64, 64), sets=7)


def test_slices_are_treated_alone_in_several_sets():
    slices = [reference((48, 48, 1), 4, 24, noise) for noise in (0.0, 0.05)]
    both = KSpace(data=torch.stack([s.data for s in slices]), mask=torch.stack([s.mask for s in slices]))
    together = sensitivities(both, sets=2)
    for index, one in enumerate(slices):
        torch.testing.assert_close(together[index], sensitivities(one, sets=2))


def test_soft_maps_fade_out():
    kspace = reference((64, 64, 1), 6, 24)
    hard, soft = sensitivities(kspace, support=0.6), sensitivities(kspace, support=0.6, soft=True)
    length = soft.norm(dim=0)
    torch.testing.assert_close(soft, hard * length)
    assert (length > 0.01).logical_and(length < 0.99).any() and length.max() < 1.001
    assert length[support(truth((64, 64, 1)))].min() > 0.9
    # Between neighbours a hard map may jump from 0 to 1; a soft one goes in steps.
    steps = [maps.norm(dim=0).diff(dim=-1).abs().amax() for maps in (hard, soft)]
    assert steps[1] < 0.5 < steps[0]
    with pytest.raises(ValueError, match="support is 1"):
        sensitivities(kspace, support=1, soft=True)


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
