"""How it is run: the pipelines, and the host that runs them when no Gadgetron is installed."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.host.nodes import ConfigError

if TYPE_CHECKING:
    import ismrmrd

__all__ = ["PipelineNotFound", "find", "folders", "names", "run"]

# Scanners ask by Gadgetron's names.
_ALIASES = {
    "default_measurement_dependencies.xml": "measurement_dependencies.xml",
    "Generic_Cartesian_Grappa.xml": "generic_cartesian_grappa.xml",
}


class PipelineNotFound(ConfigError):
    """No configuration folder holds a pipeline of that name."""


def folders() -> list[Path]:
    """The configuration folders, in the order of the search: our own, then those of a Gadgetron."""
    homes = [os.environ.get("GADGETRON_HOME"), sys.prefix]
    found = [Path(__file__).parent, *(Path(home, "share", "gadgetron", "config") for home in homes if home)]
    return [folder for folder in dict.fromkeys(found) if folder.is_dir()]


def names() -> list[str]:
    """The names of all pipelines there are, without the ending ``.xml``."""
    return sorted({path.stem for folder in folders() for path in folder.glob("*.xml")})


def find(name: str) -> Path:
    """The file of the pipeline ``name``, which may end in ``.xml`` or not.

    Names stay inside the configuration folders. Raises PipelineNotFound, with what there is, for
    a name that no folder holds and for one that is a path.
    """
    if name.startswith(".") or any(character in name for character in "/\\:\0"):
        raise PipelineNotFound(f"{name!r} is not a name but a path; there are: {', '.join(names())}")
    file = name if name.endswith(".xml") else f"{name}.xml"
    for folder in folders():
        for candidate in (file, _ALIASES.get(file, file)):
            if (folder / candidate).is_file():
                return folder / candidate
    close = difflib.get_close_matches(file.removesuffix(".xml"), names(), n=1)
    meant = f"did you mean {close[0]!r}? " if close else ""
    raise PipelineNotFound(f"no pipeline {name!r}; {meant}there are: {', '.join(names()) or 'none'}")


def run(pipeline: str | Path, path: str | Path, **options: Any) -> Iterator[ismrmrd.Image]:
    """The images that a pipeline makes of an ISMRMRD file: see `pipelines.clients.replay.run`."""
    # Imported here: names of pipelines are looked up by the server, which must be ready at once.
    from pipelines.clients.replay import run

    return run(pipeline, path, **options)
