"""Recon data to images by Fourier transform and root sum of squares, as Gadgetron's SimpleReconGadget.

Without torch: on its own, this gadget is ready a second earlier.
"""

from __future__ import annotations

import logging
from typing import Any

import ismrmrd
import numpy as np
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconBuffer, ReconData
from scipy.fft import ifftn

from gadgets.outputs.image_headers import image_headers
from gadgets.outputs.images import Counter, image_array
from gadgets.outputs.meta import new_meta
from gadgets.properties import gadget
from gadgets.stream.connection import Connection

log = logging.getLogger(__name__)


@gadget
def simple_recon(connection: Connection) -> None:
    """Every N, S and LOC of every encoding space on its own. recon data -> image arrays, one for each encoding space.

    Pixels: the square root of the sum over channels of |inverse FFT|^2, real and not negative, complex64, on the
    matrix of the buffer. References are ignored, lines that were not acquired count as zero, and encoding spaces
    without data are skipped. Images of encoding space e are in series e.

    Headers are Gadgetron's, which gives the reconstructed field of view and crops nothing. Where the encoded field of
    view is another along the phase encodings, that is not the size of the image, and a warning says so: `reconstruct`
    with method `rss` crops.

    Raises ValueError for samples that are not finite, and for acquisitions along a trajectory.
    """
    counter = Counter()
    for item in connection.blocks():
        if not isinstance(item, ReconData):
            connection.send(item)
            continue
        for space, bit in enumerate(item.bits):
            if bit.data.data.size:
                connection.send(_images(bit.data, space, counter))


def _images(buffer: ReconBuffer, space: int, counter: Counter) -> ImageArray:
    if buffer.trajectory is not None:
        raise ValueError(
            f"encoding space {space} was acquired along a trajectory, which simple_recon knows nothing of; "
            "reconstruct does, with method gridding, cg_sense or grasp"
        )
    kspace = np.asarray(buffer.data.T, np.complex64)
    pixels = np.empty((*kspace.shape[:3], 1, *kspace.shape[4:]), np.complex64)
    for index in np.ndindex(*kspace.shape[:3]):
        pixels[index][0] = root_sum_of_squares(kspace[index])
    encoded, wanted = buffer.sampling.encoded_FOV, buffer.sampling.recon_FOV
    if any(abs(e - w) > 1e-3 * w for e, w in zip(encoded[1:], wanted[1:], strict=True)):
        log.warning("images have the encoded field of view %s mm; their headers say %s", list(encoded), list(wanted))
    matrix = kspace.shape[:-4:-1]
    headers = image_headers(buffer, matrix, list(wanted), image_type=ismrmrd.IMTYPE_MAGNITUDE, series=space)
    headers["user_int"], headers["user_float"] = 0, 0  # Gadgetron does not copy them here.
    if not np.isfinite(pixels.real).all():
        wrong = int((~np.isfinite(buffer.data)).sum())
        raise ValueError(f"k-space of {_where(headers[0, 0, 0])} holds {wrong} samples that are NaN or infinite")
    return image_array(pixels, headers, lambda header: new_meta(header, ["deepgadgets", "simple_recon"]), counter)


def root_sum_of_squares(kspace: np.ndarray) -> np.ndarray:
    """sqrt(sum_c |F^-1 y_c|^2), (z, y, x), of k-space (coil, k2, k1, k0).

    A shift of k-space changes but the phase of the image, and here only the magnitude counts: so nothing is shifted
    but the result. One channel at a time stays in the cache.
    """
    axes = [axis for axis in (0, 1, 2) if kspace.shape[1 + axis] > 1]
    total = np.zeros((*kspace.shape[1:], 2), np.float32)
    work = np.empty(kspace.shape[1:], np.complex64)
    for channel in kspace:
        work[...] = channel
        image = ifftn(work, axes=axes, norm="ortho", overwrite_x=True) if axes else work
        parts = image.view(np.float32).reshape(total.shape)
        np.multiply(parts, parts, out=parts)
        total += parts
    return np.fft.fftshift(np.sqrt(total[..., 0] + total[..., 1]), axes)


def _where(header: Any) -> str:
    return f"slice {header.slice}, contrast {header.contrast}, repetition {header.repetition}"
