"""References as Gadgetron's generic reconstructions expect them."""

import numpy as np
import pytest
import torch

from gadgets.coil_sensitivities import coil_sensitivities
from gadgets.generic_recon_cartesian_reference_prep import generic_recon_cartesian_reference_prep
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array
from gadgets.tensors import reference
from tests.support.buffers import empty_buffer, random_kspace, recon_buffer, recon_data
from tests.support.streams import header_xml, run

PLAIN, EMBEDDED = header_xml(), header_xml(acceleration=2)
LINES = np.arange(16)


def prepared(*items, header=EMBEDDED, **properties):
    return [item.bits[0].ref for item in run(generic_recon_cartesian_reference_prep, items, header, **properties)]


def limits(buffer):
    return [(limit.min, limit.center, limit.max) for limit in buffer.sampling.sampling_limits]


def test_cut_to_the_lines_that_were_sampled():
    kspace = random_kspace((2, 1, 1, 3, 1, 16, 12))
    data, ref = recon_buffer(kspace, LINES % 2 == 0), recon_buffer(kspace, abs(LINES - 8) < 4)
    (found,) = prepared(recon_data((data, ref)))
    np.testing.assert_array_equal(found.data.T, kspace[..., 5:12, :].astype(np.complex64))
    assert limits(found) == [(0, 6, 11), (0, 3, 6), (0, 0, 0)]
    headers = header_array(found.headers, ACQUISITION_HEADER)
    assert headers["idx"]["kspace_encode_step_1"][:, 0, 0, 0, 0].tolist() == list(range(5, 12))
    # On the grid of the data, it is where it was.
    placed = reference(found, data)
    torch.testing.assert_close(placed.data, torch.from_numpy(np.ascontiguousarray(ref.data.T)))
    assert placed.mask.expand(2, 1, 1, 1, 1, 16, 12)[0, 0, 0, 0, 0, :, 0].nonzero().flatten().tolist() == list(
        range(5, 12)
    )


def test_without_acceleration_the_data_are_the_reference():
    kspace = random_kspace((1, 1, 1, 3, 1, 16, 12))
    (found,) = prepared(recon_data(recon_buffer(kspace)), header=PLAIN)
    np.testing.assert_array_equal(found.data.T, kspace.astype(np.complex64))
    # Partial k-space: the centre stays where it is on the grid, half way or not.
    data = recon_buffer(kspace, LINES > 4)
    (found,) = prepared(recon_data(data), header=PLAIN)
    assert limits(found)[1] == (0, 3, 10)
    torch.testing.assert_close(reference(found, data).data, torch.from_numpy(np.ascontiguousarray(data.data.T)))
    (found,) = prepared(recon_data(data), header=EMBEDDED)
    assert found is None


@pytest.mark.parametrize(("n", "s"), [(True, True), (True, False), (False, True), (False, False)])
def test_lines_are_averaged_over_those_that_were_acquired(n, s):
    kspace = random_kspace((1, 2, 3, 2, 1, 16, 12))
    acquired = np.ones((1, 2, 3, 1, 16), bool)
    acquired[0, 1, 0, 0, 7] = acquired[0, :, 2, 0, 3] = False
    (found,) = prepared(
        recon_data((recon_buffer(kspace), recon_buffer(kspace, acquired))), average_all_ref_N=n, average_all_ref_S=s
    )
    weights = acquired[:, :, :, None, :, :, None].astype(float)
    expected = kspace * weights
    counts = weights
    for axis, wanted in ((2, n), (1, s)):
        if wanted:
            total = counts.sum(axis=axis, keepdims=True)
            expected = expected.sum(axis=axis, keepdims=True) / np.maximum(total, 1)
            counts = (total > 0).astype(float)
    assert found.data.T.shape == (1, 1 if s else 2, 1 if n else 3, 2, 1, 16, 12)
    np.testing.assert_allclose(found.data.T, expected, rtol=1e-5, atol=1e-6)


def test_asymmetric_echoes_are_cut_and_come_back_in_their_place():
    kspace = random_kspace((1, 1, 1, 2, 1, 16, 12))
    kspace[..., :3] = 0
    data = recon_buffer(kspace, discard_pre=3)
    data.sampling.sampling_limits[0].min = 3
    (found,) = prepared(recon_data(data), header=PLAIN)
    # Limits of the whole readout, samples of those that were measured: as Gadgetron has them.
    assert limits(found)[0] == (3, 6, 11)
    assert found.data.shape[0] == 9
    placed = reference(found, data)
    torch.testing.assert_close(placed.data, torch.from_numpy(np.ascontiguousarray(data.data.T)))
    assert placed.mask[0, 0, 0, 0, 0, 0].nonzero().flatten().tolist() == list(range(3, 12))


def test_prepared_once_or_always():
    items = [
        recon_data((recon_buffer(k), recon_buffer(k)))
        for k in (random_kspace((1, 1, 1, 2, 1, 16, 12), i) for i in (1, 2))
    ]
    assert [ref is not None for ref in prepared(*items)] == [True, True]
    assert [ref is not None for ref in prepared(*items, prepare_ref_always=False)] == [True, False]


def test_what_is_no_reference_passes():
    kspace = random_kspace((1, 1, 1, 4, 1, 16, 16))
    maps = run(coil_sensitivities, [recon_data(recon_buffer(kspace))])[0]
    assert prepared(maps, header=PLAIN)[0] is maps.bits[0].ref
    assert prepared(recon_data(empty_buffer()), header=PLAIN) == [None]
