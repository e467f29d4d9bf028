"""Geometric coil compression."""

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.compression import compression_matrix
from gadgets.mri.calibration.geometric_compression import geometric_compression
from gadgets.mri.channels import mix, mix_along
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support

COILS = 12


def lines_of(data):
    """Readouts (line, coil, k0) of k-space (coil, k2, k1, k0)."""
    return np.moveaxis(data.reshape(len(data), -1, data.shape[-1]), 1, 0)


def central(data, n=24):
    middle = data.shape[-2] // 2
    return lines_of(data[:, :, middle - n // 2 : middle + n // 2])


def lost(compressed, lines):
    """The share of energy that compression leaves out."""
    return 1 - float(np.linalg.norm(compressed) ** 2 / np.linalg.norm(lines) ** 2)


@pytest.fixture(scope="module")
def plane():
    return cartesian((48, 49, 1), coils=COILS)


@pytest.mark.parametrize("matrix", [(48, 49, 1), (31, 32, 12)])
@pytest.mark.parametrize("kept", [3, 5])
def test_as_many_channels_keep_more_than_principal_components_do(matrix, kept):
    data = cartesian(matrix, coils=COILS)
    lines, calibration = lines_of(data), central(data)
    geometric = geometric_compression(calibration, coils=kept)
    principal = compression_matrix(np.moveaxis(calibration, 1, 0).reshape(COILS, -1), coils=kept)
    # Several times less is lost; in the paper's figures, half the channels are enough.
    assert lost(mix_along(geometric, lines), lines) < 0.25 * lost(mix(principal, lines), lines)


def test_rows_are_orthonormal_at_each_place(plane):
    matrices = geometric_compression(lines_of(plane), coils=4)
    assert matrices.shape == (48, 4, COILS)
    identity = np.broadcast_to(np.eye(4), (48, 4, 4))
    np.testing.assert_allclose(matrices @ matrices.conj().swapaxes(1, 2), identity, atol=1e-5)


def test_with_all_channels_nothing_is_lost(plane):
    lines = lines_of(plane)
    matrices = geometric_compression(lines)
    back = mix_along(matrices.conj().swapaxes(1, 2), mix_along(matrices, lines))
    np.testing.assert_allclose(back, lines, atol=1e-4 * abs(lines).max())


def test_keeps_as_much_as_asked_with_the_fewest(plane):
    lines = lines_of(plane)
    matrices = geometric_compression(lines, energy=0.999)
    assert lost(mix_along(matrices, lines), lines) <= 1.1e-3
    assert lost(mix_along(matrices[:, :-1], lines), lines) > 1e-3
    assert geometric_compression(lines, coils=2, energy=1.0).shape[1] == 2


def scrambled(matrices):
    """Another basis of the same channels at each place: what there is without alignment."""
    rng = np.random.default_rng(0)
    kept = matrices.shape[1]
    turns = rng.standard_normal((len(matrices), kept, kept)) + 1j * rng.standard_normal((len(matrices), kept, kept))
    return (np.linalg.qr(turns)[0] @ matrices).astype(np.complex64)


def test_alignment_makes_bases_follow_each_other(plane):
    matrices = geometric_compression(central(plane), coils=5)
    inside = slice(12, 37)
    steps = np.linalg.norm(np.diff(matrices[inside], axis=0), axis=(1, 2))
    loose = np.linalg.norm(np.diff(scrambled(matrices)[inside], axis=0), axis=(1, 2))
    # The spaces turn by a few hundredths from place to place; bases at random are sqrt(2 * 5) apart.
    assert steps.max() < 0.2 * loose.min()


def test_maps_can_be_estimated_after_alignment_and_not_without(plane):
    full = torch.from_numpy(plane)
    energy = torch.linalg.vector_norm(ifft(full, (-3, -2, -1)), dim=0, keepdim=True).numpy()
    mask = torch.zeros(1, 1, 49, 48, dtype=torch.bool)
    mask[:, :, ::2] = mask[:, :, 13:37] = True

    def error(lines):
        data = torch.from_numpy(np.moveaxis(lines, 0, 1).reshape(-1, 1, 49, 48).copy())
        kspace = KSpace(data=data * mask, mask=mask)
        method = CgSense()
        image = method(kspace, method.calibrate(kspace))
        return nrmse(image.abs().numpy(), energy, support(energy))

    matrices = geometric_compression(central(plane), coils=6)
    uncompressed = error(lines_of(plane))
    assert error(mix_along(matrices, lines_of(plane))) < 1.2 * uncompressed
    assert error(mix_along(scrambled(matrices), lines_of(plane))) > 3 * uncompressed


def test_refusals(plane):
    lines = lines_of(plane)
    with pytest.raises(ValueError, match=r"expected \(line, coil, k0\)"):
        geometric_compression(plane)
    with pytest.raises(ValueError, match="coils is 0"):
        geometric_compression(lines, coils=0)
    with pytest.raises(ValueError, match="energy is 2"):
        geometric_compression(lines, energy=2)
    with pytest.raises(ValueError, match="all zero"):
        geometric_compression(np.zeros_like(lines))
    broken = lines.copy()
    broken[3, 7, 3] = np.inf
    with pytest.raises(ValueError, match="NaN or infinite in coils 7$"):
        geometric_compression(broken)
