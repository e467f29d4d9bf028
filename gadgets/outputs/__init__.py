"""What leaves the reconstruction: image headers, image meta, PNG. Values in, values out; nothing is sent here."""
