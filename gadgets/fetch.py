"""Images of a job that is done, in the place of the gadget that made them."""

from __future__ import annotations

from gadgets.jobs import images_of
from gadgets.properties import gadget
from gadgets.stream.connection import Connection


@gadget
def fetch(connection: Connection, *, id: str) -> None:
    """Send the images of a job, and then what comes. nothing -> image arrays.

    id: of the job, as `reconstruct` with `detach` tells it. The images are those that it would have sent; what follows
    in the chain is done to them now. Raises ValueError where there is no such job, where it has expired, still runs
    (with how far it is), or has failed (with why).
    """
    for images in images_of(id.strip()):
        connection.send(images)
    for item in connection.blocks():
        connection.send(item)
