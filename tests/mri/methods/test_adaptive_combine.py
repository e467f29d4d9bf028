"""The adaptive combination is nearly the best that can be done with the true maps."""

import numpy as np
import torch

from gadgets.mri.fft import ifft
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.methods.rss import Rss
from gadgets.mri.phantom.scan import cartesian, coil_maps, truth
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support


def test_less_noise_than_sum_of_squares_where_there_is_no_signal_and_as_little_as_true_maps_where_there_is():
    data = torch.from_numpy(cartesian((64, 64, 1), coils=12))
    torch.manual_seed(0)
    noisy = KSpace.from_data(data + 0.05 * torch.randn_like(data))
    clean = KSpace.from_data(data)
    method = AdaptiveCombine()
    csm = method.calibrate(noisy)
    error = np.abs((method(noisy, csm) - method(clean, csm)).numpy())
    maps = torch.from_numpy(coil_maps((64, 64, 1), coils=12))
    maps = maps / maps.norm(dim=0)
    best = np.abs((maps.conj() * ifft(noisy.data - clean.data, (-3, -2, -1))).sum(dim=0).numpy())
    inside = support(truth((64, 64, 1)))
    assert error[0][inside].std() < 1.05 * best[inside].std()
    image, rss = (np.abs(x.numpy()[0]) for x in (method(noisy, csm), Rss()(noisy)))
    assert image[:, :, :6].mean() < 0.8 * rss[:, :, :6].mean()
    assert nrmse(image, Rss()(clean).numpy()[0].real, inside) < nrmse(rss, Rss()(clean).numpy()[0].real, inside)
