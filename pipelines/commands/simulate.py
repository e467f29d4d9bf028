"""Write a simulated scan: analytic phantom, coils, noise scan."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.clients.simulate import Scan


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", help="ISMRMRD file to write")
    add_scan(parser)
    parser.add_argument(
        "--noise", type=float, default=0.01, help="standard deviation over the image's maximum (default: 0.01)"
    )
    parser.add_argument(
        "--random", action="store_true", help="lines at random, other ones in each image, instead of every n-th"
    )
    parser.add_argument("--no-noise-scan", action="store_true", help="leave the noise acquisition out")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise (default: 0)")
    parser.add_argument("--truth", metavar="TRUTH.h5", help="ISMRMRD file for the true images")


def add_scan(parser: argparse.ArgumentParser) -> None:
    """The arguments that describe a scan."""
    parser.add_argument(
        "--matrix", type=int, nargs="+", default=[256, 256], metavar="N", help="x y [z] (default: 256 256)"
    )
    parser.add_argument("--oversampling", type=float, default=2.0, metavar="F", help="along x (default: 2)")
    parser.add_argument("--coils", type=int, default=8, metavar="N", help="(default: 8)")
    parser.add_argument("--slices", type=int, default=1, metavar="N", help="(default: 1)")
    parser.add_argument("--repetitions", type=int, default=1, metavar="N", help="(default: 1)")
    parser.add_argument("--contrasts", type=int, default=1, metavar="N", help="(default: 1)")
    parser.add_argument("--phases", type=int, default=1, metavar="N", help="of a heart that beats (default: 1)")
    parser.add_argument(
        "--acceleration", type=int, nargs="+", default=[1], metavar="N", help="along y [and z] (default: 1)"
    )
    parser.add_argument("--acs", type=int, default=24, metavar="N", help="calibration lines (default: 24)")
    parser.add_argument("--partial-fourier", type=float, default=1.0, metavar="F", help="fraction along y (default: 1)")
    parser.add_argument("--fov", type=float, nargs=2, default=[256.0, 256.0], metavar="MM", help="x y in mm")
    parser.add_argument(
        "--thickness", type=float, default=5.0, metavar="MM", help="of a slice or partition (default: 5)"
    )


def main(arguments: argparse.Namespace) -> int:
    import contextlib

    import ismrmrd

    from pipelines.clients.acquisition_writer import AcquisitionWriter
    from pipelines.clients.images import ImageWriter
    from pipelines.clients.progress import Progress
    from pipelines.clients.replay import find, replay, with_settings
    from pipelines.clients.simulate import header_xml

    header = header_xml(scan(arguments))
    settings = {
        "simulate.noise": str(arguments.noise),
        "simulate.seed": str(arguments.seed),
        "simulate.noise_scan": "false" if arguments.no_noise_scan else "true",
        "simulate.random": "true" if arguments.random else "false",
        "simulate.truth": "true" if arguments.truth else "false",
    }
    count = 0
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(AcquisitionWriter(arguments.output, header, overwrite=True))
        truth = stack.enter_context(ImageWriter(arguments.truth)) if arguments.truth else None
        progress = stack.enter_context(Progress(title="simulate"))
        for item in replay(with_settings(find("simulate"), settings), header, ()):
            if isinstance(item, ismrmrd.Image):
                if truth is not None:
                    truth.write(item)
            else:
                writer.write(item)
                n = len(item) if hasattr(item, "headers") else 1
                count += n
                progress.advance(n)
    print(f"{count} acquisitions in {arguments.output}")
    return 0


def scan(arguments: argparse.Namespace) -> Scan:
    """The scan that the arguments describe."""
    from pipelines.clients.simulate import Scan

    if len(arguments.matrix) not in (2, 3) or len(arguments.acceleration) not in (1, 2):
        raise ValueError("--matrix takes two or three numbers, --acceleration one or two")
    x, y, z = (*arguments.matrix, 1)[:3]
    along_y, along_z = (*arguments.acceleration, 1)[:2]
    return Scan(
        matrix=(x, y, z),
        oversampling=arguments.oversampling,
        coils=arguments.coils,
        slices=arguments.slices,
        repetitions=arguments.repetitions,
        contrasts=arguments.contrasts,
        phases=arguments.phases,
        acceleration=(along_y, along_z),
        acs=arguments.acs,
        partial_fourier=arguments.partial_fourier,
        fov=(arguments.fov[0], arguments.fov[1]),
        thickness=arguments.thickness,
    )
