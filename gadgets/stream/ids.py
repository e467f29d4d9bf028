"""Message identifiers of the Gadgetron protocol, and what is refused by name.

Every message starts with a little-endian u16 identifier; the body's layout depends on it. There is no
general length field, so a peer that meets an identifier it cannot read must end the session.
"""

from __future__ import annotations

import enum


class MessageId(enum.IntEnum):
    """The messages that the codec reads and writes."""

    FILENAME = 1
    CONFIG = 2
    HEADER = 3
    CLOSE = 4
    TEXT = 5
    QUERY = 6
    RESPONSE = 7
    ERROR = 8
    ACQUISITION = 1008
    IMAGE = 1022
    RECON_DATA = 1023
    IMAGE_ARRAY = 1024
    WAVEFORM = 1026
    BUCKET = 1050


_REFUSED = {
    1018: "DICOM_WITHNAME",
    1019: "DEPENDENCY_QUERY",
    1030: "NDARRAY",
    1051: "BUNDLE",
}
_DEPRECATED = (*range(1001, 1008), *range(1009, 1018), 1020, 1021)


def describe(mid: int) -> str:
    """Name of a message for people: `ACQUISITION (1008)`, `BUNDLE (1051)`, `unknown message 4711`."""
    try:
        return f"{MessageId(mid).name} ({mid})"
    except ValueError:
        pass
    if mid in _REFUSED:
        return f"{_REFUSED[mid]} ({mid})"
    if mid in _DEPRECATED:
        return f"deprecated message {mid}"
    return f"unknown message {mid}"
