"""Recon data to images by GRAPPA in image space, as Gadgetron's GenericReconCartesianGrappaGadget."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import ismrmrd
import numpy as np
import torch
from gadgetron.types.image_array import ImageArray
from gadgetron.types.recon_data import ReconBit, ReconBuffer, ReconData
from torch import Tensor

from gadgets.mri.calibration.grappa_combination import GrappaCombination, noise_scale, on_lattice
from gadgets.mri.calibration.sampling import lattice
from gadgets.mri.calibration.unmixing import gfactor
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.outputs.image_headers import image_headers
from gadgets.outputs.images import Counter, image_array
from gadgets.outputs.meta import new_meta, put
from gadgets.outputs.sampling import SKIP, record_sampling
from gadgets.properties import gadget
from gadgets.recon_buffers import holds_maps, slices
from gadgets.resident import Resident
from gadgets.stream.connection import Connection
from gadgets.tensors import first_of_slice, kspace, reference, require_calibration, warm_torch

log = logging.getLogger(__name__)

_resident = Resident("generic_recon_cartesian_grappa", warm_torch)


def _check(settings: Mapping[str, Any]) -> None:
    for axis in ("readout", "phase"):
        size = settings[f"coil_map_kernel_size_{axis}"]
        if size < 1 or size % 2 == 0:
            raise ValueError(f"coil_map_kernel_size_{axis} is {size}, expected an odd number")
    if settings["downstream_coil_compression_num_modesKept"] < 0:
        raise ValueError("downstream_coil_compression_num_modesKept is below 0, expected a number of channels, or 0")


@gadget(check=_check)
def generic_recon_cartesian_grappa(
    connection: Connection,
    *,
    image_series: int = 0,
    coil_map_algorithm: Literal["Inati"] = "Inati",
    coil_map_kernel_size_readout: int = 7,
    coil_map_kernel_size_phase: int = 5,
    grappa_kSize_RO: int = 5,
    grappa_kSize_E1: int = 4,
    grappa_kSize_E2: int = 4,
    grappa_reg_lamda: float = 0.0005,
    downstream_coil_compression: bool = True,
    downstream_coil_compression_thres: float = 0.002,
    downstream_coil_compression_num_modesKept: int = 0,
    send_out_gfactor: bool = False,
    send_out_snr_map: bool = False,
    debug_folder: str = "",
    perform_timing: bool = False,
    verbose: bool = False,
) -> None:
    """Unfold and combine in image space. recon data -> image arrays, one for each encoding space.

    u = conj(csm) without acceleration, else the unmixing coefficients of GRAPPA kernels with combination by csm; image
    = sum_j u_j F^H y_j. Kernels and maps come from the reference of a slice, else from the fully sampled centre of its
    data, and are kept for its later buffers without a reference. The acceleration is that of the lattice that was
    acquired, whatever the header says; further lines in the data, off the lattice, are left out.

    Maps are Inati's, of the reference at low resolution: coil_map_kernel_size_readout points along x and y,
    coil_map_kernel_size_phase along z. Kernels have grappa_kSize points along RO, E1, E2, and are damped by
    grappa_reg_lamda of the mean energy of a source. They make, and maps combine, the first channels of those that there
    are: downstream_coil_compression_num_modesKept, or where that is 0 those before the first one with less than
    downstream_coil_compression_thres of the first one's energy. Channels should come in the order of their energy
    (GenericReconEigenChannelGadget); downstream_coil_compression=false takes all.

    Images are complex, on the encoded matrix. After noise adjustment they are in units of SNR: missing lines and
    samples of the readout are made up for by the square root of their number. Headers are Gadgetron's, with the
    reconstructed field of view, which GenericReconFieldOfViewAdjustmentGadget makes true. The meta says what was
    sampled. Images of encoding space e are in series image_series + e + 1; g-factors (send_out_gfactor) in image_series
    + 10 (e + 2) and maps of SNR (send_out_snr_map: the image over its g-factor) in image_series + 100 (e + 3), ahead of
    them. debug_folder, perform_timing, verbose: taken for the sake of stock chains, without effect.

    Raises ValueError, naming the slice, where there is nothing to calibrate from, where the reference is too small for
    the kernels, and for irregular sampling.

    Breuer et al., MRM 2009;62:739. doi:10.1002/mrm.22066
    """
    compress = downstream_coil_compression
    method = GrappaCombination(
        map_size=(coil_map_kernel_size_phase, coil_map_kernel_size_readout, coil_map_kernel_size_readout),
        kernel_size=(grappa_kSize_E2, grappa_kSize_E1, grappa_kSize_RO),
        damping=grappa_reg_lamda,
        threshold=downstream_coil_compression_thres if compress else -1.0,
        keep=downstream_coil_compression_num_modesKept if compress else 0,
    )
    worker = _Reconstruction(method, connection, image_series, send_out_gfactor, send_out_snr_map)
    for item in connection.blocks():
        if not isinstance(item, ReconData):
            connection.send(item)
            continue
        for space, bit in enumerate(item.bits):
            if bit.data.data.size:
                for images in _resident(worker.images, bit, space):
                    connection.send(images)


class _Slice:
    """The reference of a slice, (S, N, CHA, E2, E1, E0), and the coefficients that were made of it."""

    def __init__(self, method: GrappaCombination, reference: KSpace, channels: int):
        self.method, self.reference, self.channels = method, reference, channels
        self.known: dict[tuple[tuple[int, int], tuple[int, int]], Tensor] = {}

    def unmixing(self, steps: tuple[int, int], s: int, n: int) -> Tensor:
        """Coefficients (coil, z, y, x) for the image at (s, n); those beyond the reference's share its last one."""
        n_s, n_n = self.reference.other
        at = min(s, n_s - 1), min(n, n_n - 1)
        if (steps, at) not in self.known:
            part = KSpace(data=self.reference.data[at], mask=self.reference.mask[at])
            require_calibration(part)
            self.known[steps, at] = self.method.coefficients(part, steps, self.channels)
        return self.known[steps, at]


