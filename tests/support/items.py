"""One small item of every kind that travels, and when two of a kind are equal."""

from __future__ import annotations

from typing import Any

import ismrmrd
import numpy as np
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData, SamplingDescription

from gadgets.stream import control
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.bucket import Bucket
from gadgets.stream.dtypes import ACQUISITION_HEADER, IMAGE_HEADER, PIXELS
from gadgets.stream.headers import zeros

from .streams import acquisition


def complex_noise(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(np.complex64)


def block(rng: np.random.Generator, n: int = 3, channels: int = 2, samples: int = 5, dimensions: int = 0):
    """A block of `n` acquisitions that differ in counters and data."""
    made = []
    for i in range(n):
        one = acquisition(complex_noise(rng, channels, samples), idx={"kspace_encode_step_1": i}, scan_counter=i)
        if dimensions:
            one.resize(samples, channels, dimensions)
            one.traj[:] = rng.normal(size=(samples, dimensions))
        made.append(one)
    return AcquisitionBlock.from_acquisitions(made)


def image(rng: np.random.Generator, dtype: Any = np.float32, meta: dict[str, Any] | None = None) -> ismrmrd.Image:
    pixels = (100 * rng.normal(size=(2, 1, 3, 4))).astype(dtype)
    made = ismrmrd.Image.from_array(pixels, acquisition=acquisition(np.ones((1, 4))), transpose=False)
    made.image_index, made.image_series_index = 7, 2
    made.meta = ismrmrd.Meta(meta or {})
    return made


def waveform(rng: np.random.Generator) -> ismrmrd.Waveform:
    made = ismrmrd.Waveform.from_array(rng.integers(0, 1 << 32, (2, 9), dtype=np.uint32))
    made.time_stamp = 5
    return made


def recon_buffer(rng: np.random.Generator, *, extras: bool = False) -> ReconBuffer:
    dims = (4, 3, 2, 2, 1, 1, 2)
    headers = zeros((3, 2, 1, 1, 2), ACQUISITION_HEADER)
    headers["scan_counter"] = np.arange(headers.size).reshape(headers.shape)
    sampling = SamplingDescription()
    sampling.encoded_FOV[0], sampling.recon_matrix[1] = 3.5, 9
    sampling.sampling_limits[2].center = 4
    data = np.asfortranarray(complex_noise(rng, *dims))
    if not extras:
        return ReconBuffer(data, None, None, headers, sampling)
    trajectory = np.asfortranarray(rng.normal(size=(2, 4, 3, 2, 1, 1, 2)).astype(np.float32))
    density = np.asfortranarray(rng.normal(size=(4, 3, 2, 1, 1, 2)).astype(np.float32))
    return ReconBuffer(data, trajectory, density, headers, sampling)


def image_array(rng: np.random.Generator, *, extras: bool = False) -> ImageArray:
    headers = zeros((2, 1, 3), IMAGE_HEADER)
    headers["image_index"] = np.arange(6).reshape(headers.shape)
    data = np.asfortranarray(complex_noise(rng, 4, 3, 1, 1, 2, 1, 3))
    metas = [ismrmrd.Meta({"n": str(i)}).serialize() for i in range(6)]
    if not extras:
        return ImageArray(data, headers, [], None, None)
    acquisitions = zeros((3, 1, 2, 1, 3), ACQUISITION_HEADER)
    acquisitions["flags"] = 77
    return ImageArray(data, headers, metas, [waveform(rng), waveform(rng)], acquisitions)


def empty_recon_bit() -> ReconBit:
    headers = zeros((0,) * 5, ACQUISITION_HEADER)
    return ReconBit(ReconBuffer(np.empty((0,) * 7, np.complex64), None, None, headers, SamplingDescription()))


def every_item() -> dict[str, Any]:
    """Name -> item, one of every message, with and without its optional parts."""
    rng = np.random.default_rng(1)
    items: dict[str, Any] = {
        "filename": control.Filename("default.xml"),
        "config": control.Config(b"<configuration/>"),
        "header": control.Header(b"<ismrmrdHeader/>"),
        "close": control.Close(),
        "text": control.Text("μ-map"),
        "query": control.Query(3, "gadgetron::info"),
        "response": control.Response(3, "yes"),
        "error": control.Error("broken"),
        "acquisitions": block(rng),
        "acquisitions with trajectory": block(rng, dimensions=2),
        "acquisition without samples": block(rng, n=1, samples=0),
        "waveform": waveform(rng),
        "recon data": ReconData([ReconBit(recon_buffer(rng))]),
        "recon data with everything": ReconData(
            [ReconBit(recon_buffer(rng, extras=True), recon_buffer(rng)), empty_recon_bit()]
        ),
        "image array": image_array(rng),
        "image array with everything": image_array(rng, extras=True),
        "bucket": Bucket([block(rng), block(rng, samples=6, dimensions=1)], [block(rng, n=2)], [waveform(rng)]),
        "empty bucket": Bucket([]),
    }
    for dtype in PIXELS.values():
        items[f"image of {dtype.name}"] = image(rng, dtype, {"Name": "é", "List": ["1", "2"]})
    return items
