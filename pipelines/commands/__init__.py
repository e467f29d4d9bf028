"""The subcommands of `deepgadgets`, one file each.

A command is a module with `add(parser)`, which declares its arguments, and `main(arguments)`, which returns the exit
status. Modules import what is heavy inside `main`, so that help and `serve` start at once.
"""

#: In the order of the help text.
NAMES = ("run", "serve", "send", "fetch", "simulate", "demo", "list", "show", "cite", "check", "train", "models")
