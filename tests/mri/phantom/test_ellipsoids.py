"""Closed-form transforms against numerical integrals."""

import numpy as np
import pytest

from gadgets.mri.phantom.ellipsoids import Ellipsoid, cut, shepp_logan, transform_2d, transform_3d

BODY = Ellipsoid(intensity=1.5, centre=(0.05, -0.1, 0.08), semi_axes=(0.3, 0.15, 0.25), angle=0.6)
K = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2.5, -1.5, 1], [1e-9, 0, 0], [4, 3, -2]], float)


def inside(body, x, y, z):
    cos, sin = np.cos(body.angle), np.sin(body.angle)
    u, v, w = (place - centre for place, centre in zip((x, y, z), body.centre, strict=True))
    along, across = u * cos + v * sin, v * cos - u * sin
    a, b, c = body.semi_axes
    return (along / a) ** 2 + (across / b) ** 2 + (w / c) ** 2 <= 1


def integral(body, k, n, planes):
    x = (np.arange(n) + 0.5) / n - 0.5
    z = x if planes is None else np.array([planes])
    grid = np.meshgrid(x, x, z, indexing="ij")
    points = np.stack([axis[inside(body, *grid)] for axis in grid])
    step = 1 / n ** (3 if planes is None else 2)
    k = k if planes is None else k * [1, 1, 0]
    return body.intensity * step * np.exp(-2j * np.pi * k @ points).sum(axis=1)


def test_a_body():
    np.testing.assert_allclose(transform_3d(BODY, *K.T), integral(BODY, K, 120, None), atol=2e-4)


@pytest.mark.parametrize("z", [0.08, 0.2])
def test_its_cut(z):
    np.testing.assert_allclose(transform_2d(cut(BODY, z), *K.T[:2]), integral(BODY, K, 600, z), atol=2e-4)


def test_no_cut_beside_the_body():
    assert cut(BODY, 0.4) is None


def test_the_middle_of_the_series_meets_its_ends():
    near = np.array([0.0099, 0.0101]) / (2 * np.pi * 0.3)
    sphere = Ellipsoid(intensity=1, centre=(0, 0, 0), semi_axes=(0.3, 0.3, 0.3))
    values = transform_3d(sphere, near, np.zeros(2), np.zeros(2))
    assert abs(values[1] - values[0]) < 1e-6 * abs(values[0]) * 10


def test_the_head_lies_in_the_field_of_view_and_is_nowhere_negative():
    head = shepp_logan()
    assert max(head[0].semi_axes) < 0.5
    rng = np.random.default_rng(0)
    points = rng.uniform(-0.5, 0.5, (3, 20000))
    level = sum(body.intensity * inside(body, *points) for body in head)
    assert level.min() > -1e-12
    assert level.max() == pytest.approx(1)
