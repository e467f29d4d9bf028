"""Pictures of the table of methods: images, each beside five times its error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

ERROR = 5
COLUMNS = 3
# Rows for a name, points between cells, points around the object; grey levels, so that files are small.
LABEL, GAP, MARGIN, LEVELS = 14, 6, 4, 48


def picture(
    images: Mapping[str, NDArray[np.float32]],
    truth: NDArray[np.float32] | None,
    inside: NDArray[np.bool_] | None,
    frame: int,
) -> Image.Image:
    """One cell for each image (frame, y, x), the truth first; without a truth there are no errors."""
    shown = dict(images) if truth is None else {"truth": truth, **images}
    where = np.s_[:, :]
    if inside is not None:
        rows, columns = (np.flatnonzero(inside[frame].any(axis=axis)) for axis in (1, 0))
        where = np.s_[max(rows[0] - MARGIN, 0) : rows[-1] + MARGIN, max(columns[0] - MARGIN, 0) : columns[-1] + MARGIN]
    cells = []
    for name, image in shown.items():
        one = image[frame]
        # Each image without a truth has a scale of its own.
        white = np.quantile(one if truth is None else truth[frame], 0.995)
        parts = [one] if truth is None else [one, ERROR * np.abs(one - truth[frame])]
        cells.append(_labelled(name, np.concatenate([part[where] for part in parts], axis=1) / white))
    height, width = cells[0].shape
    columns_used = min(COLUMNS if truth is not None else 2 * COLUMNS, len(cells))
    rows_used = -(-len(cells) // columns_used)
    page = np.zeros((rows_used * (height + GAP), columns_used * (width + GAP)), np.uint8)
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns_used)
        page[row * (height + GAP) :, column * (width + GAP) :][:height, :width] = cell
    return Image.fromarray(page)


def _labelled(name: str, image: NDArray[np.floating]) -> NDArray[np.uint8]:
    grey = (np.clip(image, 0, 1) * (LEVELS - 1)).round() * (255 // (LEVELS - 1))
    strip = Image.new("L", (image.shape[1], LABEL))
    ImageDraw.Draw(strip).text((1, 1), name, fill=255, font=ImageFont.load_default(10))
    return np.concatenate([np.asarray(strip), grey.astype(np.uint8)])
