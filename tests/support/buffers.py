"""Recon data made from arrays, to run gadgets on without the gadgets before them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ismrmrd
import numpy as np
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData, SamplingDescription

from gadgets.stream.dtypes import ACQUISITION_HEADER, IMAGE_HEADER
from gadgets.stream.headers import header_array, zeros


def recon_buffer(
    kspace: np.ndarray,
    acquired: np.ndarray | None = None,
    *,
    encoded_fov: Sequence[float] | None = None,
    recon_fov: Sequence[float] | None = None,
    recon_matrix: Sequence[int] | None = None,
    **head: Any,
) -> ReconBuffer:
    """A buffer of k-space (LOC, S, N, CHA, E2, E1, E0), on its grid with the centre at N // 2.

    acquired: bool, broadcasts against (LOC, S, N, E2, E1). Voxels are 2 mm unless `encoded_fov` says otherwise. Headers
    count slice along LOC, average along S, contrast along N; their scan_counter says where they stand.
    """
    loc, s, n, coils, e2, e1, e0 = kspace.shape
    lines = np.broadcast_to(True if acquired is None else acquired, (loc, s, n, e2, e1)).T
    records = zeros(lines.shape, ACQUISITION_HEADER).view(np.ndarray)
    where = np.indices(lines.shape)
    records["version"] = 1
    records["number_of_samples"], records["active_channels"], records["center_sample"] = e0, coils, e0 // 2
    records["scan_counter"] = np.arange(lines.size).reshape(lines.shape, order="F")
    records["acquisition_time_stamp"] = 1000 + records["scan_counter"]
    records["measurement_uid"] = 7
    records["read_dir"], records["phase_dir"], records["slice_dir"] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
    records["position"][..., 2] = 5.0 * where[4]
    for name, axis in (("kspace_encode_step_1", 0), ("kspace_encode_step_2", 1), ("contrast", 2), ("average", 3)):
        records["idx"][name] = where[axis]
    records["idx"]["slice"] = where[4]
    for name, value in head.items():
        (records["idx"] if name in records["idx"].dtype.names else records)[name] = value
    records[~lines] = np.zeros((), ACQUISITION_HEADER)
    sampling = SamplingDescription()
    sampling.encoded_matrix[:] = e0, e1, e2
    sampling.recon_matrix[:] = recon_matrix or (e0, e1, e2)
    sampling.encoded_FOV[:] = encoded_fov or (2.0 * e0, 2.0 * e1, 2.0 * e2)
    sampling.recon_FOV[:] = recon_fov or list(sampling.encoded_FOV)
    for limit, length in zip(sampling.sampling_limits, (e0, e1, e2), strict=True):
        limit.min, limit.center, limit.max = 0, length // 2, length - 1
    data = (kspace * lines.T[:, :, :, None, :, :, None]).astype(np.complex64)
    return ReconBuffer(data.T, None, None, header_array(records, ACQUISITION_HEADER), sampling)


def recon_data(*bits: ReconBuffer | tuple[ReconBuffer, ReconBuffer | None]) -> ReconData:
    """Recon data of buffers, each alone or with its reference."""
    return ReconData([ReconBit(*bit) if isinstance(bit, tuple) else ReconBit(bit) for bit in bits])


def empty_buffer() -> ReconBuffer:
    """The buffer of an encoding space without data."""
    data, headers = np.empty((0,) * 7, np.complex64, order="F"), zeros((0,) * 5, ACQUISITION_HEADER)
    return ReconBuffer(data, None, None, headers, SamplingDescription())


def image_array(pixels: np.ndarray) -> ImageArray:
    """An image array of pixels (LOC, S, N, channel, z, y, x), whose headers say where they stand."""
    loc, s, n, channels, z, y, x = pixels.shape
    records = zeros((n, s, loc), IMAGE_HEADER).view(np.ndarray)
    records["version"], records["channels"], records["matrix_size"] = 1, channels, (x, y, z)
    records["contrast"], records["average"], records["slice"] = np.indices(records.shape)
    return ImageArray(pixels.astype(np.complex64).T, header_array(records, IMAGE_HEADER), [])


def image(pixels: np.ndarray, *, meta: dict[str, Any] | None = None, **head: Any) -> ismrmrd.Image:
    """An image of pixels (channel, z, y, x) or fewer axes, with header fields set."""
    made = ismrmrd.Image(data=np.array(pixels, ndmin=4), meta=ismrmrd.Meta(meta or {}))
    made.version = 1
    for name, value in head.items():
        setattr(made, name, value)
    return made


def random_kspace(shape: Sequence[int], seed: int = 0) -> np.ndarray:
    """Complex normal numbers."""
    random = np.random.default_rng(seed)
    return random.standard_normal((*shape, 2)).view(np.complex128)[..., 0]
