"""Serve scans to Gadgetron and FIRE clients."""

from __future__ import annotations

import argparse
import importlib


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    parser.add_argument("--port", type=int, default=9002, help="port (default: 9002; 0 takes a free one)")
    parser.add_argument("--workers", type=positive, default=1, help="scans at once; further ones wait (default: 1)")
    parser.add_argument("--max-waiting", type=int, default=64, help="scans that may wait (default: 64)")
    parser.add_argument(
        "--idle-limit",
        type=float,
        default=900.0,
        metavar="SECONDS",
        help="end a scan whose client neither sends nor takes anything for so long (default: 900)",
    )
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="MODULE",
        help="let XML from clients name this module and those below it; may be given several times",
    )
    parser.add_argument(
        "--preload",
        action="extend",
        type=models,
        default=[],
        metavar="METHOD=MODEL[,...]",
        help="models that every worker has in memory before its first scan, with the method that runs each",
    )
    parser.add_argument("--isolate", action="store_true", help="run every gadget as a process of its own")
    parser.add_argument("--openrecon", default="", metavar="PIPELINE", help="what a client means by 'openrecon'")
    parser.add_argument(
        "--max-gigabytes",
        type=float,
        default=16.0,
        help="largest array that a client may send, in GB (default: 16)",
    )


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value


def models(text: str) -> list[str]:
    """METHOD=MODEL,... taken apart. Raises ArgumentTypeError for another form, and for methods that there are not."""
    found = [one for one in text.split(",") if one]
    known = importlib.import_module("gadgets.mri.methods").names()
    for one in found:
        method, equals, model = one.partition("=")
        if not (method and equals and model):
            raise argparse.ArgumentTypeError(f"{one!r} is not METHOD=MODEL")
        if "." not in method and method not in known:
            raise argparse.ArgumentTypeError(f"no method {method!r}; there are: {', '.join(known)}")
    return found


def main(arguments: argparse.Namespace) -> int:
    from pipelines.host.server import Server

    if arguments.isolate and arguments.preload:
        raise ValueError("--preload has no use with --isolate: each gadget is then a new process")
    settings = {
        "log": "DEBUG" if arguments.debug else "INFO",
        "idle_seconds": arguments.idle_limit,
        "allow": arguments.allow,
        "isolate": arguments.isolate,
        "preload": arguments.preload,
        "openrecon": arguments.openrecon,
        "limits": {"array": int(arguments.max_gigabytes * 1e9)},
    }
    server = Server(
        arguments.host,
        arguments.port,
        workers=arguments.workers,
        max_waiting=arguments.max_waiting,
        idle_seconds=arguments.idle_limit,
        settings=settings,
    )
    server.stop_on_signals()
    server.serve()
    return 0
