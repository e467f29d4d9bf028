"""Models that come with the package: what their cards say, and what they make of a brain that no training has seen."""

import pytest
import torch

from gadgets.mri import methods
from gadgets.mri.calibration.sensitivities import sensitivities
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.models.card import find, names, verify, weights_of
from gadgets.mri.phantom.scan import cartesian, coil_maps, truth
from gadgets.mri.quality.errors import nrmse
from gadgets.mri.quality.support import support
from tests.support.brain import brain


@pytest.mark.parametrize("name", names())
def test_weights_are_those_of_the_card_and_few(name):
    card = verify(find(name))
    assert card.name == name and card.licence and card.validation and card.recipe
    assert weights_of(find(name)).stat().st_size <= 8e6


def test_the_brain_model_is_for_what_scanners_do():
    card = verify(find("brain_modl"))
    assert card.method == "modl"
    assert card.acceleration[0] <= 2 and card.acceleration[1] >= 6
    assert card.coils == (1, 32) and card.matrix == (64, 512)


@pytest.mark.parametrize("coils", [1, 4, 32])
def test_better_than_sparsity_on_random_lines_of_a_phantom(coils):
    """No brain: what holds here, holds for more than the images of the training."""
    matrix = (96, 80, 1)
    torch.manual_seed(coils)
    data = torch.from_numpy(cartesian(matrix, coils=coils))
    mask = torch.zeros(1, 1, 80, 96, dtype=torch.bool)
    mask[:, :, 32:48] = True
    mask[:, :, torch.randperm(80)[:20]] = True
    kspace = KSpace(data=(data + 0.03 * torch.randn_like(data)) * mask, mask=mask)
    csm, expected = torch.from_numpy(coil_maps(matrix, coils=coils)), abs(truth(matrix))
    errors = {
        name: nrmse(methods.create(name)(kspace, csm).abs().numpy()[0], expected, support(expected), scaled=True)
        for name in ("modl", "espirit_l1", "cg_sense")
    }
    assert errors["modl"] < min(errors["espirit_l1"], errors["cg_sense"])


@pytest.mark.data
@pytest.mark.parametrize(("acceleration", "decibels"), [(3, 0.0), (4, 1.0), (6, 1.0)])
def test_ahead_of_classical_methods_on_a_measured_brain(data_dir, acceleration, decibels):
    """R = 3 is the undersampled file; the others are taken from the full one. The truth has noise of its own.

    One decibel is what a network has to be worth to stand in the place of wavelets, where lines are missed that coils
    alone do not bring back. At R = 6 the others are far from their end after the iterations that they have by default.
    """
    full, imaging, reference = brain(data_dir, 3)
    if acceleration > 3:
        mask = torch.zeros_like(full.mask)
        mask[..., ::acceleration, :] = True
        imaging = KSpace(data=full.data * mask, mask=mask)
    combine, csm = AdaptiveCombine(), sensitivities(reference)
    expected = combine(full, combine.calibrate(full)).abs().numpy()[0]
    errors = {
        name: nrmse(methods.create(name)(imaging, csm).abs().numpy()[0], expected, support(expected), scaled=True)
        for name in ("modl", "espirit_l1", "cg_sense")
    }
    assert errors["modl"] < 10 ** (-decibels / 20) * min(errors["espirit_l1"], errors["cg_sense"])
