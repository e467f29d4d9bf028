"""What is true of every operator."""

import inspect
from importlib import import_module
from pathlib import Path

import pytest
import torch

import gadgets.mri.operators
from gadgets.mri.fft import fft
from gadgets.mri.operators.coil_mixing import CoilMixingOp
from gadgets.mri.operators.encoding import EncodingOp
from gadgets.mri.operators.finite_difference import FiniteDifferenceOp
from gadgets.mri.operators.fourier import FourierOp
from gadgets.mri.operators.hankel import HankelOp
from gadgets.mri.operators.identity import IdentityOp
from gadgets.mri.operators.joint_encoding import JointEncodingOp
from gadgets.mri.operators.linear_operator import LinearOperator
from gadgets.mri.operators.non_uniform_encoding import NonUniformEncodingOp
from gadgets.mri.operators.non_uniform_fourier import NonUniformFourierOp
from gadgets.mri.operators.nonlinear_operator import NonlinearOperator
from gadgets.mri.operators.sampling import SamplingOp
from gadgets.mri.operators.sensitivity import SensitivityOp
from gadgets.mri.operators.smooth_maps import SmoothMapsOp
from gadgets.mri.operators.subspace import SubspaceOp
from gadgets.mri.operators.toeplitz import ToeplitzOp
from gadgets.mri.operators.wavelet import WaveletOp

MATRIX = (3, 4, 5)
IMAGE, COILS = (2, 1, *MATRIX), (2, 3, *MATRIX)
SETS = (2, 2, *MATRIX)

SAMPLES = (2, 3, 2, 5, 4)


def csm(sets=1):
    return torch.randn(2, sets * 3, *MATRIX, dtype=torch.complex128)


def mask():
    return torch.rand(2, 1, *MATRIX) > 0.5


def places(*other):
    """A trajectory of 2 x 5 x 4 samples."""
    return (torch.rand(*other, 3, 2, 5, 4, dtype=torch.float64) - 0.5) * torch.tensor(MATRIX)[:, None, None, None]


def plane():
    return torch.tensor([0.0, 1.0, 1.0], dtype=torch.float64)[:, None, None, None]


def spread():
    """A point spread function: the energy of some numbers in space has a transform that is Hermitian."""
    double = [2 * length for length in MATRIX]
    return fft(torch.rand(2, 1, *double, dtype=torch.float64).to(torch.complex128), (-3, -2, -1))


def smooth_maps():
    return SmoothMapsOp(MATRIX, 10.0, torch.zeros(1, dtype=torch.complex128))


def joint():
    return JointEncodingOp(SamplingOp(mask()) @ FourierOp(), smooth_maps(), n_coils=3, matrix=MATRIX)


# Image and coefficients: 3 x 3 x 5 of each of 3 coils.
JOINT = (2, 60 + 3 * 45)


