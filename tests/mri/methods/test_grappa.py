"""GRAPPA fills the lines that regular undersampling leaves out."""

import pytest
import torch

from gadgets.mri.calibration.grappa import grappa_kernels
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import grappa
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.grappa import Grappa
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.brain import brain
from tests.support.lattices import lattice_mask


def sampled(data, step, first=0, lines=None):
    mask = torch.zeros(1, *data.shape[-3:], dtype=torch.bool)
    mask[:, :, first::step] = True
    if lines is not None:
        mask[:, :, lines] = True
    return KSpace(data=data * mask, mask=mask)


@pytest.fixture(scope="module")
def data():
    return torch.from_numpy(cartesian((64, 64, 1), coils=8))


# Most of the error is at the border of k-space, where the sharp phantom has energy but lines have no neighbours on one
# side: without the border, k-space is within 0.0013 and 0.009.
@pytest.mark.parametrize(("step", "limit"), [(2, 0.025), (3, 0.05)])
@pytest.mark.parametrize("first", [0, 1])
def test_a_noiseless_phantom_from_every_nth_line_and_24_calibration_lines(data, step, limit, first):
    method = Grappa(damping=1e-5)
    calibration = method.calibrate(sampled(data, 64, lines=slice(20, 44)))
    full = method(KSpace.from_data(data), calibration).numpy()
    image = method(sampled(data, step, first), calibration).numpy()
    assert nrmse(image, full) < limit
    folded = AdaptiveCombine()(sampled(data, step), AdaptiveCombine().calibrate(KSpace.from_data(data))).numpy()
    assert nrmse(folded, full, scaled=True) > 0.3


def test_calibration_lines_among_the_data_are_kept(data):
    kspace = sampled(data, 3, 1, lines=slice(20, 44))
    method = Grappa()
    calibration = method.calibrate(kspace)
    full = method(KSpace.from_data(data), calibration).numpy()
    with_lines, without = (method(one, calibration).numpy() for one in (kspace, sampled(data, 3, 1)))
    assert nrmse(with_lines, full) < 0.9 * nrmse(without, full)
    # With damping so large that nothing is made, what was acquired remains.
    nothing = Grappa(damping=1e12)(kspace, calibration)
    torch.testing.assert_close(nothing, SensitivityOp(calibration[8:]).H(ifft(kspace.data, (-3, -2, -1))))


def test_repetitions_may_be_sampled_differently_and_share_calibration_data(data):
    parts = [sampled(data, 2), sampled(data, 2, 1), sampled(data, 1)]
    kspace = KSpace(data=torch.stack([p.data for p in parts]), mask=torch.stack([p.mask for p in parts]))
    method = Grappa()
    calibration = method.calibrate(sampled(data, 64, lines=slice(20, 44)))
    together = method(kspace, calibration[None])
    for image, part in zip(together, parts, strict=True):
        torch.testing.assert_close(image, method(part, calibration), rtol=1e-4, atol=1e-5 * float(image.abs().max()))


def test_a_shifted_lattice_is_filled_where_the_rectangular_one_cannot_be():
    """The phantom's coils do not differ along z; a shift along y lets them tell planes apart (CAIPIRINHA)."""
    volume = torch.from_numpy(cartesian((24, 24, 16), coils=6))
    method = Grappa(damping=1e-5)
    whole = KSpace.from_data(volume)
    calibration = method.calibrate(whole)
    full = method(whole, calibration).numpy()
    rectangular, shifted = (
        nrmse(method(KSpace(data=volume * mask, mask=mask), calibration).numpy(), full)
        for mask in (lattice_mask((16, 24, 24), (2, 1)), lattice_mask((16, 24, 24), (2, 1), shift=1))
    )
    assert shifted < 0.25 * rectangular


@pytest.mark.parametrize(("snr", "gain"), [(30, 1.1), (3000, 0.99)])
def test_weights_are_chosen_by_the_noise_of_the_scan(data, snr, gain, monkeypatch):
    """Against the same damping in all of k-space, whatever the noise: better with much noise, as good with little."""
    generator = torch.Generator().manual_seed(0)
    scale = float(ifft(data, (-3, -2, -1)).norm(dim=0).max())
    noisy = data + scale / snr * torch.randn(data.shape, dtype=data.dtype, generator=generator)
    method = Grappa()
    kspace = sampled(noisy, 3, lines=slice(20, 44))
    calibration = method.calibrate(kspace)
    full = method(KSpace.from_data(data), calibration).numpy()
    chosen = nrmse(method(kspace, calibration).numpy(), full)
    monkeypatch.setattr(grappa, "grappa_kernels", lambda *given, matrix, **named: grappa_kernels(*given, **named))
    fixed = nrmse(method(kspace, calibration).numpy(), full)
    assert fixed > gain * chosen


def test_irregular_sampling_is_refused_with_the_reason(data):
    torch.manual_seed(0)
    method = Grappa()
    lines = torch.rand(64) < 0.4
    kspace = sampled(data, 64, lines=lines)
    with pytest.raises(ValueError, match="irregular sampling"):
        method(kspace, method.calibrate(KSpace.from_data(data)))


def test_maps_in_place_of_calibration_data_are_refused(data):
    csm = CgSense().calibrate(KSpace.from_data(data))
    with pytest.raises(ValueError, match="grappa calibrates on k-space, but was given sensitivity maps"):
        Grappa()(sampled(data, 2), csm)


def test_calibration_data_that_are_zero_are_refused(data):
    with pytest.raises(ValueError, match="the calibration data of grappa are zero"):
        Grappa()(sampled(data, 2), torch.zeros_like(torch.cat([data, data])))


@pytest.mark.data
# Gadgetron's images differ from its own of the full data by 0.116 and 0.118, measured in this way.
@pytest.mark.parametrize(("acceleration", "limit"), [(2, 0.032), (3, 0.047)])
def test_a_brain_from_undersampled_lines(data_dir, acceleration, limit):
    full, imaging, reference = brain(data_dir, acceleration)
    method = Grappa()
    calibration = method.calibrate(reference)
    expected = method(full, calibration).abs().numpy()[0]
    result = method(imaging, calibration).abs().numpy()[0]
    assert nrmse(result, expected, scaled=True) < limit
    assert nrmse(result, expected, support(expected), scaled=True) < 0.85 * limit
