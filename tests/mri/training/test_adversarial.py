"""A critic that is convex: it learns to tell least squares from the truth, and stays within its bounds."""

import pytest
import torch

pytest.importorskip("pytorch_lightning", reason="training needs the extra [train]")

from gadgets.mri.methods.iterative_regularization import IterativeRegularizationNetwork
from gadgets.mri.training.adversarial import Adversarial
from gadgets.mri.training.dataset import Generated, Simulated
from gadgets.mri.training.losses import gradient_penalty
from gadgets.mri.training.simulation import Simulation
from tests.support.training import fitted

# Of Lightning's own use of torch and of its advice.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The 'train_dataloader' does not have many workers:UserWarning"),
]

SCANS = Simulation(
    matrix=(24, 24),
    coils=(5, 5),
    acceleration=(4, 4),
    centre=(6, 6),
    noise=(0.01, 0.01),
    patterns=("uniform",),
    estimated=0,
)


def scans(seed, batches, batch=4, **settings):
    made = Simulated(Generated(40, seed, size=48), SCANS, batches=batches, batch=batch, seed=seed, **settings)
    return [made[index] for index in range(batches)]


def adversarial(**losses):
    torch.manual_seed(0)
    network = IterativeRegularizationNetwork(width=8, layers=2, iterations=4)
    return Adversarial(network, losses=losses or {"mse": 1.0}, rate=5e-3, steps=60)


@pytest.fixture(scope="module")
def trained():
    return fitted(adversarial(), scans(0, 15), 4)


@pytest.fixture(scope="module")
def unseen():
    """Scans of other anatomy: what psi tells apart, and points between them."""
    (example,) = scans(1, 1, batch=8)
    return adversarial().seen(example)


def test_psi_is_higher_on_least_squares_of_each_scan_not_seen_before(trained, unseen):
    fake, real = unseen
    with torch.no_grad():
        difference = trained.psi(fake) - trained.psi(real)
        before = adversarial().psi(fake) - adversarial().psi(real)
    assert (difference > 0).all()
    # Psi grows by its slope, which is 1 at most, times how far images are apart.
    apart = (fake - real).abs().square().mean(dim=(-4, -3, -2, -1)).sqrt()
    assert before.mean() < 0.3 * difference.mean() < 0.3 * apart.mean()


def test_slopes_are_bounded(trained, unseen):
    fake, real = unseen
    for mix in (0.0, 0.5, 1.0):
        # A tenth above 1, in the mean square.
        assert gradient_penalty(trained.psi, fake, real, torch.tensor(mix)) < 0.1**2


def test_the_weight_follows_the_losses():
    """Where the loss counts the other way round, it goes the other way."""
    examples = scans(0, 1)
    up, down = (fitted(adversarial(mse=factor), examples, 1).weight for factor in (1.0, -1.0))
    before = adversarial().weight
    assert (up - before) * (down - before) < 0


def test_losses_of_unseen_samples_need_some():
    with pytest.raises(ValueError, match="held_out needs a share"):
        fitted(adversarial(held_out=1.0), scans(0, 1), 1)
    before = adversarial().weight
    assert fitted(adversarial(held_out=1.0), scans(0, 1, held_out=0.2), 1).weight != before
    with pytest.raises(ValueError, match="no loss l3"):
        adversarial(l3=1.0)
