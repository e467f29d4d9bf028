"""The main job in one go: simulate a scan, serve, send, compare with the truth."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", default="deepgadgets-demo", metavar="DIR", help="folder for what it makes")
    parser.add_argument("--pipeline", default="cartesian_sense", help="(default: cartesian_sense)")


def main(arguments: argparse.Namespace) -> int:
    import threading
    import time

    import ismrmrd
    import numpy as np

    from pipelines.__main__ import main as deepgadgets
    from pipelines.clients.dataset import Dataset
    from pipelines.clients.images import ImageWriter, read_images
    from pipelines.clients.send import send
    from pipelines.host.server import Server

    folder = Path(arguments.output)
    folder.mkdir(parents=True, exist_ok=True)
    scan, truth_file, images_file = (folder / name for name in ("scan.h5", "truth.h5", "images.h5"))
    for stale in (truth_file, images_file):
        stale.unlink(missing_ok=True)
    print("1. simulate: 8 coils, 192 x 192, two-fold oversampling, every second line, 24 calibration lines, noise scan")
    status = deepgadgets(
        ["simulate", str(scan), "--matrix", "192", "192", "--acceleration", "2", "--truth", str(truth_file)]
    )
    if status:
        return status

    settings = {
        "log": "WARNING",
        "idle_seconds": 60.0,
        "allow": [],
        "isolate": False,
        "openrecon": "",
        "limits": {},
        "preload": [],
    }
    server = Server("127.0.0.1", 0, workers=1, max_waiting=1, idle_seconds=60.0, settings=settings)
    print(f"2. serve at {server.address[0]}:{server.address[1]}")
    serving = threading.Thread(target=server.serve)
    serving.start()
    try:
        for attempt in ("first scan, while the server still warms up", "second scan, on the warm server"):
            images_file.unlink(missing_ok=True)
            with Dataset(scan) as dataset, ImageWriter(images_file, group="images") as writer:
                began = time.perf_counter()
                received = send(
                    dataset.items(),
                    dataset.header,
                    config_name=arguments.pipeline,
                    host=server.address[0],
                    port=server.address[1],
                    on_text=lambda text: print(f"   the server says: {text}"),
                )
                for item in received:
                    if isinstance(item, ismrmrd.Image):
                        writer.write(item)
                seconds = time.perf_counter() - began
            print(f"3. send to {arguments.pipeline}, {attempt}: {writer.n_images} image in {seconds:.2f} s")
    finally:
        server.stop()
        serving.join()

    truth, image = (_only(read_images(path)) for path in (truth_file, images_file))
    image = image * float(np.vdot(image, truth) / np.vdot(image, image))
    error = float(np.linalg.norm(image - truth) / np.linalg.norm(truth))
    print(f"4. error against the truth, after scaling: {error:.3f}")
    for name, pixels in (("truth", truth), ("image", image), ("error_5x", 5 * abs(image - truth))):
        _write_png(folder / f"{name}.png", pixels, float(truth.max()))
    print(f"   truth.png, image.png, error_5x.png are in {folder}")
    return 0


def _only(series: Mapping[str, Sequence[Any]]) -> Any:
    """The pixels (y, x) of the only image of a file."""
    import numpy as np

    (image,) = [image for images in series.values() for image in images]
    return np.asarray(image.data[0, 0], float)


def _write_png(path: Path, pixels: Any, white: float) -> None:
    import numpy as np
    from PIL import Image

    grey = np.clip(pixels / white * 255, 0, 255).astype(np.uint8)
    Image.fromarray(grey).save(path)
