"""Images, and what else there is, in an ISMRMRD file."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import ismrmrd

from gadgets.outputs.ismrmrd_file import IsmrmrdFile
from gadgets.properties import gadget
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection

log = logging.getLogger(__name__)


@gadget
def save_ismrmrd(
    connection: Connection,
    *,
    path: Path,
    group: str = "dataset",
    everything: bool = False,
    overwrite: bool = False,
) -> None:
    """Write images into an HDF5 file as Gadgetron's client does. all items -> the same items.

    path: the file; `{measurement}` in it stands for the scan's measurementID, so that scans do not share a file. Images
    are in `group`, those of series N in image_N, with the scan's header in xml. everything: acquisitions and waveforms
    are written too. The file appears when the scan has ended, and whole; a scan that fails leaves none, and neither
    does one without anything to write.

    Raises FileExistsError at the start where the file is there and overwrite is not true, and ValueError for images of
    different shapes in one series.
    """
    target = Path(str(path).replace("{measurement}", _measurement(connection)))
    if target.exists() and not overwrite:
        raise FileExistsError(f"{target} is there already; overwrite=true replaces it")
    target.parent.mkdir(parents=True, exist_ok=True)
    with IsmrmrdFile(target, group, connection.raw_bytes.header) as file:
        for item in connection.blocks():
            if isinstance(item, ismrmrd.Image):
                file.write_image(item)
            elif everything and isinstance(item, AcquisitionBlock):
                file.write_acquisitions(item)
            elif everything and isinstance(item, ismrmrd.Waveform):
                file.write_waveform(item)
            connection.send(item)
    log.info("%d images in %s", file.images, target)


def _measurement(connection: Connection) -> str:
    """The measurementID as part of a file name."""
    found = connection.header.measurementInformation
    return re.sub(r"[^\w-]", "_", (found.measurementID if found else None) or "unknown")
