"""What learned methods share."""

import pytest
import torch

from gadgets.mri.kspace import KSpace
from gadgets.mri.learned import Learned
from gadgets.mri.methods import find, names
from tests.support.models import damaged, untrained

LEARNED = [name for name in names() if issubclass(find(name), Learned)]


def test_methods_with_a_network_are_learned():
    assert {"equilibrated_zeroth_order", "iterative_regularization", "modl", "varnet"} <= set(LEARNED)


@pytest.mark.parametrize("name", LEARNED)
def test_goes_by_the_name_of_its_file(name, tmp_path):
    cls = find(name)
    assert cls.name() == name
    network, card = cls(model=str(untrained(name, cls.network, tmp_path))).trained(torch.device("cpu"))
    assert isinstance(network, cls.network) and card.method == name


@pytest.mark.parametrize("name", LEARNED)
def test_a_model_of_another_method_is_refused(name, tmp_path):
    cls = find(name)
    with pytest.raises(ValueError, match=f"is for the method another, not for {name}"):
        cls(model=str(untrained("another", cls.network, tmp_path))).trained(torch.device("cpu"))


@pytest.mark.parametrize("name", LEARNED)
def test_the_image_is_nothing_where_maps_are(name, tmp_path):
    cls = find(name)
    method = cls(model=str(untrained(name, cls.network, tmp_path)))
    torch.manual_seed(0)
    csm = torch.full((2, 3, 1, 16, 16), 3**-0.5, dtype=torch.complex64)
    csm[..., :4] = 0
    image = method(KSpace.from_data(torch.randn_like(csm)), csm)
    assert image.shape == (2, 1, 1, 16, 16) and not image.requires_grad
    assert not image[..., :4].any() and image[..., 4:].all()


@pytest.mark.parametrize("name", LEARNED)
def test_half_precision_is_within_its_rounding_or_refused(name, tmp_path):
    """Of what networks add, the eight bits that bfloat16 keeps: 2^-8, and as much again for each of few layers."""
    cls = find(name)
    model = untrained(name, cls.network, tmp_path)
    if "bf16" not in cls.precisions:
        with pytest.raises(ValueError, match="precision is 'bf16'; there are: fp32"):
            cls(model=str(model), precision="bf16")
        return
    (tmp_path / "untrained").mkdir()
    untouched = untrained(name, cls.network, tmp_path / "untrained")
    torch.manual_seed(0)
    damaged(model, lambda value: value + 0.05 * torch.randn_like(value) if value.ndim == 4 else value)
    csm = torch.full((3, 1, 16, 16), 3**-0.5, dtype=torch.complex64)
    mask = torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    mask[..., ::2, :] = True
    kspace = KSpace(data=torch.randn_like(csm) * mask, mask=mask)
    plain, half = (cls(model=str(model), precision=precision)(kspace, csm) for precision in ("fp32", "bf16"))
    alone = cls(model=str(untouched))(kspace, csm)
    added = (plain - alone).norm()
    assert half.dtype == torch.complex64 and added > 0.001 * plain.norm()
    assert 0 < (half - plain).norm() < 0.02 * added
