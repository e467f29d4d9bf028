"""Notices: what gadgets log for the client's console and the terminal, as the progress of a fit, and is no warning."""

from __future__ import annotations

import logging

#: The level of such records, between INFO and WARNING.
NOTICE = 25

logging.addLevelName(NOTICE, "NOTICE")
