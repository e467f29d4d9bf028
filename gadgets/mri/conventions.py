"""The conventions of the package. Nothing is computed here.

Axes
    Images are (*other, coil, z, y, x), k-space is (*other, coil, k2, k1, k0): k0 along the readout (x), k1 and k2 along
    the first and second phase encoding (y, z). `other` is any number of further axes (slice, set, contrast, repetition,
    ...), which no function mixes: what is done to several slices together equals what is done to each of them alone. A
    combined image has one coil. Two-dimensional scans have z = k2 = 1. A matrix is written in the order of the array,
    (z, y, x), except where a name says otherwise; scan headers write (x, y, z).

Fourier transform
    The image is the inverse FFT of k-space. Transforms are centred (the centre of an axis of length N is at index
    N // 2, in both domains, for even and for odd N) and orthonormal (they keep the energy, and so the noise level).

Sampling
    Cartesian k-space lies on the grid of the encoded matrix, with zeros where nothing was acquired; a boolean mask,
    which broadcasts against it, says where samples are. A reference for calibration lies on the same grid as the data
    that it calibrates, and its mask says what part of the grid it covers.

    Non-Cartesian k-space keeps the same axes: k0 along a readout, k1 and k2 counting readouts. Its trajectory is
    (*other, 3, k2, k1, k0) with the components in the order (z, y, x), in cycles per field of view: neighbours on the
    Cartesian grid are 1 apart, the centre of k-space is 0. The matrix of its image, `grid`, is given beside it. Its
    density compensation `dcf` is (*other, 1, k2, k1, k0), in cells of the Cartesian grid.

Noise
    After noise adjustment, the noise of each channel has unit standard deviation in the real part and unit standard
    deviation in the imaginary part (so E|n|^2 = 2), and channels are uncorrelated. Orthonormal transforms, unitary coil
    compression and cropping of oversampled readouts all keep it so.

Sensitivities
    Maps `csm` are (*other, coil, z, y, x) with sum_coil |csm|^2 = 1 inside the support of the object and 0 outside of
    it. The phase that maps and image share is not observable; functions that make maps state their choice.

    Several sets of maps, for a field of view onto which the object folds, are one after the other along the axis of the
    coils: (*other, set * coil, z, y, x), the first set first. Their images are (*other, set, z, y, x).

Units
    Lengths in mm, times in microseconds as in scan headers, angles in radians, k-space in cycles per field of view.
    Intensities are as the receiver gave them; methods scale linearly with their input.
"""
