"""Gadgets that do what gadgets should not, and some that tell what they were given."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time

import ismrmrd
import numpy as np

from gadgets.properties import gadget
from gadgets.stream.control import Text


@gadget
def raises_at_first(connection):
    for _ in connection:
        raise RuntimeError("broken at the first item")


@gadget
def raises_in_the_middle(connection, *, after: int = 5):
    for i, item in enumerate(connection):
        if i == after:
            raise LookupError(f"broken after {after} items")
        connection.send(item)


@gadget
def raises_after_the_last(connection):
    for item in connection:
        connection.send(item)
    raise ArithmeticError("broken after the last item")


def bare_raises(connection):
    """As a user writes it, without declaring anything."""
    for _ in connection:
        raise KeyError("bare and broken")


def bare_passes(connection):
    for item in connection:
        connection.send(item)


@gadget
def passes_and_stays(connection):
    """Its thread keeps the process alive."""
    for item in connection:
        connection.send(item)
    threading.Thread(target=threading.Event().wait).start()


def bare_returns(connection):
    for item in connection:
        connection.send(item)
        return


class BareClass:
    """As a user writes it, with a method `handle`."""

    def handle(self, connection):
        for _ in connection:
            raise ValueError("a broken class")


@gadget
def raises_many_lines(connection):
    raise ValueError("one line\nand another\n\nand one more")


@gadget
def returns_early(connection):
    for item in connection:
        connection.send(item)
        return


@gadget
def prints(connection):
    for item in connection:
        print("a gadget prints", item)
        sys.stdout.write("\x04\x00")
        os.write(1, b"\x04\x00 a gadget writes")
        connection.send(item)
    print("and to its errors", file=sys.stderr)


@gadget
def exits(connection):
    for _ in connection:
        sys.exit(3)


@gadget
def exits_at_once(connection):
    for _ in connection:
        os._exit(7)


@gadget
def sends_a_number(connection):
    for _ in connection:
        connection.send(42)


@gadget
def hangs(connection):
    """Takes one item, and never comes back."""
    for _ in connection:
        logging.getLogger(__name__).info("a gadget hangs")
        threading.Event().wait()


@gadget
def passes(connection):
    for item in connection.blocks():
        connection.send(item)


@gadget
def notes_slowly(connection, *, seconds: float):
    """Takes long over noting what is known when the scan has ended, and fails at it."""

    def note():
        time.sleep(seconds)
        logging.getLogger(__name__).warning("told too late")
        raise RuntimeError("nothing was noted")

    connection.times.when_complete(note)
    for item in connection:
        connection.send(item)


@gadget
def passes_slowly(connection, *, seconds: float = 0.05):
    for item in connection:
        time.sleep(seconds)
        connection.send(item)


def reuses(connection):
    """Sends one acquisition again and again, with other contents: good manners behind a process boundary."""
    connection.filter(ismrmrd.Acquisition)
    for acquisition in connection:
        for scale in (1, 2, 3):
            acquisition.data[:] = scale
            acquisition.scan_counter = scale
            connection.send(acquisition)
        acquisition.data[:] = -1
        acquisition.scan_counter = 99


@gadget
def floods(connection, *, images: int = 64, mebibytes: int = 1):
    """Large images, whether anybody reads them or not."""
    for _ in connection:
        pass
    pixels = np.zeros((1, 1, 256 * mebibytes, 1024), np.float32)
    for i in range(images):
        connection.send(ismrmrd.Image.from_array(pixels, transpose=False, image_index=i + 1))


@gadget
def tells(connection, *, gain: float = 1.0, name: str = "nobody", on: bool = False, sizes: tuple[int, ...] = ()):
    """Its properties, and how many acquisitions came."""
    n = sum(isinstance(item, ismrmrd.Acquisition) for item in connection)
    connection.send(Text(f"gain {gain} name {name} on {on} sizes {sizes} acquisitions {n}"))


@gadget
def tells_more(connection, *, gain: float = 1.0):
    for item in connection:
        connection.send(item)
    connection.send(Text(f"more gain {gain}"))


@gadget
def warns(connection):
    """Through the log that gadgets have."""
    for item in connection:
        connection.send(item)
    logging.getLogger("gadgets.support").warning("a gadget warns")


NOT_CALLABLE = 42
