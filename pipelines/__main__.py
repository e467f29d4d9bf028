"""The command `deepgadgets`."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Sequence

from gadgets.stream.notices import NOTICE
from pipelines.commands import NAMES


def parser() -> argparse.ArgumentParser:
    """Arguments of the command and its subcommands."""
    top = argparse.ArgumentParser(
        prog="deepgadgets",
        description="Deep MR reconstruction in the scanner's stream: Gadgetron pipelines of Python gadgets.",
    )
    subcommands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in NAMES:
        module = importlib.import_module(f"pipelines.commands.{name}")
        summary = (module.__doc__ or "").strip().splitlines()[0]
        own = subcommands.add_parser(name, help=summary, description=module.__doc__)
        own.add_argument("--debug", action="store_true", help="show log messages, and tracebacks of errors")
        module.add(own)
        own.set_defaults(main=module.main)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Exit status 0 when all is well, 1 after an error, 2 for wrong usage, 130 when interrupted."""
    parsed = parser().parse_args(arguments)
    # Before torch is imported: its threads must sleep when they wait, since gadgets share the cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    level = logging.DEBUG if parsed.debug else logging.INFO if parsed.command == "serve" else NOTICE
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        status: int = parsed.main(parsed)
        return status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except Exception as error:
        if parsed.debug:
            traceback.print_exc()
        text = " ".join(str(error).split())
        plain = text if isinstance(error, (ValueError, OSError)) or type(error).__module__.startswith("gadgets") else ""
        plain = plain or (text if type(error).__module__.startswith("pipelines") else f"{type(error).__name__}: {text}")
        print(f"deepgadgets {parsed.command}: {plain}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
