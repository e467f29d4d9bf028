"""The encoding of Cartesian k-space."""

import pytest
import torch

from gadgets.mri.fft import fft
from gadgets.mri.kspace import KSpace
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.solvers.power_iteration import power_iteration

LINES = (slice(None), slice(None), slice(0, None, 2), slice(None))
PLANES = (slice(None), slice(1, None, 2), slice(None), slice(None))
POINTS = (slice(None), slice(1, None, 2), slice(0, None, 3), slice(2, None))


def scan(undersampled, matrix=(3, 6, 5), sets=1):
    csm = torch.randn(2, sets * 4, *matrix, dtype=torch.complex128)
    mask = torch.zeros(2, 1, *matrix, dtype=torch.bool)
    mask[(slice(None), *undersampled)] = True
    return KSpace(data=torch.zeros_like(csm[:, :4]), mask=mask), csm


@pytest.mark.parametrize("undersampled", [(slice(None),) * 4, LINES, PLANES, POINTS])
def test_is_what_the_scanner_does_and_its_gram_is_its_own(undersampled):
    kspace, csm = scan(undersampled)
    x = torch.randn(2, 1, *kspace.matrix, dtype=torch.complex128)
    operator = encoding(kspace, csm)
    torch.testing.assert_close(operator(x), kspace.mask * fft(csm * x, (-3, -2, -1)))
    torch.testing.assert_close(operator.gram(x), operator.H(operator(x)))


@pytest.mark.parametrize("undersampled", [(slice(None),) * 4, LINES, PLANES, POINTS])
@pytest.mark.parametrize("sets", [1, 2])
@pytest.mark.parametrize("cache", [0, 2**13, 2**30])
def test_the_gram_is_the_same_however_many_coils_are_taken_at_a_time(monkeypatch, undersampled, sets, cache):
    monkeypatch.setattr("gadgets.mri.operators.encoding._CACHE", cache)
    kspace, csm = scan(undersampled, sets=sets)
    x = torch.randn(2, sets, *kspace.matrix, dtype=torch.complex128)
    operator = encoding(kspace, csm)
    torch.testing.assert_close(operator.gram(x), operator.H(operator(x)))


def test_the_coils_see_the_sum_over_the_sets():
    kspace, csm = scan(LINES, sets=2)
    x = torch.randn(2, 2, *kspace.matrix, dtype=torch.complex128)
    first, second = (encoding(kspace, maps)(image) for maps, image in zip(csm.split(4, 1), x.split(1, 1), strict=True))
    torch.testing.assert_close(encoding(kspace, csm)(x), first + second)


def test_maps_of_other_coils_or_matrix_are_refused():
    kspace, csm = scan(LINES)
    with pytest.raises(ValueError, match=r"csm has shape \(2, 3, 3, 6, 5\), k-space has shape \(2, 4, 3, 6, 5\)"):
        encoding(kspace, csm[:, :3])
    with pytest.raises(ValueError, match="matrix must be the same"):
        encoding(kspace, csm[..., :4])
    with pytest.raises(ValueError, match=r"csm has shape \(2, 6, 3, 6, 5\), k-space has shape \(2, 4, 3, 6, 5\)"):
        encoding(kspace, torch.cat([csm, csm[:, :2]], dim=1))
    with pytest.raises(ValueError, match=r"csm has shape \(2, 8, 3, 6, 5\)"):
        kspace.require_maps(torch.cat([csm, csm], dim=1))


def test_one_set_of_maps_serves_all_slices():
    kspace, csm = scan(LINES)
    x = torch.randn(2, 1, *kspace.matrix, dtype=torch.complex128)
    shared = encoding(kspace, csm[:1])(x)
    torch.testing.assert_close(shared, encoding(kspace, csm[:1].expand_as(csm))(x))


@pytest.mark.parametrize("sets", [1, 2, 3])
def test_the_bound_holds_for_each_volume(sets):
    kspace, csm = scan(PLANES, sets=sets)
    csm = csm * torch.tensor([0.0, 3.0]).reshape(2, 1, 1, 1, 1)
    operator = encoding(kspace, csm)
    assert operator.bound.shape == (2, 1, 1, 1, 1) and operator.bound[0] == 1
    start = torch.randn(2, sets, *kspace.matrix, dtype=torch.complex128)
    result = power_iteration(operator.gram, start, iterations=100, batch_dims=(0,))
    assert (result.eigenvalue <= operator.bound).all() and result.eigenvalue[1] > 0.1 * operator.bound[1]


@pytest.mark.parametrize("sets", [1, 3])
def test_the_bound_is_reached_by_orthogonal_sets_where_all_is_sampled(sets):
    kspace, csm = scan((slice(None),) * 4)
    vectors = torch.linalg.qr(csm[0].movedim(0, -1)[..., None] + torch.randn(4, 4)).Q[..., :sets]
    maps = vectors.movedim((-1, -2), (0, 1)) * torch.tensor([1, 0.7, 0.3])[:sets].reshape(-1, 1, 1, 1, 1)
    operator = encoding(kspace, maps.flatten(0, 1)[None])
    start = torch.randn(2, sets, *kspace.matrix, dtype=torch.complex128)
    result = power_iteration(operator.gram, start, iterations=100, batch_dims=(0,))
    torch.testing.assert_close(result.eigenvalue, operator.bound.expand(2, 1, 1, 1, 1), rtol=1e-6, atol=0)
