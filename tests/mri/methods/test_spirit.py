"""SPIRiT finds the missing samples that agree with their neighbours, however sampling is done."""

import pytest
import torch

from gadgets.mri.calibration.spirit import spirit_kernels
from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import spirit
from gadgets.mri.methods.spirit import Spirit
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.brain import brain


@pytest.fixture(scope="module")
def data():
    return torch.from_numpy(cartesian((64, 64, 1), coils=8))


def sampled(data, kind):
    mask = torch.zeros(1, *data.shape[-3:], dtype=torch.bool)
    mask[:, :, 20:44] = True
    if kind == "regular":
        mask[:, :, ::2] = True
    elif kind == "random lines":
        torch.manual_seed(0)
        mask[:, :, torch.rand(64) < 0.5] = True
    elif kind == "random points":
        torch.manual_seed(0)
        mask |= torch.rand(mask.shape) < 0.3
    return KSpace(data=data * mask, mask=mask)


# Without the missing samples the errors are 0.21 to 0.27. What remains is at the border of k-space, where the sharp
# phantom has energy and neighbours are missing.
@pytest.mark.parametrize(("kind", "limit"), [("regular", 0.03), ("random lines", 0.07), ("random points", 0.055)])
def test_a_noiseless_phantom_sampled_in_any_way(data, kind, limit):
    method = Spirit(damping=1e-3)
    kspace = sampled(data, kind)
    calibration = method.calibrate(sampled(data, "calibration lines"))
    full = method(KSpace.from_data(data), calibration)
    image = method(kspace, calibration)
    assert nrmse(image.numpy(), full.numpy()) < limit
    zero_filled = Spirit(damping=1e-3, iterations=0)(kspace, calibration)
    assert 3 * nrmse(image.numpy(), full.numpy()) < nrmse(zero_filled.numpy(), full.numpy())


@pytest.mark.parametrize(("snr", "gain"), [(30, 1.03), (3000, 0.99)])
def test_kernels_are_chosen_by_the_noise_of_the_scan(data, snr, gain, monkeypatch):
    """Against the same damping whatever the noise: better with much noise, as good with little."""
    generator = torch.Generator().manual_seed(0)
    scale = float(ifft(data, (-3, -2, -1)).norm(dim=0).max())
    noisy = data + scale / snr * torch.randn(data.shape, dtype=data.dtype, generator=generator)
    method = Spirit()
    kspace = sampled(noisy, "regular")
    calibration = method.calibrate(kspace)
    full = method(KSpace.from_data(data), calibration).numpy()
    chosen = nrmse(method(kspace, calibration).numpy(), full)
    monkeypatch.setattr(spirit, "spirit_kernels", lambda *given, matrix, **named: spirit_kernels(*given, **named))
    assert nrmse(method(kspace, calibration).numpy(), full) > gain * chosen


def test_what_was_acquired_is_kept(data):
    kspace = sampled(data, "random lines")
    method = Spirit()
    calibration = method.calibrate(kspace)
    added = method._missing(kspace, ifft(kspace.data, (-3, -2, -1)), calibration[:8, :, 20:44])
    there = torch.fft.fftshift(torch.fft.fftn(torch.fft.ifftshift(added, (-2, -1)), dim=(-2, -1)), (-2, -1))
    assert float((kspace.mask * there).abs().max()) < 1e-4 * float(there.abs().max())


def test_repetitions_share_calibration_data(data):
    parts = [sampled(data, kind) for kind in ("regular", "random lines")]
    kspace = KSpace(data=torch.stack([p.data for p in parts]), mask=torch.stack([p.mask for p in parts]))
    method = Spirit()
    calibration = method.calibrate(parts[0])
    together = method(kspace, calibration[None])
    for image, part in zip(together, parts, strict=True):
        torch.testing.assert_close(image, method(part, calibration), rtol=1e-3, atol=1e-4 * float(image.abs().max()))


def test_maps_in_place_of_calibration_data_are_refused(data):
    with pytest.raises(ValueError, match="spirit calibrates on k-space, but was given sensitivity maps"):
        Spirit()(sampled(data, "regular"), torch.full_like(data, 8**-0.5))


@pytest.mark.data
# GRAPPA reaches 0.030 and 0.043.
@pytest.mark.parametrize(("acceleration", "limit"), [(2, 0.032), (3, 0.047)])
def test_a_brain_from_undersampled_lines(data_dir, acceleration, limit):
    full, imaging, reference = brain(data_dir, acceleration)
    method = Spirit()
    calibration = method.calibrate(reference)
    expected = method(full, calibration).abs().numpy()[0]
    result = method(imaging, calibration).abs().numpy()[0]
    assert nrmse(result, expected, scaled=True) < limit
    assert nrmse(result, expected, support(expected), scaled=True) < 0.85 * limit
