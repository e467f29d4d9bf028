"""What recon buffers hold, told from their headers: slices, and sensitivity maps. Numpy only.

Maps travel in the reference of a recon bit, so that the next gadget finds them in this process or in another: such a
reference holds csm in image space [X, Y, Z, CHA, N, S, LOC] on the matrix of the data, and the flag ACQ_USER1 (57) is
set in every one of its acquisition headers. N and S are 1 where all images of a slice share its maps.
"""

from __future__ import annotations

import copy

import ismrmrd
import numpy as np
from gadgetron.types.recon_data import ReconBuffer

from gadgets.outputs.image_headers import acquired_lines
from gadgets.stream.dtypes import ACQUISITION_HEADER
from gadgets.stream.headers import header_array

MAPS_FLAG = ismrmrd.ACQ_USER1
_MAPS_BIT = np.uint64(1 << (MAPS_FLAG - 1))


def holds_maps(buffer: ReconBuffer | None) -> bool:
    """Whether a reference holds maps, by the convention above."""
    if buffer is None or not buffer.data.size:
        return False
    flags = header_array(buffer.headers, ACQUISITION_HEADER)["flags"]
    return bool(flags.size and ((flags & _MAPS_BIT) != 0).all())


def maps_buffer(csm: np.ndarray, like: ReconBuffer) -> ReconBuffer:
    """A reference that holds maps (LOC, S, N, CHA, z, y, x) for the data `like`, by the convention above.

    Its headers are copies of the data's, one for each row of the maps; where nothing was acquired, of the slice's
    first header.
    """
    loc, s, n, coils, nz, ny, nx = csm.shape
    records = header_array(like.headers, ACQUISITION_HEADER).view(np.ndarray)
    acquired = acquired_lines(like)
    headers = np.zeros((ny, nz, n, s, loc), ACQUISITION_HEADER, order="F")
    for index in range(loc):
        lines = records[..., index].reshape(-1, order="F")[acquired[..., index].reshape(-1, order="F")]
        if lines.size:
            headers[..., index] = lines[0]
    headers["flags"] = _MAPS_BIT
    headers["number_of_samples"], headers["active_channels"], headers["center_sample"] = nx, coils, nx // 2
    headers["discard_pre"] = headers["discard_post"] = 0
    headers["idx"]["kspace_encode_step_1"] = np.arange(ny)[:, None, None, None, None]
    headers["idx"]["kspace_encode_step_2"] = np.arange(nz)[None, :, None, None, None]
    sampling = copy.copy(like.sampling)
    for limit, length in zip(sampling.sampling_limits, (nx, ny, nz), strict=True):
        limit.min, limit.center, limit.max = 0, length // 2, length - 1
    return ReconBuffer(csm.T, None, None, header_array(headers, ACQUISITION_HEADER), sampling)


def slices(buffer: ReconBuffer) -> list[int | None]:
    """The slice number of each LOC, from the headers; None where nothing was acquired.

    Raises ValueError where N or S runs over slices: images of one slice share maps and calibration.
    """
    numbers = header_array(buffer.headers, ACQUISITION_HEADER)["idx"]["slice"]
    acquired = acquired_lines(buffer)
    found: list[int | None] = []
    for loc in range(numbers.shape[-1]):
        there = np.unique(numbers[..., loc][acquired[..., loc]])
        if len(there) > 1:
            raise ValueError(f"N or S of the recon data runs over slices {there.tolist()}; slices belong in LOC")
        found.append(int(there[0]) if len(there) else None)
    return found
