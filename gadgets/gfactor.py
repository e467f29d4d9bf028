"""Recon data to images in units of SNR, with maps of the g-factor or of the noise."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

import ismrmrd
import torch
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData
from torch import Tensor

from gadgets.calibrations import Calibrations, device_of, require_grid
from gadgets.mri import methods
from gadgets.mri.kspace import KSpace
from gadgets.mri.quality.noise_level import noise_level
from gadgets.mri.quality.pseudo_replica import pseudo_replica
from gadgets.outputs.image_headers import image_headers
from gadgets.outputs.images import Counter, image_array
from gadgets.outputs.meta import new_meta, put
from gadgets.properties import gadget
from gadgets.receivers import receivers_of
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.tensors import References, kspace, to_reconstructed, warm_torch

log = logging.getLogger(__name__)

_resident = Resident("gfactor", warm_torch)

# Within these, noise is taken for adjusted: signal in the corners of k-space may pass for noise, less noise cannot be.
_LEAST, _MOST = 0.5, 5.0

# What is made, in Gadgetron's words (which displays know), and how it is shown.
_SNR = "SNR_MAP", ismrmrd.IMTYPE_COMPLEX
_GFACTOR = "Gfactor", ismrmrd.IMTYPE_MAGNITUDE
_NOISE = "STD_MAP", ismrmrd.IMTYPE_MAGNITUDE


def _check(properties: Mapping[str, Any]) -> None:
    own = ("method", "replicas", "device")
    method = methods.create(properties["method"], {name: v for name, v in properties.items() if name not in own})
    if properties["replicas"] < 0 or properties["replicas"] == 1:
        raise ValueError(f"replicas is {properties['replicas']}, expected 0 for theory, or 2 or more")
    if not properties["replicas"] and not hasattr(method, "unmixing"):
        known = [name for name in methods.names() if hasattr(methods.find(name), "unmixing")]
        raise ValueError(
            f"there is no theory of the noise of {properties['method']}: set replicas, to 100 for example, "
            f"or take one of the methods {', '.join(known)}"
        )
    device_of(properties["device"])


@gadget(check=_check)
def gfactor(
    connection: Connection, *, method: str = "sense", replicas: int = 0, device: str = "auto", **settings: str
) -> None:
    """Images in units of SNR, and the g-factor or noise that goes with them. recon data -> image arrays.

    In the place of `reconstruct`: method, device and further properties as there. Of encoding space e, two image arrays
    are sent one after the other, with the same headers but for type and series:

    - series e, DataRole SNR_MAP: complex images, divided by the standard deviation of their noise. Magnitude is SNR,
      and noise has the standard deviation 1 in the real part. 0 outside the support of the maps.
    - with replicas = 0, from theory, series 10 (e + 2), DataRole Gfactor: the g-factor. The image is then made of the
      samples on the lattice alone, for which it holds. For sense and grappa.
    - with replicas > 0, from as many reconstructions with noise added, series 10 (e + 2) + 5, DataRole STD_MAP: the
      standard deviation of the noise in the image, for noise of 1 in k-space. For any method.

    The field of view is the reconstructed one; voxels stay those that were encoded, because others have another SNR.

    Noise must be white and of unit standard deviation: noise_adjust, with a noise measurement. If it says so itself
    (describe_channels), it is believed; else the noise is looked for in the data. Raises ValueError where it is less
    than half of that or more than five times as much, for methods without theory when replicas are 0, and as
    `reconstruct`.

    Kellman and McVeigh, MRM 2005;54:1439. doi:10.1002/mrm.20713
    Breuer et al., MRM 2009;62:739. doi:10.1002/mrm.22066
    Robson et al., MRM 2008;60:895. doi:10.1002/mrm.21728
    """
    worker = _Noise(method, methods.create(method, settings), replicas, device_of(device), connection)
    references = References()
    for item in connection.blocks():
        if receivers_of(item) is not None:
            worker.adjusted = True
        elif not isinstance(item, ReconData):
            connection.send(item)
        else:
            for space, bit in enumerate(item.bits):
                complete = references.complete(bit, space)
                if complete.data.data.size:
                    for images in _resident(worker.images, complete, space):
                        connection.send(images)


class _Noise:
    """A method at work on one scan, and the noise of its images."""

    def __init__(self, name: str, method: Any, replicas: int, device: torch.device, connection: Connection):
        self.calibrations = Calibrations(name, method, device)
        self.method = method
        self.replicas = replicas
        self.header = connection.header
        self.counter = Counter()
        self.adjusted = False
        log.info("%r on %s", method, device)

    def images(self, bit: ReconBit, space: int) -> list[ImageArray]:
        """The images of one encoding space in units of SNR, and the maps that go with them."""
        require_grid(self.header, space, "gfactor")
        whole = kspace(bit.data)
        snr = torch.zeros((*whole.other, 1, *whole.image_matrix), dtype=torch.complex64)
        other = torch.zeros_like(snr)
        for loc, (image, noise, shown) in self.calibrations.slices(bit, space, self._slice):
            snr[loc] = torch.where(noise > 0, image / torch.where(noise > 0, noise, 1), 0).cpu()[0]
            other[loc] = shown.cpu()[0]
        kind, series = (_NOISE, 10 * (space + 2) + 5) if self.replicas else (_GFACTOR, 10 * (space + 2))
        return [self._array(snr, bit.data, _SNR, space), self._array(other, bit.data, kind, series)]

    def _slice(self, part: KSpace, calibration: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """The image of a slice (1, S, N, 1, z, y, x), its noise, and what is shown beside it."""
        self._require_unit_noise(part)
        if self.replicas:
            noise = pseudo_replica(lambda one: self.method(one, calibration), part, replicas=self.replicas)[1]
            return self.method(part, calibration), noise, noise
        unmixing = self.method.unmixing(part, calibration)
        acquired = part.mask.any(dim=(-4, -3, -2, -1), keepdim=True)
        return unmixing(part), unmixing.noise(), unmixing.gfactor() * acquired

    def _require_unit_noise(self, part: KSpace) -> None:
        """Look at the noise in the data once, where noise_adjust has not said that it was at work."""
        if self.adjusted:
            return
        levels = noise_level(part)[part.mask.flatten(-4).any(dim=-1)]
        level = float(levels.amin())
        if not _LEAST <= level <= _MOST:
            raise ValueError(
                f"noise in the data seems to have a standard deviation of {level:.3g}, not 1: units of SNR need "
                "noise_adjust with a noise measurement, ahead in the chain"
            )
        self.adjusted = True

    def _array(self, pixels: Tensor, buffer: ReconBuffer, kind: tuple[str, int], series: int) -> ImageArray:
        role, image_type = kind
        sampling = copy.copy(buffer.sampling)
        sampling.recon_matrix[:] = 0, 0, 0
        pixels, field_of_view = to_reconstructed(pixels, sampling)
        matrix = tuple(pixels.shape[:-4:-1])
        headers = image_headers(buffer, matrix, field_of_view, image_type=image_type, series=series)
        history, comment = ["deepgadgets", self.calibrations.name, role], f"{role}: {self.method!r}"
        measurement = self.header.measurementInformation
        protocol = (measurement.protocolName if measurement else None) or ""

        def describe(header: Any) -> ismrmrd.Meta:
            meta = new_meta(header, history, comment=comment, description=protocol)
            put(meta, "DataRole", role)
            return meta

        return image_array(pixels.numpy(), headers, describe, self.counter)
