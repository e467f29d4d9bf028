"""What the channels are made of: a message that lets the images' brightness stay that of the receiver coils.

Whitening and coil compression make new channels out of the receivers' ones. Maps whose squares sum to one over those
channels weight the image by the noise: where a loud coil is the nearest one, the image gets darker, by some 10 % in a
head array. With the matrix that leads back from channels to receivers, maps can be normalised over the receivers.

The matrix (receiver, channel) travels as a waveform ahead of the acquisitions, identifier 17479 (of those above 1023,
which the ISMRMRD standard leaves to users): one waveform channel for each receiver, complex64 as pairs of 32-bit words.
"""

from __future__ import annotations

from typing import Any

import ismrmrd
import numpy as np
from numpy.typing import NDArray

WAVEFORM_ID = 17479


def receivers_message(matrix: NDArray[np.complexfloating]) -> ismrmrd.Waveform:
    """The waveform that carries `matrix` (receiver, channel), scaled so that its columns have norm one on average."""
    scaled = matrix * np.sqrt(matrix.shape[1]) / np.linalg.norm(matrix)
    words = np.ascontiguousarray(scaled, np.complex64).view(np.uint32)
    message = ismrmrd.Waveform.from_array(words)
    message.waveform_id = WAVEFORM_ID
    return message


def receivers_of(item: Any) -> NDArray[np.complex64] | None:
    """The matrix (receiver, channel) that `item` carries, or None for any other item."""
    if not isinstance(item, ismrmrd.Waveform) or item.waveform_id != WAVEFORM_ID:
        return None
    return np.ascontiguousarray(item.data).view(np.complex64)
