"""Cropping and centring of readouts."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gadgets.mri.readout import centre_readout, crop_readout


def random(*shape):
    rng = np.random.default_rng(0)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def definition(data, n):
    shifted = np.fft.ifftshift(data.astype(np.complex128), axes=-1)
    image = np.fft.fftshift(np.fft.ifft(shifted, norm="ortho"), axes=-1)
    start = data.shape[-1] // 2 - n // 2
    cropped = np.fft.ifftshift(image[..., start : start + n], axes=-1)
    return np.fft.fftshift(np.fft.fft(cropped, norm="ortho"), axes=-1)


@pytest.mark.parametrize("n_in", [8, 9, 10, 512])
@pytest.mark.parametrize("n", [1, 4, 5, 6, 7, 8])
def test_equals_the_definition(n_in, n):
    data = random(3, 5, n_in)
    np.testing.assert_allclose(crop_readout(data, n), definition(data, n), atol=3e-6)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (40,), (1, 40), (7, 8), (100, 3), (2, 3, 17), (0, 4)])
def test_any_number_of_readouts(shape):
    data = random(*shape, 16)
    np.testing.assert_allclose(crop_readout(data, 8), definition(data, 8), atol=3e-6)


def test_views_of_a_wire_buffer():
    data = random(5, 4, 64)
    record = 2 + 340 + data[0].nbytes
    wire = np.zeros(5 * record, np.uint8)
    for index, acquisition in enumerate(data):
        wire[index * record + 342 : (index + 1) * record] = acquisition.view(np.uint8).ravel()
    view = np.ndarray(data.shape, np.complex64, wire, 342, (record, data.strides[1], 8))
    assert view.ctypes.data % 8
    np.testing.assert_array_equal(crop_readout(view, 32), crop_readout(data, 32))
    np.testing.assert_array_equal(crop_readout(data[::2, ::-1], 32), crop_readout(data[::2, ::-1].copy(), 32))
    reversed_samples = data[..., ::-1]
    np.testing.assert_array_equal(crop_readout(reversed_samples, 32), crop_readout(reversed_samples.copy(), 32))


def test_noise_keeps_its_level():
    data = random(64, 8, 256)
    assert crop_readout(data, 128).real.std() == pytest.approx(1, abs=0.01)


def test_input_is_left_alone_and_output_is_new():
    data = random(2, 8)
    before = data.copy()
    same = crop_readout(data, 8)
    same[:] = 0
    np.testing.assert_array_equal(data, before)


def test_threads_do_not_disturb_one_another():
    blocks = [random(50, 4, 64) * (1 + index) for index in range(8)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda block: crop_readout(block, 32), blocks * 4))
    for index, result in enumerate(results):
        np.testing.assert_array_equal(result, crop_readout(blocks[index % 8], 32))


def test_refusals():
    with pytest.raises(ValueError, match="8 samples to 9"):
        crop_readout(random(2, 8), 9)
    with pytest.raises(ValueError, match="to 0"):
        crop_readout(random(2, 8), 0)
    with pytest.raises(TypeError, match="complex128"):
        crop_readout(random(2, 8).astype(np.complex128), 4)


@pytest.mark.parametrize(("length", "centre", "n"), [(6, 2, 8), (6, 4, 8), (5, 1, 8), (8, 4, 8), (7, 3, 7), (3, 0, 7)])
def test_the_centre_comes_to_the_middle(length, centre, n):
    data = random(2, length)
    out = centre_readout(data, centre, n)
    assert out.shape == (2, n)
    np.testing.assert_array_equal(out[:, n // 2], data[:, centre])
    assert np.count_nonzero(out) == data.size


def test_samples_must_fit():
    with pytest.raises(ValueError, match="does not fit into 8"):
        centre_readout(random(2, 8), 3, 8)
    with pytest.raises(ValueError, match="sample 9"):
        centre_readout(random(2, 8), 9, 16)
