"""One real image from each complex one, as Gadgetron's ComplexToFloatGadget."""

from __future__ import annotations

from collections.abc import Callable

import ismrmrd
import numpy as np

from gadgets.outputs.images import changed
from gadgets.outputs.meta import copied, set_image_type
from gadgets.properties import gadget
from gadgets.stream.connection import Connection

_TAKE: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    ismrmrd.IMTYPE_PHASE: np.angle,
    ismrmrd.IMTYPE_REAL: np.real,
    ismrmrd.IMTYPE_IMAG: np.imag,
}


@gadget
def complex_to_float(connection: Connection) -> None:
    """The part of a complex image that its image_type names. complex images -> float32 images.

    Phase (radians, -pi to pi), real or imaginary part for images of these types; magnitude for all others, which then
    are of type magnitude. The series stays. Images that are real already pass by.
    """
    for item in connection.blocks():
        if not isinstance(item, ismrmrd.Image) or not np.iscomplexobj(item.data):
            connection.send(item)
            continue
        image_type = item.image_type if item.image_type in _TAKE else ismrmrd.IMTYPE_MAGNITUDE
        pixels = _TAKE.get(image_type, np.abs)(item.data).astype(np.float32)
        meta = copied(item.meta)
        set_image_type(meta, image_type)
        connection.send(changed(item, pixels, meta=meta, image_type=image_type))
