"""Scans from ISMRMRD files, and chains of gadgets run on them in memory."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import ismrmrd
import numpy as np

from gadgets.stream.blocks import AcquisitionBlock
from tests.support.streams import run

Step = tuple[str, dict[str, Any]]


def read_scan(path: Path) -> tuple[list[AcquisitionBlock], bytes]:
    """The acquisitions of a file without trajectories, one block each, and its header."""
    with h5py.File(path, "r") as file:
        records, xml = file["dataset/data"][:], file["dataset/xml"][0]
    blocks = []
    for record in records:
        head = np.frombuffer(record["head"].tobytes(), ismrmrd.AcquisitionHeader)
        data = record["data"].view(np.complex64).reshape(1, int(head["active_channels"][0]), -1)
        blocks.append(AcquisitionBlock(head.copy(), data.copy()))
    return blocks, xml


def run_chain(items: Sequence[Any], header: bytes, steps: Sequence[str | Step]) -> list[Any]:
    """What gadgets make of items, one after the other: names, or names with properties."""
    for step in steps:
        name, properties = (step, {}) if isinstance(step, str) else step
        items = run(getattr(import_module(f"gadgets.{name}"), name), items, header, **properties)
    return list(items)
