"""Learned steps: they begin as gradient descent, and a short training makes more of them."""

import pytest
import torch

pytest.importorskip("pytorch_lightning", reason="training needs the extra [train]")

from gadgets.mri.methods.varnet import VarnetNetwork
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.training.dataset import Generated, Simulated
from gadgets.mri.training.simulation import Simulation
from gadgets.mri.training.supervised import Supervised, psnr
from tests.support.training import fitted

# Of Lightning's own use of torch and of its advice.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers:UserWarning"),
]

SCANS = Simulation(matrix=(24, 24), coils=(4, 6), acceleration=(3, 4), centre=(6, 6), noise=(0.01, 0.01), estimated=0)


def scans(seed, batches, batch):
    made = Simulated(Generated(40, seed, size=48), SCANS, batches=batches, batch=batch, seed=seed)
    return [made[index] for index in range(batches)]


def test_untrained_it_is_gradient_descent():
    (example,) = scans(0, 1, 2)
    operator = encoding(example.kspace, example.csm)
    x = rhs = operator.H(example.kspace.data)
    for _ in range(3):
        x = x - (operator.gram(x) - rhs)
    with torch.no_grad():
        torch.testing.assert_close(VarnetNetwork(iterations=3, width=2)(example.kspace, example.csm), x)


def test_a_short_training_gains_on_zero_filling_and_on_descent():
    torch.manual_seed(0)
    network = VarnetNetwork(iterations=4, width=6, levels=1)
    (unseen,) = scans(1, 1, 6)
    zero_filled = psnr(encoding(unseen.kspace, unseen.csm).H(unseen.kspace.data), unseen.image)
    with torch.no_grad():
        descent = psnr(network(unseen.kspace, unseen.csm), unseen.image)
    fitted(Supervised(network, losses={"psnr": 1.0}, rate=5e-3, steps=60), scans(0, 15, 4), 4)
    with torch.no_grad():
        trained = psnr(network(unseen.kspace, unseen.csm), unseen.image)
    assert trained > zero_filled + 3 and trained > descent


def test_refuses_no_iterations():
    with pytest.raises(ValueError, match="iterations is 0"):
        VarnetNetwork(iterations=0)
