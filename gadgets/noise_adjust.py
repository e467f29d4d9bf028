"""Whiten the noise of the channels, as Gadgetron's NoiseAdjustGadget."""

from __future__ import annotations

import logging
import math
from typing import Any

import ismrmrd
import numpy as np

from gadgets.mri.calibration.noise import NoiseCovariance, noise_scale, whitening
from gadgets.mri.channels import mix
from gadgets.properties import gadget
from gadgets.receivers import receivers_message
from gadgets.storage import StorageError, StoredNoise, load_noise, save_noise
from gadgets.stream.blocks import AcquisitionBlock
from gadgets.stream.connection import Connection
from gadgets.stream.runs import runs

log = logging.getLogger(__name__)

# Relative noise bandwidth of a receiver that does not say its own.
_BANDWIDTH = 0.793


@gadget
def noise_adjust(
    connection: Connection,
    *,
    perform_noise_adjust: bool = True,
    pass_nonconformant_data: bool = False,
    noise_dwell_time_us_preset: float = 0.0,
    noise_dependency_prefix: str = "",
    describe_channels: bool = False,
) -> None:
    """Uncorrelated channels with noise of unit standard deviation, real and imaginary. acquisitions -> acquisitions.

    Noise acquisitions (flag ACQ_IS_NOISE_MEASUREMENT) are consumed into a covariance. From the first other acquisition
    on, the channels are multiplied by the inverse of its Cholesky factor and by
    sqrt(2 dwell / noise dwell * relativeReceiverNoiseBandwidth), each acquisition with its own dwell time. A header
    without the bandwidth means 0.793; the log says so. Where a dwell time is absurd, the factor is 1, as in Gadgetron;
    a bandwidth that is no positive number counts as absent, and one above 1 is used; each with a warning.

    The covariance is kept under the scan's measurementID for the scans that depend on it. Without noise acquisitions,
    that of the `noise` measurementDependency is used. With neither, acquisitions pass unchanged and a warning says so.
    Noise acquisitions that come after the first image data are dropped.

    perform_noise_adjust: false only drops the noise acquisitions. pass_nonconformant_data: let acquisitions of another
    number of channels than the noise pass unchanged, with a warning. noise_dwell_time_us_preset: dwell time of the
    noise, in microseconds, instead of its header's (0: the header's). noise_dependency_prefix: taken for the sake of
    stock chains, without effect, as in Gadgetron. describe_channels: send, ahead of the first whitened acquisition, how
    the receivers' signals follow from the whitened channels (gadgets.receivers), for coil_sensitivities.

    Raises ValueError for noise that is not finite, that leaves the covariance singular, or whose number of channels
    changes or is not that of the data.

    Kellman and McVeigh, MRM 2005;54:1439. doi:10.1002/mrm.20713
    """
    adjust = _Adjustment(connection.header, noise_dwell_time_us_preset, pass_nonconformant_data)
    for item in connection.blocks():
        if not isinstance(item, AcquisitionBlock):
            connection.send(item)
            continue
        noise = item.flagged(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
        for part in runs(noise, item.headers["sample_time_us"]):
            block = item[part]
            if not noise[part.start]:
                if perform_noise_adjust and not adjust.decided:
                    adjust.decide()
                    if describe_channels and adjust.whitening is not None:
                        connection.send(receivers_message(np.linalg.inv(adjust.whitening)))
                connection.send(adjust(block) if perform_noise_adjust else block)
            elif perform_noise_adjust:
                adjust.add_noise(block)
    adjust.finish()


class _Adjustment:
    """What is known of the noise so far, and, from the first image data on, the matrix that whitens it."""

    def __init__(self, header: Any, preset: float, pass_nonconformant: bool):
        self.header = header
        self.measurement = getattr(header.measurementInformation, "measurementID", None) or ""
        self.preset = preset
        self.pass_nonconformant = pass_nonconformant
        self.gathered: NoiseCovariance | None = None
        self.coils = 0
        self.dwell = preset
        self.decided = False
        self.whitening: np.ndarray | None = None
        self.bandwidth = _BANDWIDTH
        self.matrices: dict[float, np.ndarray] = {}
        self.said: set[object] = set()

    def add_noise(self, block: AcquisitionBlock) -> None:
        """Take in noise acquisitions of one dwell time."""
        counters, dwell = block.headers["scan_counter"], float(block.headers["sample_time_us"][0])
        if self.decided:
            self._warn("late", "noise acquisition %d came after image data and is dropped", counters[0])
            return
        if self.gathered is None:
            self.coils = block.data.shape[1]
            self.gathered = NoiseCovariance(self.coils)
            self.dwell = self.preset or dwell
        if block.data.shape[1] != self.coils:
            raise ValueError(
                f"noise acquisition {counters[0]} has {block.data.shape[1]} channels; the ones before it {self.coils}"
            )
        finite = np.isfinite(block.data).all(axis=(1, 2))
        if not finite.all():
            raise ValueError(f"noise acquisition {counters[~finite][0]} holds NaN or infinite samples")
        samples = np.moveaxis(block.data, 1, 0).reshape(self.coils, -1)
        if not self.preset and dwell != self.dwell and _sane(dwell) and _sane(self.dwell):
            # The variance of white noise goes with the bandwidth, one over the dwell time.
            samples = samples * np.sqrt(dwell / self.dwell)
        self.gathered.add(samples)

    def __call__(self, block: AcquisitionBlock) -> AcquisitionBlock:
        """The acquisitions, of one dwell time, whitened; as they are where nothing is known of the noise."""
        if self.whitening is None:
            return block
        channels, counter = block.data.shape[1], block.headers["scan_counter"][0]
        if channels != self.coils:
            text = f"acquisition {counter} has {channels} channels, noise was measured with {self.coils}"
            if not self.pass_nonconformant:
                raise ValueError(text)
            self._warn(("channels", channels), "%s: it passes without noise adjustment", text)
            return block
        dwell = float(block.headers["sample_time_us"][0])
        if dwell not in self.matrices:
            self.matrices[dwell] = (self._scale(dwell, counter) * self.whitening).astype(np.complex64)
        return block.with_data(mix(self.matrices[dwell], block.data), block.trajectory)

    def decide(self) -> None:
        """The first image data are here: what noise there is now is the noise of the scan."""
        self.decided = True
        noise = self._own() or self._depended_on()
        if noise is None:
            log.warning("no noise measurement: the channels are not whitened")
            return
        self.coils, self.dwell = len(noise.covariance), noise.dwell
        self.whitening = whitening(noise.covariance)
        self.bandwidth = _bandwidth(self.header)

    def _own(self) -> StoredNoise | None:
        """The noise in this stream, which is kept for others."""
        if self.gathered is None:
            return None
        noise = StoredNoise(self.gathered.matrix(), self.dwell, self.gathered.count)
        deviation = np.sqrt(noise.covariance.diagonal().real)
        log.info(
            "noise of %d channels, %d samples, dwell %g us: standard deviation mean %.4g, least %.4g, largest %.4g",
            self.coils, noise.samples, noise.dwell, deviation.mean(), deviation.min(), deviation.max(),
        )  # fmt: skip
        if self.measurement:
            try:
                save_noise(noise, self.measurement, self.header)
            except (OSError, StorageError) as error:
                log.warning("the noise covariance of measurement %r is not kept: %s", self.measurement, error)
        return noise

    def _depended_on(self) -> StoredNoise | None:
        """The noise of the measurement that the header names for it."""
        for dependency in getattr(self.header.measurementInformation, "measurementDependency", None) or ():
            if dependency.dependencyType.lower() != "noise":
                continue
            try:
                noise = load_noise(dependency.measurementID, self.header)
            except (OSError, StorageError) as error:
                log.warning("noise dependency %r: %s", dependency.measurementID, error)
                continue
            if noise is not None:
                log.info("noise of measurement %r, %d channels", dependency.measurementID, len(noise.covariance))
                return noise
            log.warning(
                "no noise covariance is kept of measurement %r, which this scan needs", dependency.measurementID
            )
        return None

    def finish(self) -> None:
        """The input ended: a scan of noise alone keeps its covariance as well."""
        if not self.decided:
            self._own()

    def _scale(self, dwell: float, counter: int) -> float:
        if not (_sane(dwell) and _sane(self.dwell)):
            text = "dwell time is %g us for acquisition %d and %g us for the noise: whitened without regard to it"
            self._warn("dwell", text, dwell, counter, self.dwell)
            return 1.0
        return noise_scale(dwell, self.dwell, self.bandwidth)

    def _warn(self, key: object, text: str, *values: object) -> None:
        """Say it once."""
        if key not in self.said:
            log.warning(text, *values)
        self.said.add(key)


def _sane(value: float) -> bool:
    return math.isfinite(value) and value > 0


def _bandwidth(header: Any) -> float:
    """The receiver's relative noise bandwidth, or the usual one where the header has none that can be used."""
    found = getattr(header.acquisitionSystemInformation, "relativeReceiverNoiseBandwidth", None)
    if found is None:
        log.info("the header has no relativeReceiverNoiseBandwidth; taken for %g", _BANDWIDTH)
        return _BANDWIDTH
    if not _sane(found):
        log.warning("relativeReceiverNoiseBandwidth is %g; taken for %g", found, _BANDWIDTH)
        return _BANDWIDTH
    if found > 1:
        log.warning("relativeReceiverNoiseBandwidth is %g, above 1: the noise will have another scale", found)
    return float(found)