class _Reconstruction:
    """One scan, with what has been calibrated so far."""

    def __init__(self, method: GrappaCombination, connection: Connection, series: int, gfactors: bool, snr: bool):
        self.method = method
        self.connection = connection
        self.series, self.gfactors, self.snr = series, gfactors, snr
        self.counter = Counter()
        self.slices: dict[tuple[Any, ...], _Slice] = {}

    def images(self, bit: ReconBit, space: int) -> list[ImageArray]:
        """The images of one encoding space, behind their maps."""
        whole, numbers = kspace(bit.data), slices(bit.data)
        pixels = torch.zeros((*whole.other, 1, *whole.matrix), dtype=torch.complex64)
        factors = torch.zeros_like(pixels, dtype=torch.float32)
        accelerated = False
        keys = [(space, number, whole.n_coils, whole.matrix) for number in numbers]
        self._calibrate(bit, whole, keys)
        for loc, number in enumerate(numbers):
            if number is None:
                continue
            try:
                for s, n in np.ndindex(whole.other[1:]):
                    mask = whole.mask[loc, s, n, 0].expand(whole.matrix)
                    if not mask.any():
                        continue
                    regular = lattice(mask)
                    u = self.slices[keys[loc]].unmixing(regular.steps, s, n)
                    aliased = ifft(on_lattice(whole.data[loc, s, n, : len(u)], regular), (-3, -2, -1))
                    pixels[loc, s, n, 0] = (u * aliased).sum(dim=0) * noise_scale(whole.matrix, regular)
                    factors[loc, s, n] = gfactor(u, regular.steps[0] * regular.steps[1])
                    accelerated = accelerated or regular.steps != (1, 1)
            except ValueError as error:
                raise ValueError(f"slice {number} of encoding space {space}: {error}") from error
        return list(self._arrays(pixels, factors if accelerated else None, bit.data, space))

    def _calibrate(self, bit: ReconBit, whole: KSpace, keys: list[tuple[Any, ...]]) -> None:
        """See that every slice has something to be calibrated from: its reference, an earlier one, or its data."""
        maps = holds_maps(bit.ref)
        own = None if maps or bit.ref is None or not bit.ref.data.size else reference(bit.ref, bit.data)
        # All slices make as many channels as the first.
        channels = 0 if own is None else self.method.channels(own.data[0, 0, 0])
        for loc, key in enumerate(keys):
            if own is not None and own.mask[loc].any():
                self.slices[key] = _Slice(self.method, KSpace(data=own.data[loc], mask=own.mask[loc]), channels)
            elif key not in self.slices and whole.mask[loc].any():
                if maps:
                    raise ValueError(
                        f"encoding space {key[0]}: GRAPPA calibrates on k-space, but was given maps: "
                        "leave coil_sensitivities out before it"
                    )
                part = first_of_slice(whole, loc)
                channels = channels or self.method.channels(part.data[0, 0, 0])
                self.slices[key] = _Slice(self.method, KSpace(data=part.data[0], mask=part.mask[0]), channels)

    def _arrays(self, pixels: Tensor, factors: Tensor | None, buffer: ReconBuffer, space: int) -> Iterator[ImageArray]:
        if factors is not None and self.gfactors:
            yield self._array(factors.to(torch.complex64), buffer, space, self.series + 10 * (space + 2), "Gfactor")
        if self.snr:
            divided = pixels if factors is None else pixels / torch.where(factors > 0, factors, 1)
            yield self._array(divided, buffer, space, self.series + 100 * (space + 3), "SNR_MAP")
        yield self._array(pixels, buffer, space, self.series + space + 1, "Image")

    def _array(self, pixels: Tensor, buffer: ReconBuffer, space: int, series: int, role: str) -> ImageArray:
        headers = image_headers(
            buffer,
            tuple(pixels.shape[:-4:-1]),
            list(buffer.sampling.recon_FOV),
            image_type=ismrmrd.IMTYPE_MAGNITUDE,
            series=series,
        )
        measurement = self.connection.header.measurementInformation
        protocol = (measurement.protocolName if measurement else None) or ""

        def describe(header: Any) -> ismrmrd.Meta:
            history = ["deepgadgets", "grappa"] if role == "Image" else ["deepgadgets", "grappa", role]
            meta = new_meta(header, history, comment=repr(self.method), description=protocol)
            put(meta, "DataRole", role)
            if role == "Gfactor":
                meta[SKIP] = "1"
            record_sampling(meta, space, buffer.sampling)
            return meta

        return image_array(pixels.numpy(), headers, describe, self.counter)
