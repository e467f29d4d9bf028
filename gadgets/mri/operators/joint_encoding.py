"""How the scanner sees an image through coils of which neither is known."""

from __future__ import annotations

from torch import Tensor, cat

from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.operators.nonlinear_operator import NonlinearOperator
from gadgets.mri.operators.smooth_maps import SmoothMapsOp


class JointEncodingOp(NonlinearOperator):
    """F(m, a) = A (m * W a): image and coefficients of maps to samples.

    x (*other, n) holds an image m (*other, 1, z, y, x) and coefficients a (*other, coil, f2, f1, f0) of smooth maps,
    one after the other, as `pack` puts them and `unpack` takes them. `acquisition`: A, from coil images
    (*other, coil, z, y, x). Its derivative at (m, a) is A (W a * dm + m * W da).

    Uecker et al., MRM 2008;60:674. doi:10.1002/mrm.21691
    """

    def __init__(
        self, acquisition: LinearOperator, maps: SmoothMapsOp, *, n_coils: int, matrix: tuple[int, int, int]
    ) -> None:
        self._acquisition, self._maps = acquisition, maps
        self._image, self._coefficients = (1, *matrix), (n_coils, *maps.coefficients)

    def pack(self, image: Tensor, coefficients: Tensor) -> Tensor:
        """x (*other, n) of both."""
        return cat([image.flatten(-4), coefficients.flatten(-4)], dim=-1)

    def unpack(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The image and the coefficients."""
        points = self._image[1] * self._image[2] * self._image[3]
        image, rest = x[..., :points], x[..., points:]
        return image.unflatten(-1, self._image), rest.unflatten(-1, self._coefficients)

    def forward(self, x: Tensor) -> Tensor:
        """The samples."""
        image, coefficients = self.unpack(x)
        return self._acquisition(image * self._maps(coefficients))

    def derivative(self, x: Tensor) -> LinearOperator:
        """A (W a * dm + m * W da), linear in (dm, da)."""
        image, coefficients = self.unpack(x)
        return self._acquisition @ _Product(self, image, self._maps, self._maps(coefficients))


class _Product(LinearOperator):
    """The derivative of coil images m * c."""

    def __init__(self, joint: JointEncodingOp, image: Tensor, maps: SmoothMapsOp, csm: Tensor) -> None:
        self._joint, self._image, self._maps, self._csm = joint, image, maps, csm

    def forward(self, x: Tensor) -> Tensor:
        image, coefficients = self._joint.unpack(x)
        return self._csm * image + self._image * self._maps(coefficients)

    def adjoint(self, y: Tensor) -> Tensor:
        image = (self._csm.conj() * y).sum(dim=-4, keepdim=True)
        return self._joint.pack(image, self._maps.adjoint(self._image.conj() * y))
