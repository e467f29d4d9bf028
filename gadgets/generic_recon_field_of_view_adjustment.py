"""Images of the reconstructed field of view and matrix, as Gadgetron's GenericReconFieldOfViewAdjustmentGadget."""

from __future__ import annotations

from typing import Any

import numpy as np
from gadgetron.types.image_array import ImageArray
from torch import Tensor

from gadgets.mri.fft import fft, ifft
from gadgets.mri.field_of_view import centred
from gadgets.outputs.images import changed_array, metas_of
from gadgets.outputs.meta import values
from gadgets.outputs.sampling import encoding_of
from gadgets.properties import gadget
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.stream.dtypes import IMAGE_HEADER
from gadgets.stream.headers import header_array
from gadgets.tensors import tensor, warm_torch

_resident = Resident("generic_recon_field_of_view_adjustment", warm_torch)


@gadget
def generic_recon_field_of_view_adjustment(
    connection: Connection, *, debug_folder: str = "", perform_timing: bool = False, verbose: bool = False
) -> None:
    """Bring images to the header's reconstructed matrix and field of view. image arrays -> image arrays.

    The encoded field of view is that of the meta (encoding_FOV) or, without, of the header's encoding space; along the
    readout it is the reconstructed one already. K-space is padded with zeros or cut for the wanted size of voxel, along
    E1 and E2 to an even number of them over the encoded field of view; then the image is cut, or padded, to the matrix.
    Where k-space is padded intensities stay, where it is cut they grow with the square root of the size of the voxels:
    in both, noise keeps its level, and images their units of SNR.

    matrix_size and field_of_view of the headers are then what they say, the position stays the centre of the image.
    Along an axis of one voxel nothing is done. debug_folder, perform_timing, verbose: taken for the sake of stock
    chains, without effect. Other items pass.

    Raises ValueError for images of an encoding space that the header does not describe.
    """
    for item in connection.blocks():
        if isinstance(item, ImageArray) and item.data.size:
            metas = metas_of(item)
            meta = metas[0] if metas else {}
            encoding = connection.header.encoding[encoding_of(meta, connection.header)]
            item = _resident(_adjusted, item, encoding, [float(size) for size in values(meta, "encoding_FOV")])
        connection.send(item)


def _adjusted(images: ImageArray, encoding: Any, encoded: list[float]) -> ImageArray:
    pixels = tensor(images.data)
    space = encoding.reconSpace
    matrix = (space.matrixSize.x, space.matrixSize.y, space.matrixSize.z)
    wanted = (space.fieldOfView_mm.x, space.fieldOfView_mm.y, space.fieldOfView_mm.z)
    own = encoding.encodedSpace.fieldOfView_mm
    fields = list(encoded) if len(encoded) == 3 else [own.x, own.y, own.z]
    fields[0] = wanted[0]
    made = list(wanted)
    for number, (size, field, target) in enumerate(zip(matrix, fields, wanted, strict=True)):
        axis, length = -1 - number, pixels.shape[-1 - number]
        if length == 1 or size < 1 or field <= 0 or target <= 0:
            continue
        voxels = size if abs(field - target) < 1e-3 * target else 2 * max(1, round(field * size / (2 * target)))
        pixels = _resampled(pixels, axis, voxels)
        pixels = _along(pixels, axis, size)
        if voxels != size:
            made[number] = field * size / voxels
    headers = header_array(images.headers, IMAGE_HEADER).view(np.ndarray).copy(order="F")
    there = headers["matrix_size"].any(axis=-1)
    headers["matrix_size"][there], headers["field_of_view"][there] = pixels.shape[:-4:-1], made
    return changed_array(images, pixels.numpy(), headers=header_array(headers, IMAGE_HEADER))


def _resampled(pixels: Tensor, axis: int, voxels: int) -> Tensor:
    """The same field of view in another number of voxels along an axis, with noise of the same level."""
    length = pixels.shape[axis]
    if length == voxels:
        return pixels
    kspace = fft(pixels, [axis])
    resampled = ifft(_along(kspace, axis, voxels), [axis])
    return resampled * (voxels / length) ** 0.5 if voxels > length else resampled


def _along(x: Tensor, axis: int, size: int) -> Tensor:
    """One axis cropped, or padded with zeros, to `size`; its centre stays."""
    return centred(x.movedim(axis, -1), (size,)).movedim(-1, axis)
