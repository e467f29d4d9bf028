"""Where the noise covariance of a scan is kept for the scans that depend on it.

In a Gadgetron that has a storage server (environment variable GADGETRON_STORAGE_ADDRESS) it goes there, under the tags
that Gadgetron gives to the space of a measurement. Otherwise it is a file in the folder DEEPGADGETS_STORAGE, by default
`deepgadgets/noise` in the user's cache. Either way it is good for 48 hours. The format is numpy's .npz without
pickled objects: what is read may have been written by anyone.
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gadgets import cache

log = logging.getLogger(__name__)

HOURS_KEPT = 48
_TIMEOUT_S = 3.0
_LARGEST = 64 << 20
_NAME = "noise_covariance.npz"
# The server is a neighbour: no proxy that the environment names is asked for it.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StorageError(ValueError):
    """What is stored cannot be read, or the storage does not answer."""


@dataclass(frozen=True)
class StoredNoise:
    """covariance: complex128 (coil, coil) of the noise samples; dwell: microseconds per sample; samples: how many."""

    covariance: np.ndarray
    dwell: float
    samples: int


def save_noise(noise: StoredNoise, measurement: str, header: Any) -> None:
    """Keep `noise` under a measurement's ID. Raises StorageError, OSError."""
    body = io.BytesIO()
    np.savez(body, covariance=noise.covariance, dwell=noise.dwell, samples=noise.samples)
    address = os.environ.get("GADGETRON_STORAGE_ADDRESS")
    if address:
        tags = {**_tags(measurement, header), "_ttl": f"{HOURS_KEPT * 3600}s"}
        _request(address, "/v1/blobs/data", tags, body.getvalue())
    else:
        _write(_path(measurement), body.getvalue())


def load_noise(measurement: str, header: Any) -> StoredNoise | None:
    """What is kept under a measurement's ID; None if nothing is. Raises StorageError, OSError."""
    address = os.environ.get("GADGETRON_STORAGE_ADDRESS")
    if address:
        body = _request(address, "/v1/blobs/data/latest", _tags(measurement, header))
    else:
        body = _read(_path(measurement))
    return None if body is None else _parsed(body, measurement)


def _parsed(body: bytes, measurement: str) -> StoredNoise:
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as stored:
            covariance = np.asarray(stored["covariance"], np.complex128)
            noise = StoredNoise(covariance, float(stored["dwell"]), int(stored["samples"]))
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise StorageError(
            f"the stored noise covariance of measurement '{measurement}' cannot be read: {error}"
        ) from None
    if covariance.ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise StorageError(
            f"the stored noise covariance of measurement '{measurement}' has shape {covariance.shape}, "
            "expected (coil, coil)"
        )
    return noise


# -- files


def _path(measurement: str) -> Path:
    """Measurement IDs come from anyone's header: the name of the file is made of their hash."""
    return cache.folder("noise", "DEEPGADGETS_STORAGE") / f"{hashlib.sha256(measurement.encode()).hexdigest()}.npz"


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    _remove_expired(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _read(path: Path) -> bytes | None:
    try:
        if time.time() - path.stat().st_mtime > HOURS_KEPT * 3600:
            return None
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _remove_expired(folder: Path) -> None:
    oldest = time.time() - HOURS_KEPT * 3600
    for path in (*folder.glob("*.npz"), *folder.glob("*.part")):
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:  # Another scan was quicker.
            continue


# -- the storage server


def _tags(measurement: str, header: Any) -> dict[str, str]:
    """Subject, device and session as Gadgetron finds them: in the header, else in an ID device_subject_session_n."""
    subject = getattr(getattr(header, "subjectInformation", None), "patientID", None)
    device = getattr(getattr(header, "acquisitionSystemInformation", None), "deviceID", None)
    session = getattr(getattr(header, "studyInformation", None), "studyID", None)
    own = getattr(getattr(header, "measurementInformation", None), "measurementID", None) or measurement
    parts = own.split("_")
    if len(parts) == 4:
        device, subject, session = device or parts[0], subject or parts[1], session or parts[2]
    tags = {"subject": subject or "$null", "device": device, "session": session}
    return {"name": _NAME, "measurement": measurement} | {key: value for key, value in tags.items() if value}


def _request(address: str, path: str, tags: dict[str, str], body: bytes | None = None) -> bytes | None:
    """POST `body`, or GET; None for what is not there."""
    url = f"{address.rstrip('/')}{path}?{urllib.parse.urlencode(tags)}"
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise StorageError(f"GADGETRON_STORAGE_ADDRESS is '{address}', expected http://host:port")
    request = urllib.request.Request(url, data=body)
    if body is not None:
        request.add_header("Content-Type", "application/octet-stream")
    try:
        with _DIRECT.open(request, timeout=_TIMEOUT_S) as response:
            received: bytes = response.read(_LARGEST + 1)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404 and body is None:
            return None
        raise StorageError(f"the storage server at {address} answered {error.code}: {error.reason}") from None
    except urllib.error.URLError as error:
        raise StorageError(f"the storage server at {address} does not answer: {error.reason}") from None
    if len(received) > _LARGEST:
        raise StorageError(f"the storage server at {address} sent more than {_LARGEST} bytes")
    return received
