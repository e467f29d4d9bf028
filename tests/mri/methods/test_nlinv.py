"""NLINV finds image and sensitivities without a region of calibration."""

import pytest
import torch

from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.nlinv import Nlinv
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.brain import brain
from tests.support.sampled_phantom import phantom_scan, random_sampling


def regular(data, acceleration, central):
    """Every so many lines of k1, and so many central ones."""
    n = data.shape[-2]
    lines = torch.arange(n) % acceleration == 0
    lines[n // 2 - central // 2 : n // 2 + (central + 1) // 2] = True
    mask = lines[:, None].expand(1, 1, n, data.shape[-1])
    return KSpace(data=data * mask, mask=mask)


def error(image, full):
    energy = torch.linalg.vector_norm(ifft(full, (-3, -2, -1)), dim=-4, keepdim=True).numpy()
    return nrmse(image.abs().numpy(), energy, support(energy), scaled=True)


def self_calibrated(kspace):
    method = CgSense()
    return method(kspace, method.calibrate(kspace))


@pytest.mark.parametrize("acceleration", [2, 3])
def test_few_central_lines_serve_better_than_maps_from_them(acceleration):
    full = torch.from_numpy(cartesian((96, 96, 1), coils=8))
    # With 8 lines, maps from them cost about twice as much as NLINV does.
    kspace = regular(full, acceleration, 6)
    assert error(Nlinv()(kspace), full) < 0.5 * error(self_calibrated(kspace), full)


def test_random_samples_serve_without_any_region():
    kspace, csm, image = phantom_scan(64, random_sampling(64, 2.5, centre=1))
    known = CgSense()(kspace, csm)
    # What is not known of the maps costs less than half of what undersampling and noise do.
    assert nrmse(Nlinv()(kspace).abs().numpy(), image.abs().numpy()) < 1.5 * nrmse(known.abs().numpy(), image.numpy())


def test_a_volume_with_few_central_lines():
    full = torch.from_numpy(cartesian((24, 24, 16), coils=6))
    n2, n1 = full.shape[-3:-1]
    k2, k1 = torch.arange(n2)[:, None], torch.arange(n1)
    mask = ((k1 + k2) % 2 == 0) | (((k2 - n2 // 2).abs() < 3) & ((k1 - n1 // 2).abs() < 3))
    kspace = KSpace(data=full * mask[..., None], mask=mask[None, :, :, None].expand(1, n2, n1, 24))
    assert error(Nlinv()(kspace), full) < 0.8 * error(self_calibrated(kspace), full)


def test_every_so_many_lines_alone_are_refused():
    data = torch.from_numpy(cartesian((32, 32, 1), coils=4))
    mask = torch.ones(2, 1, 1, 32, 32, dtype=torch.bool)
    mask[1, :, :, torch.arange(32) % 3 != 1] = False
    with pytest.raises(ValueError, match="along k1, only one point of every 3 was sampled"):
        Nlinv()(KSpace(data=data * mask, mask=mask))
    with pytest.raises(ValueError, match="along k2, only one point of every 3 was sampled"):
        Nlinv()(KSpace(data=(data * mask).swapaxes(-3, -2), mask=mask.swapaxes(-3, -2)))


def test_settings_out_of_range_are_refused():
    kspace = regular(torch.ones(2, 1, 16, 16, dtype=torch.complex64), 2, 4)
    with pytest.raises(ValueError, match="smoothness is 0"):
        Nlinv(smoothness=0)(kspace)
    with pytest.raises(ValueError, match="reduction is 2"):
        Nlinv(reduction=2)(kspace)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(("central", "share"), [(3, 1.0), (7, 1.1)])
def test_a_brain_with_few_central_lines(data_dir, central, share):
    """Better than maps from three lines, and level with those from seven."""
    full, imaging, reference = brain(data_dir, 3)
    mask = imaging.mask.clone()
    first = 64 - central // 2
    mask[:, :, first : first + central] = True
    data = torch.where(imaging.mask, imaging.data, reference.data)
    kspace = KSpace(data=data * mask, mask=mask)
    assert error(Nlinv(iterations=10)(kspace), full.data) < share * error(self_calibrated(kspace), full.data)
