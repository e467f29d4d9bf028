"""How near an image is to a reference."""
