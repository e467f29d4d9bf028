"""What the channels are made of: a message that lets the images' brightness stay that of the receiver coils.

Whitening and coil compression make new channels out of the receivers' ones. Maps whose squares sum to one over those
channels weight the image by the noise: where a loud coil is the nearest one, the image gets darker, by some 10 % in a
head array. With the matrix that leads back from channels to receivers, maps can be normalised over the receivers.

The matrix (receiver, channel) travels as a waveform ahead of the acquisitions, identifier 17479 (of those above 1023,
which the ISMRMRD standard leaves to users): one waveform channel for each receiver, complex64 as pairs of 32-bit words.

Where channels differ along the readout, there is a matrix at each place x, identifier 17480: one waveform channel for
each place. Only what receivers see together matters, so each matrix is made square, of as many rows as channels.
"""

from __future__ import annotations

from typing import Any

import ismrmrd
import numpy as np
from numpy.typing import NDArray

WAVEFORM_ID = 17479
ALONG_READOUT_ID = 17480


def receivers_message(matrix: NDArray[np.complexfloating]) -> ismrmrd.Waveform:
    """The waveform that carries `matrix`, scaled so that its columns have norm one on average.

    (receiver, channel), or (x, receiver, channel) along the readout, of which (x, channel, channel) with the same
    products of columns is sent.
    """
    columns = matrix.shape[-1] * (len(matrix) if matrix.ndim == 3 else 1)
    scaled = matrix * np.sqrt(columns) / np.linalg.norm(matrix)
    if matrix.ndim == 3:
        # Rows of zeros, where there are fewer receivers than channels, change no products.
        missing = max(0, matrix.shape[2] - matrix.shape[1])
        _, square = np.linalg.qr(np.pad(scaled, ((0, 0), (0, missing), (0, 0))))
        scaled = square.reshape(len(matrix), -1)
    words = np.ascontiguousarray(scaled, np.complex64).view(np.uint32)
    message = ismrmrd.Waveform.from_array(words)
    message.waveform_id = WAVEFORM_ID if matrix.ndim == 2 else ALONG_READOUT_ID
    return message


def receivers_of(item: Any) -> NDArray[np.complex64] | None:
    """The matrix (receiver, channel) or (x, channel, channel) that `item` carries, or None for any other item."""
    if not isinstance(item, ismrmrd.Waveform) or item.waveform_id not in (WAVEFORM_ID, ALONG_READOUT_ID):
        return None
    matrix = np.ascontiguousarray(item.data).view(np.complex64)
    if item.waveform_id == WAVEFORM_ID:
        return matrix
    channels = round(matrix.shape[1] ** 0.5)
    return matrix.reshape(-1, channels, channels)
