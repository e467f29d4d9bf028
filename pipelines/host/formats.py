"""Gadgetron's stock readers and writers of messages, and the message id of each.

They stand in the libraries gadgetron_core_readers, gadgetron_core_writers and gadgetron_mricore.
The host reads and writes all of these messages by itself; the table only tells the names that
mean so from those that mean something else.
"""

READERS = {
    "AcquisitionReader": 1008,
    "WaveformReader": 1026,
    "ImageReader": 1022,
    "BufferReader": 1023,
    "IsmrmrdImageArrayReader": 1024,
    "AcquisitionBucketReader": 1050,
    "TextReader": 5,
    "GadgetIsmrmrdAcquisitionMessageReader": 1008,
    "GadgetIsmrmrdWaveformMessageReader": 1026,
    "MRIImageReader": 1022,
}

WRITERS = {
    "AcquisitionWriter": 1008,
    "WaveformWriter": 1026,
    "ImageWriter": 1022,
    "BufferWriter": 1023,
    "IsmrmrdImageArrayWriter": 1024,
    "AcquisitionBucketWriter": 1050,
    "TextWriter": 5,
    "GadgetIsmrmrdAcquisitionMessageWriter": 1008,
    "GadgetIsmrmrdWaveformMessageWriter": 1026,
    "MRIImageWriter": 1022,
    "DependencyQueryWriter": 1019,
}
