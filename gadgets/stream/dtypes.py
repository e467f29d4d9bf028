"""Data types of the wire, little-endian and packed as the C++ structs are.

The table of pixel types is our own: the one of ismrmrd-python 1.15 takes 32-bit integers for 64-bit ones,
so that such images break in both directions. The library's table is repaired here too, because
`ismrmrd.Image` consults it for images that gadgets make.
"""

from __future__ import annotations

from typing import Any

import ismrmrd
import ismrmrd.image
import numpy as np

from .errors import ProtocolError, UnsupportedItem

ACQUISITION_HEADER: np.dtype[Any] = np.dtype(ismrmrd.AcquisitionHeader)
IMAGE_HEADER: np.dtype[Any] = np.dtype(ismrmrd.ImageHeader)
WAVEFORM_HEADER: np.dtype[Any] = np.dtype(ismrmrd.WaveformHeader)

#: ISMRMRD image data_type -> numpy dtype (ISMRMRD standard, ismrmrd.h: ISMRMRD_DataTypes)
PIXELS: dict[int, np.dtype[Any]] = {
    1: np.dtype("<u2"),
    2: np.dtype("<i2"),
    3: np.dtype("<u4"),
    4: np.dtype("<i4"),
    5: np.dtype("<f4"),
    6: np.dtype("<f8"),
    7: np.dtype("<c8"),
    8: np.dtype("<c16"),
}
_DATA_TYPES = {dtype: data_type for data_type, dtype in PIXELS.items()}

ismrmrd.image.dtype_mapping[4] = PIXELS[4]
ismrmrd.image.inverse_dtype_mapping[PIXELS[4]] = 4


def pixel_dtype(data_type: int) -> np.dtype[Any]:
    """Pixel dtype of an ISMRMRD data_type. Raises ProtocolError for one that the standard does not have."""
    try:
        return PIXELS[data_type]
    except KeyError:
        raise ProtocolError(f"image data_type {data_type} is unknown; known: 1 to 8") from None


def data_type_of(dtype: np.dtype[Any]) -> int:
    """ISMRMRD data_type of a pixel dtype. Raises UnsupportedItem for one that the standard does not have."""
    try:
        return _DATA_TYPES[np.dtype(dtype).newbyteorder("<")]
    except KeyError:
        known = ", ".join(d.name for d in PIXELS.values())
        raise UnsupportedItem(f"images of {dtype} cannot be sent; known pixel types: {known}") from None
