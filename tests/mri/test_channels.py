import numpy as np
import pytest

from gadgets.mri.channels import gram, gram_along, mix, mix_along

RNG = np.random.default_rng(0)


def samples(*shape):
    return (RNG.standard_normal(shape) + 1j * RNG.standard_normal(shape)).astype(np.complex64)


@pytest.mark.parametrize(
    ("out", "channels", "length"), [(4, 4, 64), (3, 8, 33), (1, 1, 5), (70, 90, 19), (5, 2, 0), (32, 32, 40)]
)
def test_mix_is_the_product_for_each_acquisition(out, channels, length):
    matrix, data = samples(out, channels), samples(6, channels, length)
    expected = np.einsum("oc,ncs->nos", matrix.astype(complex), data.astype(complex))
    np.testing.assert_allclose(mix(matrix, data), expected, rtol=1e-4, atol=1e-4)


def test_mix_does_not_depend_on_how_many_acquisitions_come_together():
    matrix, data = samples(20, 20), samples(7, 20, 100)
    together = mix(matrix, data)
    for i in range(7):
        np.testing.assert_array_equal(mix(matrix, data[i : i + 1])[0], together[i])


def test_mix_takes_data_at_odd_addresses():
    matrix, data = samples(3, 4), samples(5, 4, 40)
    raw = np.zeros((5, 3 + data[0].nbytes), np.uint8)
    odd = np.ndarray(data.shape, np.complex64, raw, 3, (raw.shape[1], 8 * 40, 8))
    odd[...] = data
    np.testing.assert_array_equal(mix(matrix, odd), mix(matrix, data))


@pytest.mark.parametrize(("channels", "n"), [(1, 7), (4, 1000), (32, 5000), (90, 100), (3, 0)])
def test_gram_is_the_sum_of_outer_products(channels, n):
    data = samples(channels, n)
    wide = data.astype(complex)
    np.testing.assert_allclose(gram(data), wide @ wide.conj().T, rtol=1e-12, atol=1e-9)


def along_readout(data):
    """Images along the last axis, centred and orthonormal."""
    return np.fft.fftshift(np.fft.ifft(np.fft.ifftshift(data, -1), axis=-1, norm="ortho"), -1)


@pytest.mark.parametrize(("out", "channels", "length"), [(3, 5, 24), (4, 4, 33), (1, 2, 7)])
def test_mix_along_is_a_product_at_each_place_of_the_image(out, channels, length):
    matrices, data = samples(length, out, channels), samples(6, channels, length)
    expected = np.einsum("xoc,ncx->nox", matrices, along_readout(data))
    np.testing.assert_allclose(along_readout(mix_along(matrices, data)), expected, rtol=1e-4, atol=1e-4)


def test_mix_along_does_not_depend_on_how_many_acquisitions_come_together():
    matrices, data = samples(100, 20, 20), samples(7, 20, 100)
    together = mix_along(matrices, data)
    for i in range(7):
        np.testing.assert_array_equal(mix_along(matrices, data[i : i + 1])[0], together[i])


def test_mix_along_takes_readouts_of_its_length():
    with pytest.raises(ValueError, match=r"data has shape \(2, 4, 12\), expected \(n, 4, 10\)"):
        mix_along(samples(10, 3, 4), samples(2, 4, 12))


@pytest.mark.parametrize(("channels", "n"), [(4, 1000), (32, 200), (3, 0)])
def test_gram_along_is_the_sum_of_outer_products_at_each_place(channels, n):
    data = samples(n, channels, 9)
    image = along_readout(data.astype(complex))
    np.testing.assert_allclose(gram_along(data), np.einsum("nax,nbx->xab", image, image.conj()), atol=1e-9 * max(n, 1))
