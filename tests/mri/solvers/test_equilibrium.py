"""Networks of endless depth: their gradient, and what it costs."""

import pytest
import torch

from gadgets.mri.solvers.anderson import anderson
from gadgets.mri.solvers.equilibrium import equilibrium


@pytest.fixture
def layer():
    """A contraction with parameters, complex, as a network with data consistency is."""
    torch.manual_seed(0)
    weights = (0.4 * torch.randn(6, 6, dtype=torch.complex128) / 6**0.5).requires_grad_()
    offset = torch.randn(2, 6, dtype=torch.complex128).requires_grad_()

    def step(x):
        y = x @ weights.mT + offset
        return torch.complex(torch.tanh(y.real), torch.tanh(y.imag))

    return step, weights, offset


def gradients(x, *parameters):
    torch.manual_seed(1)
    target = torch.randn_like(x)
    return torch.autograd.grad((x - target).abs().square().sum(), parameters)


def test_gradient_is_that_of_very_many_steps(layer):
    step, *parameters = layer
    x = torch.zeros(2, 6, dtype=torch.complex128)
    for _ in range(300):
        x = step(x)
    found = equilibrium(step, torch.zeros_like(x), iterations=60, backward_iterations=60, batch_dims=(0,))
    torch.testing.assert_close(found.x, x, rtol=1e-7, atol=1e-9)
    for implicit, explicit in zip(gradients(found.x, *parameters), gradients(x, *parameters), strict=True):
        torch.testing.assert_close(implicit, explicit, rtol=1e-5, atol=1e-8)


def test_without_gradients_there_is_no_graph(layer):
    with torch.no_grad():
        assert not equilibrium(layer[0], torch.zeros(2, 6, dtype=torch.complex128), iterations=5).x.requires_grad


def test_acceleration_is_faster_than_the_plain_iteration():
    # x = T(x) of a linear contraction of 0.95: the plain iteration gains 0.95 each time, Anderson's is a Krylov method.
    t = torch.linspace(0.5, 0.95, 8, dtype=torch.float64)
    b = torch.ones(8, dtype=torch.float64)

    def error(memory):
        return (anderson(lambda x: t * x + b, 0 * b, iterations=25, memory=memory).x - b / (1 - t)).norm()

    assert error(5) < 1e-3 * error(1)


def test_elements_of_a_batch_rest_by_themselves():
    t = torch.tensor([[0.1], [0.9]], dtype=torch.float64)
    start = torch.zeros(2, 4, dtype=torch.float64)
    both = anderson(lambda x: t * x + 1, start, iterations=50, memory=1, tolerance=1e-3, batch_dims=(0,))
    alone = anderson(lambda x: 0.1 * x + 1, start[:1], iterations=50, memory=1, tolerance=1e-3, batch_dims=(0,))
    assert both.x[:1].equal(alone.x) and both.iterations > alone.iterations


def test_refuses_no_memory():
    with pytest.raises(ValueError, match="memory is 0"):
        anderson(lambda x: x, torch.zeros(1), iterations=1, memory=0)
