"""IMAGE (1022): header of 198 bytes, u64 meta length, meta XML, pixels with x fastest, then y, z, channel."""

from __future__ import annotations

import math
from xml.etree.ElementTree import ParseError

import ismrmrd
import numpy as np

from .dtypes import IMAGE_HEADER, data_type_of, pixel_dtype
from .errors import ProtocolError
from .ids import MessageId
from .limits import Limits
from .primitives import U16, Buffer, Reader, aligned, buffer_of, put_string, string, text


def read_image(limits: Limits) -> Reader[ismrmrd.Image]:
    head = ismrmrd.ImageHeader.from_buffer_copy((yield IMAGE_HEADER.itemsize).tobytes())
    meta = text((yield from string(8, limits, "image meta", "meta")), "image meta")
    dtype = pixel_dtype(head.data_type)
    shape = (head.channels, *reversed(tuple(head.matrix_size)))
    nbytes = limits.check("image", math.prod(shape) * dtype.itemsize, f"image {shape}")
    pixels = aligned((yield nbytes), dtype).reshape(shape)
    try:
        return ismrmrd.Image(head=head, attribute_string=meta, data=pixels)
    except (ParseError, AssertionError) as error:
        raise ProtocolError(f"image meta is not ISMRMRD meta XML: {error}") from None


def write_image(image: ismrmrd.Image) -> list[Buffer]:
    """The header's sizes and pixel type are set from the pixels, so that the two cannot disagree."""
    pixels = np.asarray(image.data)
    meta = image.attribute_string.encode()
    head = image.getHead()
    head.data_type = data_type_of(pixels.dtype)
    head.channels = pixels.shape[0]
    head.matrix_size = tuple(reversed(pixels.shape[1:]))
    head.attribute_string_len = len(meta)
    return [U16.pack(MessageId.IMAGE), bytes(head), *put_string(meta), buffer_of(np.ascontiguousarray(pixels))]
