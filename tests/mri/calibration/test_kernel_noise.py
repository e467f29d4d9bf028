"""The noise of sources is found in them, and weighs as much as it does in all of k-space."""

import torch

from gadgets.mri.calibration.kernel_noise import noise_beyond, source_noise


def test_noise_is_found_from_below_and_near():
    # 10 places of the outer half for each source: eigenvalues of noise alone would lie between (1 -+ sqrt(1 / 10))^2 of
    # its variance (Marchenko and Pastur) if places were independent. Neighbours share samples, which spreads them.
    generator = torch.Generator().manual_seed(0)
    block = 3 * torch.randn(4, 1, 24, 84, dtype=torch.complex64, generator=generator)
    signal = torch.randn(4, 1, 1, 1, dtype=torch.complex64, generator=generator) * 100
    for data in (block, block + signal):
        sources = data[:, 0].unfold(1, 4, 1).unfold(2, 5, 1).permute(0, 3, 4, 1, 2).flatten(0, 2)
        assert 0.3 < float(source_noise(sources)) / 9 < 1
    # Fewer places than sources tell nothing.
    assert float(source_noise(sources[:, :1, :40])) < 1e-5


def test_what_is_beyond_the_block_counts_and_no_more():
    generator = torch.Generator().manual_seed(0)
    sources = torch.randn(20, 10, 80, dtype=torch.complex64, generator=generator)
    none, once, thrice = (noise_beyond(sources, (1, 16, 84), (1, n, 84)) for n in (8, 32, 64))
    assert none == 0
    torch.testing.assert_close(thrice, 3 * once)
    torch.testing.assert_close(once, 800 * source_noise(sources))
