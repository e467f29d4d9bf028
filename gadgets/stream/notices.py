"""Notices: what gadgets log for the client's console and the terminal, as the progress of a fit, and is no warning."""

from __future__ import annotations

import logging

#: The level of such records, between INFO and WARNING.
NOTICE = 25

#: The name of threads whose work belongs to no scan that is being served: what they log is no client's.
DETACHED = "detached"

logging.addLevelName(NOTICE, "NOTICE")
