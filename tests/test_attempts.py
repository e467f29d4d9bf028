"""A method that is looked after: when it is tried, and what is said of its images."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from gadgets.attempts import Attempt, Guarded, Slice
from gadgets.coil_sensitivities import coil_sensitivities
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods import create
from gadgets.mri.methods.modl import ModlNetwork
from gadgets.mri.models.card import read, sha256
from gadgets.mri.operators.encoding import encoding
from gadgets.mri.phantom.scan import cartesian
from gadgets.mri.solvers.progress import report
from gadgets.outputs.images import split
from gadgets.progress import Progress
from gadgets.reconstruct import reconstruct
from gadgets.stream.errors import Stopped
from gadgets.tensors import kspace as kspace_of
from gadgets.tensors import tensor
from tests.support.buffers import recon_buffer, recon_data
from tests.support.models import untrained
from tests.support.phantom_buffer import LINES, phantom_buffer
from tests.support.streams import run


def images(sent):
    return [image for item in sent for image in split(item)]


@pytest.fixture
def model(tmp_path):
    return untrained("modl", ModlNetwork, tmp_path)


class Scripted:
    """A method that does what a script says, slice after slice: an image of ones, or what is raised."""

    def __init__(self, *script):
        self.script = list(script)
        self.calls = 0

    def calibrate(self, reference):
        return None

    def __call__(self, kspace, calibration):
        self.calls += 1
        step = self.script.pop(0)
        if isinstance(step, Exception):
            raise step
        return step * torch.ones(*kspace.other, 1, *kspace.matrix, dtype=torch.complex64)


def a_slice(number, repetition=0):
    data = torch.ones(1, 1, 1, 2, 1, 4, 4, dtype=torch.complex64)
    part = KSpace.from_data(data)
    return Slice(kspace=part, csm=None, reference=lambda: part, number=number, repetition=repetition, space=0)


def guarded(first, second=None, **settings):
    cpu = torch.device("cpu")
    fallback = None if second is None else Attempt("second", second, cpu)
    progress = Progress(lambda: False, print)
    return Guarded(Attempt("first", first, cpu), fallback, progress, **settings)


@pytest.mark.parametrize(
    "failure, words",
    [
        (torch.nan, "its image has 16 points of 16 that are NaN or infinite"),
        (torch.inf, "its image has 16 points of 16 that are NaN or infinite"),
        (MemoryError(), "MemoryError"),
        (torch.OutOfMemoryError("20 GiB"), "OutOfMemoryError: 20 GiB"),
        (TimeoutError("too long"), "TimeoutError: too long"),
        (ValueError("not for this"), "not for this"),
        (ZeroDivisionError("of a bug"), "ZeroDivisionError: of a bug"),
    ],
)
def test_whatever_fails_is_replaced_for_the_rest_of_the_scan(failure, words, caplog):
    """Its images before that stay its own, it is not tried again, and one warning says it."""
    first, second = Scripted(1, failure, 1), Scripted(2, 2)
    both = guarded(first, second)
    images, made = zip(*[both(a_slice(number)) for number in range(3)], strict=True)
    assert [float(image.real.max()) for image in images] == [1, 2, 2]
    assert [one.by.name for one in made] == ["first", "second", "second"]
    assert [one.reason for one in made] == ["", *[f"at slice 1, repetition 0: {words}"] * 2]
    assert (first.calls, second.calls) == (2, 2)
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == [f"first failed at slice 1, repetition 0: {words}; second reconstructs from here on"]


@pytest.mark.parametrize("failure", [torch.nan, MemoryError(), ValueError("not for this")])
def test_alone_it_ends_the_scan_with_slice_and_repetition(failure):
    alone = guarded(Scripted(failure))
    with pytest.raises((ValueError, RuntimeError), match="^first at slice 3, repetition 2: "):
        alone(a_slice(3, 2))


def test_what_is_no_failure_of_the_method_is_not_caught():
    class Interrupted(Scripted):
        def __call__(self, kspace, calibration):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(Interrupted(), Scripted(1))(a_slice(0))


def test_a_scan_that_nobody_waits_for_is_no_failure_of_the_method(caplog):
    """It ends, and nothing is made in its place."""

    class Fitting(Scripted):
        def __call__(self, kspace, calibration):
            report(1, 10, "so far")
            nobody.append(True)
            report(2, 10, "so far")
            raise AssertionError

    nobody, second = [], Scripted(1)
    both = guarded(Fitting(), second)
    both.progress = Progress(lambda: bool(nobody), print)
    with pytest.raises(Stopped):
        both(a_slice(0))
    assert (both.reason, second.calls) == ("", 0)
    assert not any(record.levelno >= logging.WARNING for record in caplog.records)


def test_a_fit_starts_from_the_last_one_that_is_alike():
    class Fitting(Scripted):
        def fitted(self, kspace, calibration, *, start):
            self.script.append(start)
            return torch.ones(1, 1, 1, 1, *kspace.matrix), {"number": torch.tensor(float(len(self.script)))}

    first = Fitting()
    alone = guarded(first)
    wide = a_slice(2)
    data = torch.ones(1, 1, 1, 2, 1, 4, 8, dtype=torch.complex64)
    wide = replace(wide, kspace=KSpace.from_data(data))
    others = [a_slice(0), a_slice(1), wide, replace(a_slice(3), space=1), a_slice(0, 1)]
    starts = [alone(one)[1].start for one in others]
    assert starts == ["", "slice 0, repetition 0", "", "", "slice 1, repetition 0"]
    numbers = [None if start is None else int(start["number"]) for start in first.script]
    assert numbers == [None, 1, None, None, 2]
    cold = guarded(Fitting())
    cold.first.warm_start = False
    assert [cold(one)[1].start for one in others[:2]] == ["", ""]
    assert cold.first.method.script == [None, None]


def test_nothing_of_what_failed_is_held_in_memory():
    """Else a fallback for want of memory would have none either."""
    held = []

    class Tensors:
        """What a weak reference can be made to."""

    class Holding(Scripted):
        def __call__(self, kspace, calibration):
            import weakref

            large = Tensors()
            held.append(weakref.ref(large))
            raise MemoryError

    class Looking(Scripted):
        def __call__(self, kspace, calibration):
            held.append(held[0]())
            return super().__call__(kspace, calibration)

    guarded(Holding(), Looking(1))(a_slice(0))
    assert held[1] is None


def test_the_deadline_ends_iterations_and_leaves_the_fallback_its_time(model):
    properties = {"method": "modl", "model": model, "deadline": 1e-6, "fallback": "cg_sense"}
    (image,) = images(run(reconstruct, [recon_data(phantom_buffer(0))], **properties))
    assert image.meta["ImageProcessingHistory"] == ["deepgadgets", "cg_sense"]
    assert "not done within the limit of 1e-06 s" in image.meta["ReconReason"]
    (image,) = images(run(reconstruct, [recon_data(phantom_buffer(0))], **properties | {"deadline": 600}))
    assert image.meta["ImageProcessingHistory"] == ["deepgadgets", "modl"]


def test_the_card_is_held_against_images_that_were_acquired(tmp_path):
    """Buffers have places for others too, which are no acceleration."""
    model = untrained("modl", ModlNetwork, tmp_path, acceleration=(1.3, 1.4))
    data = np.broadcast_to(cartesian((32, 32, 1), coils=6), (1, 1, 3, 6, 1, 32, 32))
    acquired = np.broadcast_to(LINES, (1, 1, 3, 1, 32)) & (np.arange(3) != 1)[:, None, None]
    found = images(run(reconstruct, [recon_data(recon_buffer(data, acquired))], method="modl", model=model))
    assert [image.contrast for image in found] == [0, 2]


def test_deep_images_name_model_versions_and_residual(model):
    scan = phantom_buffer(0, 4)
    scan.data[..., 1] *= 1 + 0.5j
    (item,) = run(coil_sensitivities, [recon_data(scan)])
    found = images(run(reconstruct, [item], method="modl", model=model))
    card = read(model)
    whole, csm = kspace_of(item.bits[0].data), tensor(item.bits[0].ref.data)
    image = create("modl", {"model": str(model)})(whole, csm)
    apart = (encoding(whole, csm)(image) - whole.data).flatten(1).norm(dim=1) / whole.data.flatten(1).norm(dim=1)
    for one, residual in zip(found, apart.tolist(), strict=True):
        assert one.meta["ReconMethod"] == one.meta["ImageComments"] == repr(create("modl", {"model": str(model)}))
        assert (one.meta["ReconModel"], one.meta["ReconModelSha256"]) == (card.name, card.sha256)
        assert card.sha256 == sha256(model.with_suffix(".safetensors"))
        names = [each.split()[0] for each in one.meta["ReconVersions"]]
        assert names == ["deepgadgets", "torch"]
        assert one.meta["ReconVersions"][1] == f"torch {torch.__version__}"
        # Four digits are told.
        assert float(one.meta["ReconResidual"]) == pytest.approx(residual, rel=1e-3)
        assert 0 < residual < 0.2
    assert found[0].meta["ReconResidual"] != found[1].meta["ReconResidual"]


def test_classical_images_name_method_and_versions():
    (image,) = images(run(reconstruct, [recon_data(phantom_buffer(0))], iterations=3))
    assert image.meta["ReconMethod"] == repr(create("cg_sense", {"iterations": 3}))
    assert len(image.meta["ReconVersions"]) == 2
    assert not {"ReconModel", "ReconResidual", "ReconInsteadOf"} & set(image.meta)


def test_a_card_that_changes_is_read_by_the_next_process_only(model):
    """What is in memory stays what it was, and images say which that is."""
    before = read(model)
    run(reconstruct, [recon_data(phantom_buffer(0))], method="modl", model=model)
    replace(before, sha256="0").write(model)
    (image,) = images(run(reconstruct, [recon_data(phantom_buffer(0))], method="modl", model=model))
    assert image.meta["ReconModelSha256"] == before.sha256
