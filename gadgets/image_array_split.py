"""Image arrays to single images, as Gadgetron's ImageArraySplitGadget."""

from __future__ import annotations

from gadgetron.types.image_array import ImageArray

from gadgets.outputs.images import split
from gadgets.properties import gadget
from gadgets.stream.connection import Connection


@gadget
def image_array_split(connection: Connection) -> None:
    """Send each image of an array with its own header and meta. image arrays -> images.

    Images come n running fastest, then s, then loc; pixels are (channel, z, y, x). Waveforms and acquisition headers of
    the array are left behind, and so are places of the array whose header is all zeros, of which nothing was acquired.

    Raises ValueError for an array with some metas, but not one for each image.
    """
    for item in connection.blocks():
        if isinstance(item, ImageArray):
            for image in split(item):
                connection.send(image)
        else:
            connection.send(item)
