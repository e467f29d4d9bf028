"""Radial scans through the pipelines."""

import ismrmrd
import numpy as np
import pytest

from gadgets.acquisition_accumulate_trigger import acquisition_accumulate_trigger
from gadgets.bucket_to_buffer import bucket_to_buffer
from gadgets.coil_sensitivities import coil_sensitivities
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from gadgets.reconstruct import reconstruct
from pipelines.clients.replay import find, replay, with_settings
from tests.support.buffers import recon_buffer, recon_data
from tests.support.radial_acquisitions import COILS, SIZE, acquisitions, header
from tests.support.streams import header_xml, run


def images(name, head, items, **settings):
    made = replay(with_settings(find(name), settings), head, items)
    return [item for item in made if isinstance(item, ismrmrd.Image)]


def expected(index):
    """Magnitude as the receivers see it, of the disc of k-space that spokes cover."""
    k = np.arange(SIZE) - SIZE // 2
    planes = cartesian((SIZE, SIZE, 1), coils=COILS, slice_index=8 * index)[:, 0] * (np.hypot(k[:, None], k) < SIZE / 2)
    coils = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(planes, (1, 2)), norm="ortho"), (1, 2))
    return np.sqrt((abs(coils) ** 2).sum(axis=0))[None]


@pytest.mark.parametrize(("settings", "limit"), [({"reconstruct.method": "gridding"}, 0.06), ({}, 0.08)])
def test_slices_come_back_in_their_places(settings, limit):
    made = images("radial_sense", header(76, 2), acquisitions(76, 2), **settings)
    assert [image.slice for image in made] == [0, 1]
    for index, image in enumerate(made):
        # A pixel at the rim of the disc of k-space rings as much as it is bright: gridding alone comes to 0.03.
        errors = [nrmse(image.data[0], expected(other), support(expected(other)), scaled=True) for other in (0, 1)]
        assert errors[index] < limit < errors[1 - index]
        assert image.data.shape == (1, 1, SIZE, SIZE)
        assert tuple(image.field_of_view[:2]) == (2.0 * SIZE, 2.0 * SIZE)
        assert image.position[2] == 5.0 * index


def test_both_units_give_the_same():
    one, other = (images("radial_sense", header(76), acquisitions(76, unit=unit))[0] for unit in (1 / (2 * SIZE), 1.0))
    # Trajectories are rounded differently, which at the rim of the maps' support can decide about a point.
    assert nrmse(one.data, other.data) < 0.01


def test_a_series_of_golden_angles():
    made = images("radial_grasp", header(40), acquisitions(40, golden=True), **{"time_frames.readouts": "13"})
    assert len(made) == 4
    assert [image.repetition for image in made] == [0, 1, 2, 3]
    for image in made[:3]:
        # Nothing moves: the frames are the image of all 40 spokes, of which 75 would be needed.
        assert nrmse(image.data[0], expected(0), support(expected(0)), scaled=True) < 0.12


def test_a_method_for_cartesian_scans_refuses_them_with_the_slice():
    with pytest.raises(Exception, match="espirit_l1 at slice 0, .* espirit_l1 reconstructs Cartesian k-space"):
        images("radial_sense", header(20), acquisitions(20), **{"reconstruct.method": "espirit_l1"})


@pytest.mark.parametrize("gadget", [coil_sensitivities, reconstruct])
def test_acquisitions_that_do_not_say_where_they_are_are_refused(gadget):
    buffer = recon_buffer(np.ones((1, 1, 1, 4, 1, 16, 16)))
    with pytest.raises(ValueError, match="encoding space 0 is radial, but its acquisitions have no trajectory"):
        run(gadget, [recon_data(buffer)], header_xml(trajectory="radial"))


def test_the_default_pipeline_refuses_them():
    with pytest.raises(Exception, match="along a trajectory, which simple_recon knows nothing of; reconstruct does"):
        images("default", header(20), acquisitions(20))


def test_on_a_grid_trajectories_are_left_out():
    head = header(8).replace(b"radial", b"cartesian")
    buckets = run(acquisition_accumulate_trigger, acquisitions(8), head)
    (recon,) = run(bucket_to_buffer, buckets, head)
    assert recon.bits[0].data.trajectory is None
