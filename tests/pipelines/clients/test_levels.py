"""Levels in the texts of servers."""

import pytest

from pipelines.clients.send import is_error, without_level


@pytest.mark.parametrize(
    ("text", "error", "plain"),
    [
        ("ERROR   noise_adjust: x", True, "noise_adjust: x"),
        ("ERROR    x", True, "x"),
        ("CRITICALx", True, "x"),
        ("ERROR: x", True, "x"),
        ("[Connection Main Thread/Stream/a] ERROR: x", True, "[Connection Main Thread/Stream/a] ERROR: x"),
        ("INFO    ERROR in the middle", False, "ERROR in the middle"),
        ("WARNING x", False, "x"),
        ("DEBUG   x", False, "x"),
        ("ERRORS are rare", False, "ERRORS are rare"),
        ("x", False, "x"),
        ("", False, ""),
    ],
)
def test_levels(text, error, plain):
    assert is_error(text) is error
    assert without_level(text) == plain
