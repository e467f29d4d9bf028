"""Networks that make an image out of nothing: drawn from their seed alone, and what they are made of."""

import shutil

import pytest
import torch
from torch import nn

from gadgets.mri.networks import hash_grid
from gadgets.mri.networks.drawn import drawn
from gadgets.mri.networks.field import Field, places
from gadgets.mri.networks.fourier_features import FourierFeatures
from gadgets.mri.networks.hash_grid import HashGrid
from gadgets.mri.networks.implicit import implicit
from gadgets.mri.networks.siren import Siren
from gadgets.mri.networks.untrained_unet import UntrainedUnet

GENERATORS = {
    "field": lambda matrix, seed: Field(FourierFeatures([1, 2, 3], features=8, seed=seed), matrix, width=8, seed=seed),
    "field of a hash grid": lambda matrix, seed: Field(
        HashGrid(matrix, levels=3, base=2, size=64, seed=seed), matrix, width=8, seed=seed
    ),
    "siren": lambda matrix, seed: Siren(matrix, width=8, seed=seed),
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


@pytest.mark.parametrize(("kind", "sizes"), [(nn.Linear, (5, 7)), (nn.Conv2d, (5, 7, 3))])
def test_layers_begin_as_those_of_torch(kind, sizes):
    layer = drawn(kind, *sizes, generator=torch.Generator().manual_seed(3))
    torch.manual_seed(3)
    own = kind(*sizes)
    assert layer.weight.equal(own.weight) and layer.bias.equal(own.bias)


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


def test_a_hash_grid_is_linear_between_its_corners():
    grid = HashGrid([1, 5, 7], levels=1, features=3, base=64, size=1 << 10)
    corners = grid(torch.tensor([[0.0, 2 / 5, 3 / 7], [0.0, 2 / 5, 4 / 7]]))
    between = grid(torch.tensor([[0.0, 2 / 5, 3.25 / 7]]))[0]
    torch.testing.assert_close(between, 0.75 * corners[0] + 0.25 * corners[1], rtol=1e-4, atol=1e-7)
    # With a row for each, corners share nothing.
    everywhere = grid(torch.cartesian_prod(torch.arange(2.0), torch.arange(6) / 5, torch.arange(8) / 7))
    assert len(everywhere.unique(dim=0)) == 2 * 6 * 8


def test_a_hash_grid_learns_what_has_more_corners_than_its_table():
    """Corners share rows where there are more of them; gradients reach all rows that are asked for."""
    grid = HashGrid([64, 64], levels=1, base=64, size=128)
    grid(torch.rand(4000, 2, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    assert (grid.tables.grad.abs().sum(dim=-1) > 0).float().mean() > 0.95


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler")
# Warnings of what torch.compile does inside torch.
@pytest.mark.filterwarnings("ignore")
def test_a_hash_grid_can_be_compiled():
    """What a GPU runs, here by the compiler of the processor: the same values and gradients."""
    grid = HashGrid([5, 64], levels=2, base=8, size=128)
    places = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    values, gradients = zip(
        *[
            (made := run(places, grid.tables, grid._cells), torch.autograd.grad(made.square().sum(), grid.tables)[0])
            for run in (hash_grid.encoded, torch.compile(hash_grid.encoded))
        ],
        strict=True,
    )
    torch.testing.assert_close(values[1], values[0])
    torch.testing.assert_close(gradients[1], gradients[0])


def test_without_a_compiler_a_hash_grid_runs_as_it_is_and_says_so(monkeypatch, caplog):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(hash_grid.shutil, "which", lambda name: None)
    hash_grid.kernel.cache_clear()
    try:
        assert hash_grid.kernel() is hash_grid.encoded
        assert [record.getMessage() for record in caplog.records] == [
            "hash grids are not compiled, and slower: Triton and a C compiler are needed for it"
        ]
    finally:
        hash_grid.kernel.cache_clear()


@pytest.mark.gpu
def test_a_gpu_makes_the_same_of_a_hash_grid():
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    grid = HashGrid([1, 32, 32])
    places = torch.rand(1000, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(grid.cuda()(places.cuda()).cpu(), grid.cpu()(places), rtol=1e-4, atol=1e-6)


def test_the_details_of_a_siren_are_those_of_its_frequency():
    def roughness(frequency):
        image = Siren((1, 32, 32), width=32, frequency=frequency)().detach()
        return float((image[..., 1:] - image[..., :-1]).abs().mean() / (image - image.mean()).abs().mean())

    assert roughness(3.0) < roughness(30.0) / 2


def test_an_unknown_encoding_is_refused():
    with pytest.raises(ValueError, match="encoding is 'waves', expected 'fourier', 'hash_grid' or 'siren'"):
        implicit("waves", (1, 8, 8), bandwidth=0.25, width=8, layers=2, seed=0)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: UntrainedUnet((1, 8, 8), width=0), "width 0"),
        (lambda: UntrainedUnet((1, 8, 8), levels=0), "0 levels"),
        (lambda: FourierFeatures([1.0], features=0), "features is 0"),
        (lambda: HashGrid([0, 4]), r"cells is \(0, 4\)"),
        (lambda: HashGrid([4], levels=0), "0 levels"),
        (lambda: Siren((1, 8, 8), width=0), "width 0"),
        (lambda: Field(FourierFeatures([1.0]), (1, 8, 8), layers=0), "0 layers"),
    ],
)
def test_sizes_below_one_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
