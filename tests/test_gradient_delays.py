"""Trajectories moved to where spokes were."""

import numpy as np
import pytest
import torch

from gadgets.acquisition_accumulate_trigger import acquisition_accumulate_trigger
from gadgets.bucket_to_buffer import bucket_to_buffer
from gadgets.gradient_delays import gradient_delays
from gadgets.mri.calibration.ring import shifted
from gadgets.mri.phantom.scan import sample
from gadgets.trajectory import places_of
from tests.support.buffers import recon_buffer, recon_data
from tests.support.radial_acquisitions import COILS, SIZE, acquisitions, header
from tests.support.streams import header_xml, run

DELAYS = torch.tensor([0.4, -0.3, 0.1])


def scan(*, unit=1 / (2 * SIZE)):
    """Recon data of two slices whose gradients lagged, and where their spokes really were."""
    lines = acquisitions(34, 2, golden=True, unit=unit)
    # Every other spoke runs the other way: delays of opposite directions are opposite.
    for line in lines[::2]:
        line.traj[:] = -line.traj
    (recon,) = run(bucket_to_buffer, run(acquisition_accumulate_trigger, lines, header(34, 2)), header(34, 2))
    buffer = recon.bits[0].data
    real = shifted(places_of(buffer), DELAYS)
    k = real.expand(2, *real.shape[1:]).movedim(3, -1).numpy().astype(float)
    for index in range(2):
        buffer.data.T[index, 0, 0] = SIZE * sample(k[index, 0, 0], coils=COILS, slice_index=8 * index)
    return recon, real


@pytest.mark.parametrize("unit", [1 / (2 * SIZE), 1.0])
def test_the_trajectory_is_where_spokes_were(unit):
    recon, real = scan(unit=unit)
    before = np.array(recon.bits[0].data.trajectory)
    (sent,) = run(gradient_delays, [recon], header(34, 2))
    found = places_of(sent.bits[0].data)
    assert (found - real).abs().max() < 0.05 < 0.3 < (places_of(recon.bits[0].data) - real).abs().max()
    assert sent.bits[0].data.trajectory.dtype == np.float32
    np.testing.assert_array_equal(recon.bits[0].data.trajectory, before)


def test_later_frames_are_moved_as_the_first_one():
    recon, _ = scan()
    other, _ = scan()
    other.bits[0].data.data[...] = 0
    first, second = run(gradient_delays, [recon, other], header(34, 2))
    np.testing.assert_array_equal(second.bits[0].data.trajectory, first.bits[0].data.trajectory)


def test_scans_on_a_grid_pass():
    item = recon_data(recon_buffer(np.ones((1, 1, 1, 4, 1, 16, 16))))
    (sent,) = run(gradient_delays, [item], header_xml())
    assert sent.bits[0].data is item.bits[0].data


def test_what_it_cannot_do_is_refused():
    recon, _ = scan()
    recon.bits[0].data.data[...] = np.random.default_rng(0).normal(size=recon.bits[0].data.data.shape)
    with pytest.raises(ValueError, match="slice 0 of encoding space 0: the places where spokes meet are no ellipse"):
        run(gradient_delays, [recon], header(34, 2))
    recon.bits[0].data.sampling.recon_FOV[1] = 200.0
    with pytest.raises(ValueError, match="field of view that is square; it is 96 x 200 mm"):
        run(gradient_delays, [recon], header(34, 2))