# Each operator with the shapes of its domain and range.
EXAMPLES = {
    CoilMixingOp: (lambda: CoilMixingOp(torch.randn(2, 3, 3, *MATRIX, dtype=torch.complex128)), COILS, COILS),
    EncodingOp: (lambda: EncodingOp(csm(), mask()), IMAGE, COILS),
    FiniteDifferenceOp: (lambda: FiniteDifferenceOp((-5, -3, -1)), IMAGE, (3, *IMAGE)),
    FourierOp: (FourierOp, COILS, COILS),
    HankelOp: (lambda: HankelOp(MATRIX, (2, 3, 3)), COILS, (2, 2 * 2 * 3, 3 * 2 * 3 * 3)),
    IdentityOp: (IdentityOp, IMAGE, IMAGE),
    NonUniformEncodingOp: (
        lambda: NonUniformEncodingOp(csm(), torch.rand(2, 1, 2, 5, 1) > 0.5, places(1)),
        IMAGE,
        SAMPLES,
    ),
    NonUniformFourierOp: (lambda: NonUniformFourierOp(places(2), MATRIX), COILS, SAMPLES),
    SamplingOp: (lambda: SamplingOp(mask()), COILS, COILS),
    SensitivityOp: (lambda: SensitivityOp(csm()), IMAGE, COILS),
    SmoothMapsOp: (smooth_maps, (2, 3, 3, 3, 5), COILS),
    SubspaceOp: (lambda: SubspaceOp(torch.randn(7, 2, dtype=torch.complex128)), COILS, (7, *COILS[1:])),
    ToeplitzOp: (lambda: ToeplitzOp(spread(), MATRIX), COILS, COILS),
    WaveletOp: (lambda: WaveletOp(levels=2, shift=(1, -2, 3)), IMAGE, IMAGE),
}
VARIANTS = {
    "periodic differences": (lambda: FiniteDifferenceOp((-2, -1), periodic=True), IMAGE, (2, *IMAGE)),
    "a kernel larger than its places": (lambda: HankelOp(MATRIX, MATRIX), COILS, (2, 1, 3 * 60)),
    "real subspace": (lambda: SubspaceOp(torch.randn(4, 2, dtype=torch.float64)), COILS, (4, *COILS[1:])),
    "a subspace for each slice": (
        lambda: SubspaceOp(torch.randn(3, 7, 2, dtype=torch.complex128)),
        (3, *COILS),
        (3, 7, *COILS[1:]),
    ),
    "two sets of maps": (lambda: SensitivityOp(csm(2), 2), SETS, COILS),
    "encoding with two sets": (lambda: EncodingOp(csm(2), mask(), 2), SETS, COILS),
    "one trajectory for all": (lambda: NonUniformFourierOp(places(), MATRIX), COILS, SAMPLES),
    "one plane": (lambda: NonUniformFourierOp(places() * plane(), (1, 4, 5)), (2, 3, 1, 4, 5), SAMPLES),
    "weighted convolution": (
        lambda: NonUniformFourierOp(places(2), MATRIX).weighted_gram(torch.rand(5, 4, dtype=torch.float64)),
        COILS,
        COILS,
    ),
    "two sets along a trajectory": (
        lambda: NonUniformEncodingOp(csm(2), torch.rand(2, 1, 2, 5, 4) > 0.5, places(2), 2),
        SETS,
        SAMPLES,
    ),
    "haar": (lambda: WaveletOp((-3, -1), wavelet="haar"), COILS, COILS),
}
ALGEBRA = {
    "derivative": (lambda: joint().derivative(torch.randn(JOINT, dtype=torch.complex128)), JOINT, COILS),
    "adjoint": (lambda: SensitivityOp(csm()).H, COILS, IMAGE),
    "composition": (lambda: SamplingOp(mask()) @ FourierOp() @ SensitivityOp(csm()), IMAGE, COILS),
    "sum": (lambda: SensitivityOp(csm()) + SensitivityOp(csm()), IMAGE, COILS),
    "multiple": (lambda: (2 - 1j) * SensitivityOp(csm()), IMAGE, COILS),
    "tensor multiple": (lambda: SensitivityOp(csm()) * torch.tensor(2 + 1j), IMAGE, COILS),
    "damped": (lambda: EncodingOp(csm(), mask()).gram + 0.1 * IdentityOp(), IMAGE, IMAGE),
}
CASES = {cls.__name__: case for cls, case in EXAMPLES.items()} | VARIANTS | ALGEBRA


# Each operator that is not linear with the shape of its domain.
NONLINEAR = {JointEncodingOp: (joint, JOINT)}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    torch.manual_seed(0)
    make, domain, codomain = request.param
    x, y = (torch.randn(shape, dtype=torch.complex128) for shape in (domain, codomain))
    return make(), x, y


def operators_on_disk(base):
    found = set()
    for file in Path(next(iter(gadgets.mri.operators.__path__))).glob("[!_]*.py"):
        module = import_module(f"gadgets.mri.operators.{file.stem}")
        for name, cls in inspect.getmembers(module, inspect.isclass):
            if issubclass(cls, base) and not name.startswith("_"):
                found.add(cls)
    return found - {base}


def test_every_operator_on_disk_has_an_example():
    assert operators_on_disk(LinearOperator) == set(EXAMPLES)
    assert operators_on_disk(NonlinearOperator) == set(NONLINEAR)


def test_is_linear(case):
    operator, x, _ = case
    other = torch.randn_like(x)
    torch.testing.assert_close(operator((2 - 3j) * x + other), (2 - 3j) * operator(x) + operator(other))


def test_adjoint(case):
    operator, x, y = case
    forward = torch.vdot(y.flatten(), operator(x).flatten())
    torch.testing.assert_close(torch.vdot(operator.H(y).flatten(), x.flatten()), forward)
    torch.testing.assert_close(operator.H.H(x), operator(x))


def test_gram(case):
    operator, x, _ = case
    gram = operator.gram
    torch.testing.assert_close(gram(x), operator.H(operator(x)))
    torch.testing.assert_close(gram.H(x), gram(x))


def test_gradient_is_the_adjoint(case):
    operator, x, y = case
    x.requires_grad_()
    (y.conj() * operator(x)).real.sum().backward()
    torch.testing.assert_close(x.grad, operator.H(y))


@pytest.mark.parametrize("name", NONLINEAR)
def test_a_derivative_is_the_limit_of_differences(name):
    torch.manual_seed(0)
    make, domain = NONLINEAR[name]
    operator = make()
    x, h = (torch.randn(domain, dtype=torch.complex128) for _ in range(2))
    step = 1e-6
    difference = (operator(x + step * h) - operator(x - step * h)) / (2 * step)
    torch.testing.assert_close(operator.derivative(x)(h), difference, rtol=1e-6, atol=1e-8)
