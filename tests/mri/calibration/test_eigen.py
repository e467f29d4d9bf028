"""Leading eigenvectors, against a dense solve."""

import torch

from gadgets.mri.calibration.eigen import leading_vectors, principal_vectors


def matrices(spectrum, points=200, dtype=torch.complex128):
    """Hermitian (coil, coil, point) of these eigenvalues and of random eigenvectors, and the vectors."""
    torch.manual_seed(0)
    n = len(spectrum)
    vectors = torch.linalg.qr(torch.randn(points, n, n, dtype=torch.complex128)).Q
    values = torch.tensor(spectrum, dtype=torch.float64)
    return (vectors * values @ vectors.mH).movedim(0, -1).to(dtype), vectors.movedim(0, -1).to(dtype)


def angles(found, expected):
    """Sine of the angle between unit vectors (coil, point)."""
    return (found - expected * (expected.conj() * found).sum(dim=0)).norm(dim=0)


def test_three_leading_vectors_and_values():
    spectrum = [1.0, 0.9, 0.5, 0.2, 0.1, 0.0, 0.0, 0.0]
    given, expected = matrices(spectrum)
    vectors, values = leading_vectors(given, 40, 3)
    torch.testing.assert_close(values, torch.tensor(spectrum[:3]).double()[:, None].expand(3, 200), rtol=1e-6, atol=0)
    for index in range(3):
        assert angles(vectors[index], expected[:, index]).max() < 1e-3
    # Orthonormal, so that sets of maps are.
    gram = torch.einsum("sip,tip->stp", vectors.conj(), vectors)
    torch.testing.assert_close(gram, torch.eye(3, dtype=gram.dtype)[..., None].expand_as(gram), rtol=0, atol=1e-3)


def test_better_than_twice_as_many_steps_of_power_iteration():
    given, expected = matrices([1.0, *torch.linspace(0.9, 0, 15).tolist()])
    ours = angles(leading_vectors(given, 12)[0][0], expected[:, 0])
    power = angles(principal_vectors(given, 24)[0], expected[:, 0])
    assert ours.square().mean() < power.square().mean()
    assert ours.median() < power.median() / 10


def test_points_that_have_arrived_rest_in_single_precision():
    given, expected = matrices([1.0, 0.3, 0.2, 0.0], dtype=torch.complex64)
    vectors, values = leading_vectors(given, 200)
    assert angles(vectors[0], expected[:, 0]).max() < 1e-4
    torch.testing.assert_close(values[0], torch.ones(200), rtol=1e-5, atol=0)


def test_zero_and_one_channel():
    vectors, values = leading_vectors(torch.zeros(4, 4, 3, dtype=torch.complex64), 5, 2)
    assert not vectors.any() and not values.any()
    vectors, values = leading_vectors(torch.full((1, 1, 3), 0.5, dtype=torch.complex64), 5)
    torch.testing.assert_close(values, torch.full((1, 3), 0.5))
    torch.testing.assert_close(vectors.abs(), torch.ones(1, 1, 3))


def test_one_channel_next_to_nothing_has_vectors_of_unit_length():
    """Where there is no signal, rounding is as large as the matrix, and its imaginary part, which is none, too."""
    torch.manual_seed(0)
    matrices = 1e-7 * torch.randn(1, 1, 1000, dtype=torch.complex64)
    vectors, values = leading_vectors(matrices, 10)
    torch.testing.assert_close(vectors.abs(), torch.ones(1, 1, 1000))
    assert (values.abs() < 1e-6).all()
