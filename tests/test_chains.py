"""Whole chains: on scanner data against Gadgetron's images and the full scan, on simulated scans against the truth."""

import h5py
import ismrmrd
import numpy as np
import pytest

from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.scans import read_scan, run_chain
from tests.support.streams import header_xml

BUFFERS = [
    ("acquisition_accumulate_trigger", {"trigger_dimension": "repetition", "sorting_dimension": "slice"}),
    ("bucket_to_buffer", {"split_slices": True}),
]
DEFAULT = ["remove_ro_oversampling", *BUFFERS, "simple_recon", "image_array_split", "extract", "image_finish"]
READOUTS = ["asymmetric_echo_adjust_ro", "remove_ro_oversampling"]
IMAGES = ["image_array_split", "complex_to_float"]
SENSE = [
    *READOUTS,
    "coil_compression",
    *BUFFERS,
    "coil_sensitivities",
    ("reconstruct", {"method": "cg_sense"}),
    *IMAGES,
]
COMBINED = [*READOUTS, *BUFFERS, ("reconstruct", {"method": "adaptive_combine"}), *IMAGES]
INTEGERS = ["auto_scale", "float_to_u_short", "image_finish"]
UNWHITENED = ("noise_adjust", {"perform_noise_adjust": False})

# Gadgetron's integration tests do not compare these.
IGNORED = {"acquisition_time_stamp", "physiology_time_stamp", "image_series_index", "attribute_string_len"}


@pytest.mark.data
@pytest.mark.parametrize(
    "scan", ["brain_gre_3T_16ch_full", "phantom_gre_3T_16ch_full", "brain_gre_3T_16ch_retroR2_acs24_noise"]
)
def test_the_default_chain_makes_gadgetrons_images(data_dir, scan):
    folder = data_dir.parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"no reference images in {folder}")
    with h5py.File(folder / f"{scan}__default.h5", "r") as file:
        (group,) = file.values()
        assert list(group) == ["image_0"]
        pixels, (header,) = group["image_0/data"][:], group["image_0/header"][:]
    (image,) = run_chain(*read_scan(data_dir / "mrd" / f"{scan}.h5"), DEFAULT)
    assert image.image_series_index == 0
    assert nrmse(image.data, pixels[0]) < 1e-5
    ours = np.frombuffer(bytes(image.getHead()), np.dtype(ismrmrd.ImageHeader))[0]
    for name in set(header.dtype.names) - IGNORED:
        if header.dtype[name].base.kind == "f":
            np.testing.assert_allclose(ours[name], header[name], atol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(ours[name], header[name], err_msg=name)


@pytest.mark.data
@pytest.mark.parametrize(("scan", "limit"), [("R2", 0.05), ("R3", 0.08)])
def test_sense_unfolds_what_was_undersampled(data_dir, scan, limit):
    full, full_header = read_scan(data_dir / "mrd" / "brain_gre_3T_16ch_full.h5")
    lines, header = read_scan(data_dir / "mrd" / f"brain_gre_3T_16ch_retro{scan}_acs24_noise.h5")

    # Coils that are not whitened, as those of the full scan are not.
    (expected,) = run_chain(full, full_header, COMBINED)
    head = support(expected.data[0, 0])
    assert 0.3 < head.mean() < 0.45
    (image,) = run_chain(lines, header, [UNWHITENED, *SENSE])
    assert nrmse(image.data[0, 0], expected.data[0, 0], head, scaled=True) < limit

    # Whitening changes how coils are weighted, and with it the shading of the image (by 0.11 here): so the full scan
    # is whitened by the noise of the undersampled one.
    (expected,) = run_chain([lines[0], *full], full_header, ["noise_adjust", *COMBINED])
    (image,) = run_chain(lines, header, ["noise_adjust", *SENSE])
    assert nrmse(image.data[0, 0], expected.data[0, 0], head, scaled=True) < limit

    (integers,) = run_chain([image], header, INTEGERS)
    assert integers.data.dtype == np.uint16
    slope = float(integers.meta["RescaleSlope"])
    np.testing.assert_allclose(slope * integers.data, image.data, atol=0.501 * slope)


def simulated(matrix, acceleration, calibration, **limits):
    """Acquisitions, true images and header of a scan with two-fold oversampling and embedded calibration lines."""
    oversampled = (2 * matrix[0], *matrix[1:])
    xml = header_xml(oversampled, matrix, coils=6, acceleration=acceleration, limits=limits)
    lines = "".join(
        f"<userParameterLong><name>{name}</name><value>{value}</value></userParameterLong>"
        for name, value in calibration.items()
    )
    xml = xml.replace(b"</ismrmrdHeader>", f"<userParameters>{lines}</userParameters></ismrmrdHeader>".encode())
    items = run_chain([], xml, [("simulate", {"noise": 0.002, "truth": True})])
    return (
        [item for item in items if not isinstance(item, ismrmrd.Image)],
        [item for item in items if isinstance(item, ismrmrd.Image)],
        xml,
    )


def error(image, truth):
    pixels, expected = abs(image.data), abs(truth.data)
    return nrmse(pixels, expected, expected > 0.05 * expected.max(), scaled=True)


def test_every_slice_contrast_and_repetition_of_an_accelerated_scan_comes_back_in_its_place():
    several = {"slice": (0, 2, 0), "repetition": (0, 1, 0), "contrast": (0, 1, 0)}
    lines, truths, header = simulated((48, 48, 1), 2, {"EmbeddedRefLinesE1": 16}, **several)
    # Unwhitened, as the coils are that shade the true images.
    images = run_chain(lines, header, [UNWHITENED, *SENSE, "image_finish"])
    assert sorted((i.repetition, i.slice, i.contrast) for i in images) == [
        (r, s, c) for r in range(2) for s in range(3) for c in range(2)
    ]
    assert sorted(i.image_index for i in images) == list(range(1, 13))
    for image in images:
        errors = [error(image, truth) for truth in truths]
        assert int(np.argmin(errors)) == image.slice
        assert errors[image.slice] < 0.05
        assert (image.matrix_size, tuple(image.field_of_view)) == ((48, 48, 1), (96, 96, 2))


def test_a_volume_is_unfolded():
    lines, (truth,), header = simulated((24, 24, 16), 2, {"EmbeddedRefLinesE1": 12, "EmbeddedRefLinesE2": 12})
    (image,) = run_chain(lines, header, [UNWHITENED, *SENSE, "image_finish"])
    assert image.matrix_size == (24, 24, 16)
    assert error(image, truth) < 0.1
