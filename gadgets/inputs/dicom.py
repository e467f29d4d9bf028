"""Images of DICOM files and folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def files(folder: Path) -> Iterator[Path]:
    """The DICOM files in a folder and below, known by their preamble, sorted by path."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as opened:
                if opened.read(132)[128:] == b"DICM":
                    yield path


def volumes(path: Path) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Images of a file, or of all files of a folder, (slice, y, x), as they are displayed: rescaled. Needs pydicom."""
    import pydicom

    for file in files(path) if path.is_dir() else [path]:
        dataset = pydicom.dcmread(file)
        if "PixelData" not in dataset or int(getattr(dataset, "SamplesPerPixel", 1)) != 1:
            continue
        pixels = dataset.pixel_array.astype(np.float32)
        pixels = pixels * float(getattr(dataset, "RescaleSlope", 1)) + float(getattr(dataset, "RescaleIntercept", 0))
        yield file.name, np.abs(pixels[None] if pixels.ndim == 2 else pixels)
