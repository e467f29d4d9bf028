"""The brightness of an image does not depend on the noise of the coils, where the stream describes its channels."""

from __future__ import annotations

import ismrmrd
import numpy as np
import pytest

from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.support import support
from gadgets.receivers import ALONG_READOUT_ID, WAVEFORM_ID, receivers_message, receivers_of
from gadgets.stream.codec import encode
from gadgets.stream.transport import decoded
from tests.support.items import complex_noise
from tests.support.scans import run_chain
from tests.support.streams import acquisition, header_xml

SIZE, COILS = 64, 6


def test_the_matrix_survives_the_wire() -> None:
    matrix = complex_noise(np.random.default_rng(0), 5, 3)
    (item,) = decoded(b"".join(encode(receivers_message(matrix))))
    found = receivers_of(item)
    assert found is not None
    scaled = matrix * np.sqrt(3) / np.linalg.norm(matrix)
    np.testing.assert_allclose(found, scaled, rtol=1e-6)


@pytest.mark.parametrize("receivers", [2, 3, 5])
def test_products_of_columns_along_the_readout_survive_the_wire(receivers: int) -> None:
    matrix = complex_noise(np.random.default_rng(0), 10 * receivers, 3).reshape(10, receivers, 3)
    (item,) = decoded(b"".join(encode(receivers_message(matrix))))
    found = receivers_of(item)
    assert found is not None
    assert found.shape == (10, 3, 3)
    scaled = matrix * np.sqrt(30) / np.linalg.norm(matrix)
    products = (each.conj().swapaxes(1, 2) @ each for each in (found, scaled))
    np.testing.assert_allclose(*products, rtol=1e-5, atol=1e-5)


def test_other_waveforms_carry_no_matrix() -> None:
    assert receivers_of(ismrmrd.Waveform.from_array(np.zeros((2, 4), np.uint32))) is None
    assert 1023 < WAVEFORM_ID < ALONG_READOUT_ID


def reconstructed(*, adjust: bool, describe: bool, coils: int | None, method: str = "pca") -> np.ndarray:
    """The phantom by the SENSE chain, with one coil ten times as noisy as the others."""
    rng = np.random.default_rng(3)
    deviation = np.ones(COILS)
    deviation[0] = 10
    noise = acquisition(1e-4 * deviation[:, None] * complex_noise(rng, COILS, 4096), flags=[19])
    kspace = cartesian((SIZE, SIZE, 1), coils=COILS)[:, 0]
    lines = [
        acquisition(kspace[:, i], flags=[21], idx={"kspace_encode_step_1": i}, scan_counter=1 + i) for i in range(SIZE)
    ]
    chain = [
        ("noise_adjust", {"perform_noise_adjust": adjust, "describe_channels": describe}),
        ("coil_compression", {"coils": coils or COILS, "method": method}),
        "acquisition_accumulate_trigger",
        "bucket_to_buffer",
        "coil_sensitivities",
        ("reconstruct", {"method": "cg_sense"}),
        "image_array_split",
    ]
    sent = run_chain([noise, *lines], header_xml((SIZE, SIZE, 1), coils=COILS, acceleration=1), chain)
    (image,) = [item for item in sent if isinstance(item, ismrmrd.Image)]
    return np.abs(image.data[0, 0])


@pytest.mark.parametrize(("coils", "method"), [(None, "pca"), (COILS - 1, "pca"), (None, "gcc"), (COILS - 2, "gcc")])
def test_images_are_as_bright_as_without_whitening(coils: int | None, method: str) -> None:
    plain = reconstructed(adjust=False, describe=False, coils=None)
    inside = support(plain) & (plain > 0.1 * plain.max())

    def spread(image: np.ndarray) -> float:
        ratio = image[inside] / plain[inside]
        return float(ratio.std() / ratio.mean())

    described = spread(reconstructed(adjust=True, describe=True, coils=coils, method=method))
    weighted = spread(reconstructed(adjust=True, describe=False, coils=coils, method=method))
    # What remains: maps are estimated anew, and compression leaves out channels with a little signal.
    assert described < weighted / 3
    assert weighted > 0.05
