"""Networks that make an image out of nothing: drawn from their seed alone, and what they are made of."""

import pytest
import torch

from gadgets.mri.networks.field import Field, places
from gadgets.mri.networks.fourier_features import FourierFeatures
from gadgets.mri.networks.untrained_unet import UntrainedUnet

GENERATORS = {
    "field": lambda matrix, seed: Field(FourierFeatures([1, 2, 3], features=8, seed=seed), matrix, width=8, seed=seed),
    "untrained_unet": lambda matrix, seed: UntrainedUnet(matrix, width=4, levels=2, seed=seed),
}


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS.keys())
@pytest.mark.parametrize("matrix", [(1, 16, 16), (3, 13, 18), (1, 5, 3)])
def test_gives_a_complex_image_of_any_size(make, matrix):
    image = make(matrix, 0)()
    assert image.shape == (1, *matrix) and image.dtype == torch.complex64 and image.isfinite().all()
    assert image.real.std() > 0 and image.imag.std() > 0


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS.keys())
def test_all_that_is_random_is_of_its_seed(make):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    image = make((1, 8, 8), 0)()
    assert torch.random.get_rng_state().equal(before)
    torch.manual_seed(6)
    assert make((1, 8, 8), 0)().equal(image)
    assert not make((1, 8, 8), 1)().equal(image)


@pytest.mark.parametrize("make", GENERATORS.values(), ids=GENERATORS.keys())
def test_the_state_is_all_of_it(make):
    one, other = make((1, 8, 8), 0), make((1, 8, 8), 1)
    other.load_state_dict(one.state_dict())
    assert other().equal(one())


def test_planes_share_the_network_and_nothing_else():
    unet = UntrainedUnet((3, 8, 8), width=4, levels=2)
    image = unet()
    with torch.no_grad():
        unet.noise[1] = 0
    torch.testing.assert_close(unet()[:, [0, 2]], image[:, [0, 2]])
    assert not torch.allclose(unet()[:, 1], image[:, 1])


def test_places_lie_in_one_field_of_view_in_the_order_of_the_image():
    at = places((2, 3, 4)).reshape(2, 3, 4, 3)
    assert at[1, 2, 3].tolist() == pytest.approx([1 / 2, 2 / 3, 3 / 4])
    assert at[0, 0, 0].tolist() == [0, 0, 0]


def test_features_are_alike_as_far_as_their_frequencies_allow():
    """Their inner product is the Gaussian exp(-2 pi^2 deviation^2 distance^2), on average over what is drawn."""
    features = FourierFeatures([0.0, 2.0, 5.0], features=4000)
    at = torch.tensor([[0.0, 0, 0], [0.9, 0, 0], [0, 0.05, 0], [0, 0, 0.05]])
    values = features(at)
    assert values.shape == (4, 8000)
    alike = values @ values[0] / 4000
    expected = torch.exp(-2 * torch.pi**2 * torch.tensor([0, 0, 0.1, 0.25]) ** 2)
    # A mean of 4000 cosines deviates by 1 / sqrt(8000).
    assert (alike - expected).abs().max() < 4 / 8000**0.5


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: UntrainedUnet((1, 8, 8), width=0), "width 0"),
        (lambda: UntrainedUnet((1, 8, 8), levels=0), "0 levels"),
        (lambda: FourierFeatures([1.0], features=0), "features is 0"),
        (lambda: Field(FourierFeatures([1.0]), (1, 8, 8), layers=0), "0 layers"),
    ],
)
def test_sizes_below_one_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
