"""Echo planar scans of phantoms, from the file to the image."""

import ismrmrd
import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_fill_holes

from pipelines.clients.dataset import Dataset
from pipelines.clients.replay import find, replay, with_settings
from tests.support.epi_scan import epi_header, epi_scan, with_trajectory
from tests.support.streams import acquisitions

FLAT, RAMP = "phantom_epi96_1ch_basic_blipup.h5", "phantom_epi96_1ch_ramp_sampling_blipup.h5"
FOUR_COILS = "phantom_epi_3T_4ch_rampsampled_CC0.h5"


def image(items, header, method="rss", **settings):
    """The one image (y, x) that the pipeline makes."""
    changed = {f"epi_correction.{name}": value for name, value in settings.items()}
    pipeline = with_settings(find("epi"), changed | {"reconstruct.method": method})
    (found,) = (item for item in replay(pipeline, header, items) if isinstance(item, ismrmrd.Image))
    assert found.data.dtype == np.uint16
    return found.data[0, 0].astype(float)


def image_of(path, **settings):
    with Dataset(path) as dataset:
        return image(dataset.items(), dataset.header, **settings)


def ghost_level(picture, truth):
    """Mean beside the object, where its ghost would be, over the mean of the object."""
    bright = truth > 0.2 * np.percentile(truth, 99)
    around = binary_dilation(binary_fill_holes(bright), iterations=4)
    beside = np.roll(around, len(truth) // 2, axis=0) & ~around
    assert beside.sum() > 0.1 * beside.size
    return picture[beside].mean() / picture[bright].mean()


def test_a_simulated_scan_without_real_data():
    """With noise of 1 per coil, the object is some 170 bright; the ghost is no brighter than without lag and phase."""
    clean = epi_scan(noise=1.0)
    scan = epi_scan(lags=[0.7], phases=[0.8], noise=1.0)
    truth = scan.image[0]
    found, left = (image(scan.lines, scan.header, phase_correction=value) for value in ("true", "false"))
    assert ghost_level(found, truth) < 1.1 * ghost_level(image(clean.lines, clean.header), truth)
    assert ghost_level(left, truth) > 5 * ghost_level(found, truth)


def error(found, truth):
    """Relative, inside the object, after the best factor."""
    inside = truth > 0.1 * truth.max()
    x, y = found[inside], truth[inside]
    return np.linalg.norm(x * (x @ y) / (x @ x) - y) / np.linalg.norm(y)


def test_half_of_the_lines_and_a_reference_with_its_own_navigators():
    """What folds without SENSE unfolds; the shot of the reference has a lag of its own."""
    size = {"samples": 96, "coils": 8, "noise": 1.0}
    lag = {"lags": [0.7], "phases": [0.8]}
    marks = [ismrmrd.ACQ_IS_PARALLEL_CALIBRATION]
    reference = epi_scan(64, lags=[-0.3], phases=[0.1], rows=range(20, 44), flags=marks, seed=1, **size).lines
    whole, half = (epi_scan(64, rows=rows, **lag, **size) for rows in (None, range(0, 64, 2)))
    truth = image([*reference, *whole.lines], whole.header, "cg_sense")
    header = epi_header(64, 8, acceleration=2, calibration="separate")
    unfolded, folded = image([*reference, *half.lines], header, "cg_sense"), image(half.lines, header)
    assert error(unfolded, truth) < error(folded, truth) / 10


def test_partial_fourier():
    """Half of what is missing, or more, is filled in; both directions cover the same points of k0."""
    scan = epi_scan(64, samples=96, coils=8, lags=[0.7], phases=[0.8], noise=1.0, rows=range(16, 64))
    filled, zeros = (image(scan.lines, scan.header, method) for method in ("pocs_partial_fourier", "rss"))
    assert error(filled, scan.image[0]) < error(zeros, scan.image[0]) / 2


@pytest.mark.data
@pytest.mark.parametrize("name", [FLAT, RAMP, FOUR_COILS])
def test_the_ghost_disappears(name, data_dir):
    """To below 3 % of the object, with 1 % of noise in it: a line of phase leaves some percent by common experience."""
    found, left = (image_of(data_dir / "mrd" / name, phase_correction=value) for value in ("true", "false"))
    level = ghost_level(found, found)
    assert level < 0.03
    assert level < ghost_level(left, found) / 10


@pytest.mark.data
def test_ramp_sampling_shows_the_phantom_as_the_flat_top_does(data_dir):
    """Their echo spacing differs, and with it what off resonance does along y. Projections onto x do not depend on it:
    they agree to noise and Gibbs ringing, and do not where samples are taken for uniform."""
    flat, ramp = (image_of(data_dir / "mrd" / name) for name in (FLAT, RAMP))
    with Dataset(data_dir / "mrd" / RAMP) as dataset:
        header, lines = dataset.header, acquisitions(list(dataset.items()))
    along = [line.traj[:, 0] for line in lines]
    uniform = [
        with_trajectory(line, np.linspace(at[0], at[-1], len(at))) for line, at in zip(lines, along, strict=True)
    ]
    wrong = image(uniform, header)
    profiles = [each.mean(axis=0) / each.mean() for each in (flat, ramp, wrong)]
    apart, without = (np.linalg.norm(each - profiles[0]) / np.linalg.norm(profiles[0]) for each in profiles[1:])
    assert apart < 0.02
    assert apart < without / 5
