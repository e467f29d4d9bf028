"""Iterations with networks: their data consistency, and their gradients."""

import torch

from gadgets.mri.solvers.unrolled import gradient_step, proximal_step, unrolled


def system():
    torch.manual_seed(0)
    a = torch.randn(10, 6, dtype=torch.complex128)
    y = torch.randn(10, dtype=torch.complex128)
    return a.mH @ a, a.mH @ y


def test_proximal_step_has_the_gradients_of_the_dense_solve():
    g, rhs = system()
    z = torch.randn(6, dtype=torch.complex128).requires_grad_()
    weight = torch.tensor(0.7, dtype=torch.float64).requires_grad_()
    direction = torch.randn(6, dtype=torch.complex128)
    dense = torch.linalg.solve(g + weight * torch.eye(6), rhs + weight * z)
    x = proximal_step(lambda v: g @ v, rhs, z, weight, iterations=12)
    torch.testing.assert_close(x, dense)
    for one, other in zip(
        torch.autograd.grad((direction.conj() * x).real.sum(), (z, weight)),
        torch.autograd.grad((direction.conj() * dense).real.sum(), (z, weight)),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)


def test_weights_of_a_batch_get_gradients_of_their_own():
    g, rhs = system()
    rhs = torch.stack([rhs, 2j * rhs])[:, None]
    z = torch.zeros_like(rhs)
    weight = torch.full((2, 1, 1), 0.3, dtype=torch.float64).requires_grad_()
    x = proximal_step(lambda v: v @ g.mT, rhs, z, weight, iterations=12, batch_dims=(0,))
    (gradient,) = torch.autograd.grad(x.abs().square().sum(), weight)
    # Twice the data, four times the energy.
    torch.testing.assert_close(gradient[1], 4 * gradient[0])


def test_checkpoints_change_nothing():
    g, rhs = system()
    weights = [(0.1 * torch.randn(6, 6, dtype=torch.complex128)).requires_grad_() for _ in range(3)]
    networks = [lambda x, w=w: x + w @ x for w in weights]

    def consistency(x, z, k):
        return gradient_step(lambda v: g @ v, rhs, x, z, 0.01 * (k + 1))

    results = []
    for checkpointed in (False, True):
        x = unrolled(networks, consistency, rhs, checkpointed=checkpointed)
        results.append((x, *torch.autograd.grad(x.abs().square().sum(), weights)))
    for plain, kept in zip(*results, strict=True):
        assert plain.equal(kept)
