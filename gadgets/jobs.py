"""Jobs: what is still to be made of a scan that has ended, and what was made of it, on disk. Without torch.

They are in the folder DEEPGADGETS_JOBS, by default `deepgadgets/jobs` in the user's cache; each is a folder, named by
its ID:

status.json    what is said of it in `Job`, written whole or not at all
header.xml     the scan's ISMRMRD header
images         when it is done: image arrays, as they go over the wire; until then what there is, in images.part
lock           locked by the process that is at work on it, which the system undoes when that ends, however it does

So a job that is said to run, and is not locked, has failed. Jobs are removed a number of days after they were begun,
whenever anyone looks at them or begins another; those that run are not.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gadgetron.types.image_array import ImageArray

from gadgets.cache import folder as cache_folder
from gadgets.stream.codec import encode
from gadgets.stream.transport import decoded

RUNNING, DONE, FAILED = "running", "done", "failed"


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is known of a job.

    measurement: the scan's ID; method: with all its settings. state: `running`, `done` or `failed`; text: how far it
    is, or why it has failed. images: how many image arrays there are. created, changed, expires: seconds since 1970.
    """

    id: str
    measurement: str
    method: str
    state: str = RUNNING
    text: str = ""
    images: int = 0
    created: float
    changed: float
    expires: float

    def __str__(self) -> str:
        begun = datetime.fromtimestamp(self.created).strftime("%Y-%m-%d %H:%M")
        text = f": {self.text}" if self.text else ""
        return f"{self.id}  {begun}  {self.state}{text}  {self.measurement or 'scan without an ID'}, {self.method}"


class Work:
    """A job of this process."""

    def __init__(self, header: bytes, measurement: str, method: str, days: float):
        self._make_folder()
        now = time.time()
        # Not to be guessed: whoever knows the ID may have the images.
        name = f"{datetime.fromtimestamp(now):%Y%m%d-%H%M%S}-{secrets.token_hex(6)}"
        self.job = Job(
            id=name, measurement=measurement, method=method, created=now, changed=now, expires=now + days * 86400
        )
        self._folder = folder() / name
        self._folder.mkdir(mode=0o700)
        self._lock = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        (self._folder / "header.xml").write_bytes(header)
        self._part = (self._folder / "images.part").open("wb")
        self._write(self.job)

    def _make_folder(self) -> None:
        folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        remove_expired()

    def tell(self, text: str) -> None:
        """Say how far it is."""
        self._write(replace(self.job, text=text))

    def add(self, images: ImageArray) -> None:
        """Keep images."""
        for part in encode(images):
            self._part.write(part)
        self._write(replace(self.job, images=self.job.images + 1))

    def finish(self) -> None:
        """All images are there."""
        self._part.flush()
        os.fsync(self._part.fileno())
        os.replace(self._folder / "images.part", self._folder / "images")
        self._end(replace(self.job, state=DONE, text=""))

    def fail(self, reason: str) -> None:
        """There will be no images."""
        (self._folder / "images.part").unlink(missing_ok=True)
        self._end(replace(self.job, state=FAILED, text=reason, images=0))

    def discard(self) -> None:
        """Nobody will ask for it."""
        self._part.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        os.close(self._lock)

    def _end(self, job: Job) -> None:
        self._part.close()
        self._write(job)
        os.close(self._lock)

    def _write(self, job: Job) -> None:
        self.job = replace(job, changed=time.time())
        handle, part = tempfile.mkstemp(dir=self._folder, suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(self.job), file)
        os.replace(part, self._folder / "status.json")


def folder() -> Path:
    """Where jobs are kept."""
    return cache_folder("jobs", "DEEPGADGETS_JOBS")


def known() -> list[Job]:
    """All jobs there are, the last one first."""
    remove_expired()
    found = (_read(path) for path in folder().glob("*"))
    return sorted((job for job in found if job is not None), key=lambda job: job.created, reverse=True)


def find(name: str) -> Job:
    """The job with an ID. Raises ValueError where there is none."""
    remove_expired()
    job = _read(folder() / name) if re.fullmatch(r"[0-9a-f-]+", name) else None
    if job is None:
        raise ValueError(
            f"there is no job {name!r}: it has expired, or never was; `deepgadgets fetch` lists those there are"
        )
    return job


def images_of(name: str) -> Iterator[ImageArray]:
    """The images of a job that is done. Raises ValueError where there is no such job, where it runs or has failed."""
    job = find(name)
    if job.state != DONE:
        raise ValueError(f"job {name} {'is still running' if job.state == RUNNING else 'has failed'}: {job.text}")
    yield from decoded((folder() / name / "images").read_bytes())


def header_of(name: str) -> bytes:
    """The ISMRMRD header of the scan that a job is of. Raises ValueError where there is no such job."""
    find(name)
    return (folder() / name / "header.xml").read_bytes()


def remove_expired() -> None:
    """Remove what is past its time, and what there is no telling of."""
    for path in folder().glob("*"):
        job = _read(path)
        if not path.is_dir() or _locked(path):
            continue
        # One that is just being made has no status yet.
        if (job is None and time.time() - path.stat().st_mtime > 86400) or (job and job.expires < time.time()):
            shutil.rmtree(path, ignore_errors=True)


def _read(path: Path) -> Job | None:
    """What is known of the job in a folder; None where it holds none."""
    job = _status(path)
    if job is not None and job.state == RUNNING and not _locked(path):
        # It may have ended between the two looks.
        job = _status(path)
        if job is not None and job.state == RUNNING:
            return replace(job, state=FAILED, text="the process that was at work on it has ended", images=0)
    return job


def _status(path: Path) -> Job | None:
    try:
        found: dict[str, Any] = json.loads((path / "status.json").read_text(encoding="utf-8"))
        return Job(**found)
    except (OSError, ValueError, TypeError):
        return None


def _locked(path: Path) -> bool:
    """Whether a process is at work on a job."""
    try:
        lock = os.open(path / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
