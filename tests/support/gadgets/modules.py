"""A gadget that tells what its process has imported."""

import os
import sys

from gadgets.properties import gadget
from gadgets.stream.control import Text


@gadget
def modules(connection):
    """Sends the process and all of its modules at the end of the input. all items -> the same items, a text."""
    for item in connection:
        connection.send(item)
    connection.send(Text(f"{os.getpid()} {' '.join(sorted(sys.modules))}"))
