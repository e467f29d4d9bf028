import pytest
import torch

from gadgets.mri.field_of_view import centred, interpolated


@pytest.mark.parametrize("before", [7, 8])
@pytest.mark.parametrize("after", [4, 5, 7, 8, 11, 12])
def test_the_centre_stays_the_centre(before, after):
    x = torch.zeros(2, before, 6)
    x[:, before // 2, 3] = 1
    y = centred(x, (after, 6))
    assert y.shape == (2, after, 6)
    assert (y.nonzero()[:, 1:] == torch.tensor([after // 2, 3])).all()


def test_cropping_undoes_padding():
    x = torch.randn(3, 7, 8)
    torch.testing.assert_close(centred(centred(x, (3, 12, 9)), (3, 7, 8)), x)


@pytest.mark.parametrize("matrix", [(1, 12, 9), (1, 6, 5), (3, 8, 7)])
def test_intensities_are_kept(matrix):
    constant = torch.full((2, 1, 8, 7), 3.0 + 4.0j)
    torch.testing.assert_close(interpolated(constant, matrix), torch.full((2, *matrix), 3.0 + 4.0j))


def test_a_finer_matrix_passes_through_the_same_points():
    image = torch.randn(1, 8, 8, dtype=torch.complex64)
    # With even lengths, every second point of the doubled matrix is a point of the first.
    torch.testing.assert_close(interpolated(image, (16, 16))[:, ::2, ::2], image, atol=1e-5, rtol=0)
