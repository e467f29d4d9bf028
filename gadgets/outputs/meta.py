"""ISMRMRD image meta for the way back to the scanner.

Gadgetron's clients read names that begin with GADGETRON_, those of FIRE and of DICOM converters read plain ones: an
entry that both know is written under both. WindowCenter and WindowWidth are integers, because displays have shown
flat images for fractional ones; they refer to stored pixels.

Scaling is recorded as in DICOM: intensity = RescaleSlope * pixel + RescaleIntercept, in the units of the receiver.
Gadgetron's ScaleRatio and ScaleOffset say the same the other way about: pixel = ScaleRatio * intensity + ScaleOffset.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ismrmrd

#: plain name -> Gadgetron's (Gadgetron, mri_core_def.h)
GADGETRON_NAMES = {
    "DataRole": "GADGETRON_DataRole",
    "ImageProcessingHistory": "GADGETRON_ImageProcessingHistory",
    "ImageComments": "GADGETRON_ImageComment",
    "SequenceDescriptionAdditional": "GADGETRON_SeqDescription",
    "WindowCenter": "GADGETRON_WindowCenter",
    "WindowWidth": "GADGETRON_WindowWidth",
}
SCALE_RATIO, SCALE_OFFSET = "GADGETRON_ScaleRatio", "GADGETRON_ScaleOffset"

#: DICOM's third value of Image Type for an ISMRMRD image_type; complex images are shown by their magnitude.
COMPONENTS = {
    ismrmrd.IMTYPE_MAGNITUDE: "M",
    ismrmrd.IMTYPE_PHASE: "P",
    ismrmrd.IMTYPE_REAL: "R",
    ismrmrd.IMTYPE_IMAG: "I",
}


def new_meta(header: Any, history: Sequence[str], *, comment: str = "", description: str = "") -> ismrmrd.Meta:
    """Meta of an image that was reconstructed from acquisitions.

    header: its ImageHeader, which gives the directions; history: names of what was done, first to last; comment: for
    the reader of the image, such as the method with all its settings; description: name of the series.
    """
    meta = ismrmrd.Meta()
    put(meta, "DataRole", "Image")
    put(meta, "ImageProcessingHistory", list(history))
    put(meta, "SequenceDescriptionAdditional", history[-1])
    if comment:
        put(meta, "ImageComments", comment)
    if description:
        meta["SeriesDescription"] = description
    set_image_type(meta, header.image_type)
    # Directions as ISMRMRD has them: rows of the image run along the readout, columns along the phase encoding.
    meta["ImageRowDir"] = _vector(header.read_dir)
    meta["ImageColumnDir"] = _vector(header.phase_dir)
    meta["ImageSliceNormDir"] = _vector(header.slice_dir)
    meta["Keep_image_geometry"] = "1"
    return meta


def put(meta: ismrmrd.Meta, name: str, value: str | list[str]) -> None:
    """Set an entry under its plain name and, where there is one, under Gadgetron's."""
    for each in (name, GADGETRON_NAMES.get(name)):
        if each is not None:
            meta[each] = list(value) if isinstance(value, list) else value


def copied(meta: ismrmrd.Meta) -> ismrmrd.Meta:
    """A copy that shares nothing with `meta`."""
    return ismrmrd.Meta({k: list(v) if isinstance(v, list) else v for k, v in meta.items()})


def derived(meta: ismrmrd.Meta, step: str) -> ismrmrd.Meta:
    """Meta of an image of a new series made from one with `meta`: `step` joins its history and its description.

    IceMiniHead, the scanner's own description of the image that it was, is left out: it would be believed over the
    header.
    """
    made = copied(meta)
    made.pop("IceMiniHead", None)
    add_step(made, step)
    put(made, "SequenceDescriptionAdditional", [*values(made, "SequenceDescriptionAdditional"), step])
    return made


def add_step(meta: ismrmrd.Meta, step: str) -> None:
    """Append `step` to the history."""
    put(meta, "ImageProcessingHistory", [*values(meta, "ImageProcessingHistory"), step])


def values(meta: ismrmrd.Meta, name: str) -> list[str]:
    """The values of an entry, none where it is absent."""
    found = meta.get(name, [])
    return list(found) if isinstance(found, list) else [found]


def set_image_type(meta: ismrmrd.Meta, image_type: int) -> None:
    """Say what the pixels are, in DICOM's terms."""
    meta["ImageType"] = ["ORIGINAL", "PRIMARY", COMPONENTS.get(image_type, "M")]


def set_window(meta: ismrmrd.Meta, low: float, high: float) -> None:
    """The display window from the pixel values `low` to `high`, as integers; at least 1 wide."""
    put(meta, "WindowCenter", str(round((low + high) / 2)))
    put(meta, "WindowWidth", str(max(1, round(high - low))))


def rescaling(meta: ismrmrd.Meta) -> tuple[float, float]:
    """(slope, intercept) with intensity = slope * pixel + intercept; (1, 0) where nothing was recorded."""
    return float(meta.get("RescaleSlope", 1)), float(meta.get("RescaleIntercept", 0))


def record_scaling(meta: ismrmrd.Meta, factor: float, offset: float = 0.0) -> None:
    """Record that pixels became factor * pixel + offset, on top of what was recorded before."""
    slope, intercept = rescaling(meta)
    intercept -= slope * offset / factor
    slope /= factor
    meta["RescaleSlope"], meta["RescaleIntercept"] = repr(slope), repr(intercept)
    meta[SCALE_RATIO], meta[SCALE_OFFSET] = repr(1 / slope), repr(-intercept / slope)


def _vector(direction: Sequence[float]) -> list[str]:
    return [f"{component:.18f}" for component in direction]
