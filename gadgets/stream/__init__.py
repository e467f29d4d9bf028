"""The language that gadgets and their host speak: messages, codec, connection."""

import warnings

# Importing ismrmrd resets the process-wide warning filters; what the user chose must survive that.
with warnings.catch_warnings():
    import ismrmrd  # noqa: F401
