"""Gadgetron's generic Cartesian chain, by the class names and properties of its own file."""

import h5py
import ismrmrd
import numpy as np
import pytest

from gadgets.mri.phantom.scan import truth
from gadgets.mri.quality.errors import nrmse
from pipelines.clients.dataset import Dataset
from pipelines.clients.replay import find, replay, with_settings
from pipelines.clients.simulate import Scan, header_xml
from pipelines.host.config import parse
from tests.support.scans import run_chain
from tests.support.stock_chain import stock_xml

# Rounding of single precision, through products of some hundred terms and inverse matrices of a condition of 1000.
ROUNDING = 1e-4


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "brain_gre_3T_16ch_full",
        "phantom_gre_3T_16ch_full",
        "brain_gre_3T_16ch_retroR2_acs24_noise",
        "brain_gre_3T_16ch_retroR3_acs24_noise",
    ],
)
def test_images_are_those_of_the_cpp_gadgetron(data_dir, name):
    reference = data_dir.parent / "reference" / f"{name}__grappa_float.h5"
    if not reference.is_file():
        pytest.skip(f"no reference image of {name} beside the scanner data")
    pipeline = parse(stock_xml(without="FloatToUShortGadget"), "stock")
    with Dataset(data_dir / "mrd" / f"{name}.h5") as dataset:
        items = list(replay(pipeline, dataset.header, dataset.items()))
    (image,) = [item for item in items if isinstance(item, ismrmrd.Image)]
    with h5py.File(reference) as file:
        (group,) = file.values()
        expected, header = group["image_1"]["data"][0], group["image_1"]["header"][0]
    assert np.linalg.norm(image.data - expected) < ROUNDING * np.linalg.norm(expected)
    for field in set(header.dtype.names) - {"attribute_string_len"}:
        np.testing.assert_allclose(np.array(getattr(image.getHead(), field)), header[field], err_msg=field)


def simulated(scan, **source):
    header = header_xml(scan)
    settings = {f"simulate.{name}": str(value) for name, value in source.items()}
    return header, list(replay(with_settings(find("simulate"), settings), header, ()))


def images(pipeline, header, items):
    return [item for item in replay(pipeline, header, items) if isinstance(item, ismrmrd.Image)]


def test_accelerated_slices_are_those_of_the_full_scan():
    chain = parse(stock_xml(without="FloatToUShortGadget"), "stock")
    found = {}
    for acceleration, acs in ((1, 0), (2, 16)):
        scan = Scan(matrix=(64, 64, 1), coils=8, slices=2, acceleration=(acceleration, 1), acs=acs)
        found[acceleration] = images(chain, *simulated(scan, noise=0.001))
    for full, half in zip(found[1], found[2], strict=True):
        assert (full.slice, full.position[2]) == (half.slice, half.position[2])
        assert (full.image_index, full.image_series_index) == (half.image_index, half.image_series_index)
        inside = full.data > 0.05 * full.data.max()
        # Maps of 16 lines are not those of 64: coils are weighted a little differently. Folded images differ by 0.4.
        assert nrmse(half.data, full.data, inside, scaled=True) < 0.05
        # In units of SNR: half of the samples, the square root of half of the intensity.
        ratio = np.linalg.norm(half.data[inside]) / np.linalg.norm(full.data[inside])
        assert ratio == pytest.approx(0.5**0.5, rel=0.05)


@pytest.mark.parametrize("method", ["pocs_partial_fourier", "homodyne"])
def test_parallel_imaging_and_partial_fourier_together(method):
    """From a scan whose header tells of both: what partial Fourier took from the image comes back."""
    expected = abs(truth((96, 96, 1)))
    steps = [
        "noise_adjust", "remove_ro_oversampling", "acquisition_accumulate_trigger", "bucket_to_buffer",
        "generic_recon_cartesian_reference_prep", "generic_recon_eigen_channel", "generic_recon_cartesian_grappa",
    ]  # fmt: skip

    def error(fraction, *between):
        scan = Scan(matrix=(96, 96, 1), coils=8, acceleration=(2, 1), acs=24, partial_fourier=fraction)
        header, items = simulated(scan, noise=0.0005)
        *_, image = run_chain(items, header, [*steps, *between, "image_array_split", "complex_to_float"])
        return nrmse(image.data[0], expected, expected > 0.05, scaled=True)

    complete, zero_filled, filled = error(1.0), error(0.65), error(0.65, ("partial_fourier", {"method": method}))
    assert filled - complete < 0.2 * (zero_filled - complete)


def test_the_pipeline_in_the_folder_is_the_stock_chain():
    scan = Scan(matrix=(32, 32, 1), coils=4, slices=1, acceleration=(2, 1), acs=12)
    header, items = simulated(scan, noise=0.001)
    (ours,) = images(find("Generic_Cartesian_Grappa.xml"), header, items)
    (stock,) = images(parse(stock_xml(), "stock"), header, items)
    assert ours.data.dtype == np.uint16 and ours.data.any()
    np.testing.assert_array_equal(ours.data, stock.data)
    assert ours.meta == stock.meta
