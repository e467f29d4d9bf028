"""Methods of reconstruction that fail."""
