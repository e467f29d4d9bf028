"""Numerics of image reconstruction: torch and numpy, and nothing of streams. See `conventions`."""
