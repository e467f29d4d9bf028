"""An implicit representation: its bandwidth is the detail that it learns, and on spokes it is as good as on a grid."""

from dataclasses import replace

from gadgets.mri.methods.inr import Inr
from gadgets.mri.quality.errors import nrmse, psnr
from tests.support.heads import scan
from tests.support.radial_scan import coil_images, radial_scan, trajectory

FEW = Inr(iterations=150, rate=5e-3, width=64, held_out=0.0)


def test_details_need_fourier_features():
    """Networks of places learn slow waves only (Tancik 2020): with features of low frequency, edges do not come."""
    kspace, csm, truth = scan(0, noise=0.0, size=32, acceleration=1)
    errors = [
        nrmse(replace(FEW, bandwidth=bandwidth)(kspace, csm).numpy(), truth.numpy()) for bandwidth in (0.25, 0.02)
    ]
    assert errors[0] < 0.5 * errors[1]


def test_what_is_kept_has_less_noise_than_the_last_iterate():
    kspace, csm, truth = scan(0, noise=0.08, size=32, acceleration=2)
    kept, last = (replace(FEW, held_out=share, rate=2e-3)(kspace, csm) for share in (0.1, 0.0))
    assert psnr(kept.abs().numpy(), truth.abs().numpy()) > psnr(last.abs().numpy(), truth.abs().numpy()) + 1


def test_spokes():
    kspace = radial_scan(trajectory(spokes=16, size=32), 32)
    coils = coil_images(32)
    truth = coils.norm(dim=-4, keepdim=True)
    csm = coils / truth
    image = replace(FEW, iterations=100)(kspace, csm)
    # A quarter of the spokes that would be full sampling.
    assert nrmse(image.abs().numpy(), truth.numpy()) < 0.2
