"""Methods of reconstruction that fail, or take long."""
