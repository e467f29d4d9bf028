"""Principal channels of recon data."""

import numpy as np
import pytest

from gadgets.coil_sensitivities import coil_sensitivities
from gadgets.generic_recon_eigen_channel import generic_recon_eigen_channel
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array
from tests.support.buffers import random_kspace, recon_buffer, recon_data
from tests.support.streams import run


def mixed(loc=1, s=1, n=1, seed=0):
    """K-space of 6 channels, mixtures of 6 of very different strength."""
    strengths = 10.0 ** -np.arange(6)[:, None, None, None]
    mixing = np.linalg.qr(random_kspace((6, 6), seed))[0]
    return np.einsum("ij,abcjzyx->abcizyx", mixing, random_kspace((loc, s, n, 6, 1, 16, 16), seed + 1) * strengths)


def channels(items, **properties):
    return [item.bits[0].data.data.T for item in run(generic_recon_eigen_channel, items, **properties)]


def energies(data):
    return (abs(data) ** 2).sum(axis=(-3, -2, -1))


def test_all_channels_keep_all_energy_in_descending_order():
    kspace = mixed(loc=2)
    (found,) = channels([recon_data(recon_buffer(kspace))])
    assert found.shape == kspace.shape
    # An orthonormal mixture: energy, and correlation of white noise, stay.
    np.testing.assert_allclose((abs(found) ** 2).sum(axis=3), (abs(kspace) ** 2).sum(axis=3), rtol=1e-4)
    for each in energies(found).reshape(2, 6):
        assert (np.diff(each) < 0).all()
        np.testing.assert_allclose(each / each[0], 100.0 ** -np.arange(6), rtol=0.5)


@pytest.mark.parametrize(
    ("properties", "kept"),
    [
        ({"upstream_coil_compression_thres": 1e-3}, 2),
        ({"upstream_coil_compression_thres": 1e-5}, 3),
        ({"upstream_coil_compression_thres": 1e-3, "upstream_coil_compression_num_modesKept": 4}, 4),
        ({"upstream_coil_compression_thres": 1e-3, "upstream_coil_compression": False}, 6),
    ],
)
def test_how_many_are_kept(properties, kept):
    items = [recon_data((recon_buffer(mixed()), recon_buffer(mixed())))]
    (item,) = run(generic_recon_eigen_channel, items, **properties)
    for buffer in (item.bits[0].data, item.bits[0].ref):
        assert buffer.data.shape[3] == kept
        assert (header_array(buffer.headers, ACQUISITION_HEADER)["active_channels"] == kept).all()


def test_components_are_those_of_the_reference():
    data, ref = recon_buffer(mixed(seed=1)), recon_buffer(mixed(seed=5))
    (item,) = run(generic_recon_eigen_channel, [recon_data((data, ref))])
    cross = np.einsum("ixy,jxy->ij", *[item.bits[0].ref.data.T[0, 0, 0, :, 0]] * 2, optimize=True)
    samples = item.bits[0].ref.data.T[0, 0, 0, :, 0].reshape(6, -1)
    samples = samples - samples.mean(axis=1, keepdims=True)
    covariance = samples @ samples.conj().T
    off = covariance - np.diag(covariance.diagonal())
    assert abs(off).max() < 1e-4 * abs(covariance).max()
    assert cross.shape == (6, 6)


def test_later_buffers_of_a_slice_keep_the_components():
    items = [recon_data(recon_buffer(mixed(seed=seed))) for seed in (1, 5)]
    first, second = channels(items)
    kept, updated = (channels(items, update_eigen_channel_coefficients=value)[1] for value in (False, True))
    np.testing.assert_array_equal(kept, second)
    (alone,) = channels(items[1:])
    np.testing.assert_allclose(updated, alone)
    assert abs(kept - alone).max() > 0.01


def test_each_contrast_its_own_or_all_the_same():
    kspace = np.concatenate([mixed(seed=1), mixed(seed=5)], axis=2)
    alone = channels([recon_data(recon_buffer(kspace[:, :, 1:]))])[0]
    (own,) = channels([recon_data(recon_buffer(kspace))], average_all_ref_N=False)
    np.testing.assert_allclose(own[:, :, 1:], alone, atol=1e-5)
    (shared,) = channels([recon_data(recon_buffer(kspace))])
    matrices = [
        np.linalg.lstsq(kspace[0, 0, n, :, 0].reshape(6, -1).T, shared[0, 0, n, :, 0].reshape(6, -1).T)[0]
        for n in (0, 1)
    ]
    np.testing.assert_allclose(*matrices, atol=1e-3)


def test_maps_and_what_they_are_for_pass():
    (item,) = run(coil_sensitivities, [recon_data(recon_buffer(mixed()))])
    (found,) = run(generic_recon_eigen_channel, [item])
    assert found.bits[0] is item.bits[0]


def test_nothing_to_go_by_is_refused():
    with pytest.raises(ValueError, match="samples are all zero"):
        run(generic_recon_eigen_channel, [recon_data(recon_buffer(np.zeros((1, 1, 1, 2, 1, 8, 8))))])
