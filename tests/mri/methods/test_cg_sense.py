"""CG-SENSE unfolds what the coils can tell apart."""

import numpy as np
import pytest
import torch

from gadgets.mri.calibration.noise import NoiseCovariance, noise_scale, whitening
from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.methods.cg_sense import CgSense
from gadgets.mri.methods.gridding import Gridding
from gadgets.mri.phantom.scan import cartesian, coil_maps, truth
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.radial_scan import radial_scan, trajectory
from tests.support.sampled_phantom import folded


def every(n, step, like):
    mask = torch.zeros(1, *like.shape[-3:], dtype=torch.bool)
    mask[:, :, n % step :: step] = True
    return KSpace(data=like * mask, mask=mask)


@pytest.mark.parametrize("acceleration", [1, 2, 3])
def test_exact_with_true_maps(acceleration):
    maps = torch.from_numpy(coil_maps((48, 48, 1), coils=8))
    csm = maps / maps.norm(dim=0)
    image = torch.from_numpy(truth((48, 48, 1)))[None]
    kspace = every(0, acceleration, fft(csm * image, (-3, -2, -1)))
    # Small damping, and iterations enough: what remains is single precision.
    result = CgSense(iterations=200, damping=0, tolerance=1e-6)(kspace, csm)
    assert nrmse(result.numpy(), image.numpy()) < 1e-3


def test_calibration_lines_suffice():
    data = torch.from_numpy(cartesian((64, 64, 1), coils=8))
    lines = torch.zeros(1, 1, 64, 64, dtype=torch.bool)
    lines[:, :, 20:44] = True
    method = CgSense()
    csm = method.calibrate(KSpace(data=data * lines, mask=lines))
    result = method(every(0, 2, data), csm)
    full = method(KSpace.from_data(data), csm)
    inside = support(full.numpy())
    # The true maps reach 0.034, as they act before the cut of k-space and the model has them act after it.
    assert nrmse(result.numpy(), full.numpy(), inside) < 0.04
    folded = AdaptiveCombine()(every(0, 2, data), csm)
    assert nrmse(folded.numpy(), full.numpy(), inside, scaled=True) > 0.3


def test_half_of_the_spokes():
    full = radial_scan(trajectory(spokes=80, size=48), 48, coils=8, smooth=False)
    half = radial_scan(trajectory(spokes=40, size=48), 48, coils=8, smooth=False)
    expected = CgSense()(full, CgSense().calibrate(full)).abs().numpy()
    found, gridded = (
        nrmse(method(half, method.calibrate(half)).abs().numpy(), expected, support(expected))
        for method in (CgSense(), Gridding())
    )
    # Coils fill the gaps between spokes; without them the same samples streak.
    assert found < 0.02
    assert found < 0.5 * gridded


def test_damping_shrinks():
    kspace = KSpace.from_data(torch.from_numpy(cartesian((32, 32, 1), coils=4)))
    csm = CgSense().calibrate(kspace)
    plain, damped = (CgSense(damping=damping, tolerance=0)(kspace, csm) for damping in (0.0, 1.0))
    torch.testing.assert_close(2 * damped, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.data
# A plain CG-SENSE with maps from these lines reaches 0.038 and 0.062.
@pytest.mark.parametrize(("acceleration", "limit"), [(2, 0.038), (3, 0.062)])
@pytest.mark.parametrize("white", [False, True])
def test_a_brain_from_undersampled_lines(data_dir, acceleration, limit, white):
    h5py = pytest.importorskip("h5py")
    folder = data_dir / "mrd"

    def read(name):
        with h5py.File(folder / name) as file:
            lines = file["dataset/data"][:]
        for line in lines:
            head = line["head"]
            samples = line["data"].view(np.complex64).reshape(int(head["active_channels"]), -1)
            yield int(head["flags"]), int(head["idx"]["kspace_encode_step_1"]), samples

    full, imaging, reference = (np.zeros((16, 1, 128, 128), np.complex64) for _ in range(3))
    covariance = NoiseCovariance(16)
    for _, line, samples in read("brain_gre_3T_16ch_full.h5"):
        full[:, 0, line] = samples
    for flags, line, samples in read(f"brain_gre_3T_16ch_retroR{acceleration}_acs24_noise.h5"):
        if flags >> 18 & 1:
            covariance.add(samples)
            continue
        calibration, both = flags >> 19 & 1, flags >> 20 & 1
        if calibration or both:
            reference[:, 0, line] = samples
        if not calibration:
            imaging[:, 0, line] = samples
    # Whitening weighs the coils anew and so changes the shading (by 11 % here): like is compared with like.
    weights = whitening(covariance.matrix()) * noise_scale(20.0, 20.0, 1.0) if white else np.eye(16)
    full, imaging, reference = (
        KSpace.from_data(torch.from_numpy(np.einsum("ab,bzyx->azyx", weights, x).astype(np.complex64)))
        for x in (full, imaging, reference)
    )
    combine, method = AdaptiveCombine(), CgSense()
    expected = combine(full, combine.calibrate(full)).abs().numpy()[0]
    result = method(imaging, method.calibrate(reference)).abs().numpy()[0]
    assert nrmse(result, expected, support(expected), scaled=True) < limit


def test_two_sets_of_maps_serve_where_the_object_folds_onto_itself():
    data, expected = folded()
    mask = torch.zeros(1, 1, *data.shape[-2:], dtype=torch.bool)
    mask[:, :, ::2] = mask[:, :, 20:44] = True
    kspace = KSpace(data=data * mask, mask=mask)
    one, two = (method(kspace, method.calibrate(kspace)) for method in (CgSense(sets=1), CgSense(sets=2)))
    assert two.shape == expected.shape
    assert nrmse(two.abs().numpy(), expected.numpy()) < 0.5 * nrmse(one.abs().numpy(), expected.numpy())
    with pytest.raises(ValueError, match="csm holds 2 sets of maps, CgSense.sets is 1"):
        CgSense()(kspace, CgSense(sets=2).calibrate(kspace))
    with pytest.raises(ValueError, match="CgSense.sets is 0"):
        CgSense(sets=0)
