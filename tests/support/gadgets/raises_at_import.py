raise OSError("broken at import")
