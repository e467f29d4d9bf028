"""The base of all linear operators, and their algebra."""

from __future__ import annotations

from torch import Tensor


class LinearOperator:
    """A linear map of tensors, A. Subclasses give `forward` and `adjoint`, and `gram` where it is cheaper.

    `A(x)` is A x, `A.H` the adjoint operator, `A.gram` the operator A^H A, `A @ B` the composition, `A + B` the sum and
    `2 * A` a multiple (of a number or of a tensor of one element). Autograd works through all of them.
    """

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def adjoint(self, y: Tensor) -> Tensor:
        """A^H y."""
        raise NotImplementedError(f"{type(self).__name__}.adjoint")

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    @property
    def H(self) -> LinearOperator:  # noqa: N802 - as it is written
        """The adjoint operator."""
        return _Adjoint(self)

    @property
    def gram(self) -> LinearOperator:
        """A^H A."""
        return _Composition(self.H, self)

    def __matmul__(self, other: LinearOperator) -> LinearOperator:
        return _Composition(self, other)

    def __add__(self, other: LinearOperator) -> LinearOperator:
        return _Sum(self, other)

    def __mul__(self, factor: complex | Tensor) -> LinearOperator:
        return _Multiple(self, factor)

    __rmul__ = __mul__


class _Adjoint(LinearOperator):
    def __init__(self, operator: LinearOperator) -> None:
        self._operator = operator

    def forward(self, x: Tensor) -> Tensor:
        return self._operator.adjoint(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self._operator.forward(y)

    @property
    def H(self) -> LinearOperator:  # noqa: N802
        return self._operator


class _Composition(LinearOperator):
    """A B, whose gram is B^H (A^H A) B."""

    def __init__(self, outer: LinearOperator, inner: LinearOperator) -> None:
        self._outer, self._inner = outer, inner

    def forward(self, x: Tensor) -> Tensor:
        return self._outer(self._inner(x))

    def adjoint(self, y: Tensor) -> Tensor:
        return self._inner.adjoint(self._outer.adjoint(y))

    @property
    def gram(self) -> LinearOperator:
        return _Composition(self._inner.H, _Composition(self._outer.gram, self._inner))


class _Sum(LinearOperator):
    def __init__(self, first: LinearOperator, second: LinearOperator) -> None:
        self._first, self._second = first, second

    def forward(self, x: Tensor) -> Tensor:
        return self._first(x) + self._second(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self._first.adjoint(y) + self._second.adjoint(y)


class _Multiple(LinearOperator):
    def __init__(self, operator: LinearOperator, factor: complex | Tensor) -> None:
        self._operator, self._factor = operator, factor

    def forward(self, x: Tensor) -> Tensor:
        return self._factor * self._operator(x)

    def adjoint(self, y: Tensor) -> Tensor:
        factor = self._factor.conj() if isinstance(self._factor, Tensor) else complex(self._factor).conjugate()
        return factor * self._operator.adjoint(y)
