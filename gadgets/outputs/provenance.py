"""How an image was made, in its meta: Recon... entries.

ReconMethod: the method with all its settings. ReconVersions: packages and their versions. Of learned methods also
ReconModel and ReconModelSha256 (of the file of weights), and ReconResidual: ||P F S x - y|| / ||y||, how far the image
is from the data. Where another method served in place of the one that was asked for: ReconInsteadOf, that method, and
ReconReason, why. ReconStopped: after how many iterations the deadline ended a fit. ReconStart:
of which slice and repetition the fit was that another one started from. ReconRemarks: what the method found that
bears on the image. ReconPreliminary: of images that others will follow, the method of those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ismrmrd

from gadgets.outputs.meta import put


def record_method(meta: ismrmrd.Meta, method: str, versions: Mapping[str, str]) -> None:
    """Write the method with all its settings, and versions by package."""
    meta["ReconMethod"] = method
    meta["ReconVersions"] = [f"{package} {version}" for package, version in versions.items()]


def record_model(meta: ismrmrd.Meta, name: str, sha256: str) -> None:
    """Write which trained weights made the image."""
    meta["ReconModel"], meta["ReconModelSha256"] = name, sha256


def record_residual(meta: ismrmrd.Meta, residual: float) -> None:
    """Write how far the image is from the data, relative."""
    meta["ReconResidual"] = f"{residual:.4g}"


def record_instead(meta: ismrmrd.Meta, served: str, failed: str, settings: str, reason: str) -> None:
    """Write that `served` made the image in place of `failed` (names), which has `settings`; for whoever reads images.

    It is in the comment and in the name of the series, which viewers show, and in entries of its own.
    """
    meta["ReconInsteadOf"], meta["ReconReason"] = settings, reason
    short = f"{served} in place of {failed}"
    put(meta, "ImageComments", f"{short}, which failed: {reason}; {meta['ReconMethod']}")
    put(meta, "SequenceDescriptionAdditional", short)
    meta["SeriesDescription"] = f"{meta.get('SeriesDescription', '')} ({short})".strip()


def record_stopped(meta: ismrmrd.Meta, done: int, total: int, seconds: float) -> None:
    """Write that a deadline of so many seconds ended a fit before its last iteration, in the comment too."""
    meta["ReconStopped"] = f"after {done} of {total} iterations by the deadline of {seconds:g} s"
    put(meta, "ImageComments", f"stopped {meta['ReconStopped']}; {meta['ImageComments']}")


def record_start(meta: ismrmrd.Meta, where: str) -> None:
    """Write that a fit started from the one of another slice or repetition."""
    meta["ReconStart"] = where


def record_remarks(meta: ismrmrd.Meta, method: str, remarks: Sequence[str]) -> None:
    """Write what a method (its name) found that bears on the image, in the comment too."""
    meta["ReconRemarks"] = list(remarks)
    put(meta, "ImageComments", f"{method}: {'; '.join(remarks)}; {meta['ImageComments']}")


def record_preliminary(meta: ismrmrd.Meta, served: str, final: str) -> None:
    """Write that `served` (a name) made an image to be seen until those by `final` (settings) are there.

    It is in the comment and in the name of the series, which viewers show, and in an entry of its own.
    """
    meta["ReconPreliminary"] = final
    put(meta, "ImageComments", f"preliminary, by {served}; to be followed by {final}")
    put(meta, "SequenceDescriptionAdditional", f"{served} preliminary")
    meta["SeriesDescription"] = f"{meta.get('SeriesDescription', '')} (preliminary)".strip()
