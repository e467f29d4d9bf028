"""A model of recipes/brain_modl.yaml against classical methods: a page and its pictures.

Run: DEEPGADGETS_DATA=FOLDER python -m tests.benchmarks.compare_model CARD FOLDER
First on a brain that was measured and that no training has seen, then on scans simulated from the subjects of the
validation, over all that the card says the model is good for.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from gadgets.inputs.images import Files
from gadgets.mri import methods
from gadgets.mri.kspace import KSpace
from gadgets.mri.methods.adaptive_combine import AdaptiveCombine
from gadgets.mri.models import card as cards
from gadgets.mri.quality.errors import nrmse, psnr
from gadgets.mri.quality.ssim import ssim
from gadgets.mri.quality.support import support
from gadgets.mri.training import recipe as recipes
from gadgets.mri.training.dataset import Simulated
from tests.benchmarks.table_pictures import picture
from tests.support.brain import brain

# Names in the tables: method and settings. Forty iterations, the default, leave every sixth line far from its end.
CLASSICAL: dict[str, tuple[str, dict[str, str]]] = {
    "cg_sense": ("cg_sense", {}),
    "espirit_l1": ("espirit_l1", {}),
    "espirit_l1, 150 iterations": ("espirit_l1", {"iterations": "150"}),
    "total_variation": ("total_variation", {}),
}
# Scans of each kind of simulation, and the seed, which is that of no training.
SCANS, SEED = 6, 11
HEAD = """# {name}

What `DEEPGADGETS_DATA=... python -m tests.benchmarks.compare_model` wrote. Model: {name}, SHA-256 {sha}; trained on
{data}. Other methods with their default settings, but where said, and with the same maps (`espirit`). Magnitudes are
scaled to the truth (least squares); figures are taken inside the object.

## A measured brain

3 T, gradient echo, 16 coils, 128 x 128; no training has seen this subject, scanner, sequence or coil. R = 2 and 3 are
the undersampled files, with 24 calibration lines that serve for the maps alone; others are made from the full scan
afterwards in the same way, or with lines at random of which half are those in the centre. The truth, the adaptive
combination of the full scan, has noise of its own: no method that removes noise comes nearer to it than that.

"""


def measured(folder: Path) -> Iterator[tuple[str, KSpace, KSpace, NDArray[np.float32]]]:
    """(title, k-space, reference, truth) of each sampling of the brain."""
    full, _, reference = brain(folder, 3)
    method = AdaptiveCombine()
    truth = method(full, method.calibrate(full)).abs().numpy()[0, 0]
    for acceleration in (2, 3):
        _, imaging, own = brain(folder, acceleration)
        yield f"every {acceleration}. line", imaging, own, truth
    for acceleration in (4, 6):
        mask = torch.zeros_like(full.mask)
        mask[..., ::acceleration, :] = True
        yield f"every {acceleration}. line", KSpace(data=full.data * mask, mask=mask), reference, truth
    for acceleration in (4, 6):
        mask = torch.zeros_like(full.mask)
        mask[..., lines_at_random(128, acceleration), :] = True
        sampled = KSpace(data=full.data * mask, mask=mask)
        yield f"random, R = {acceleration}", sampled, sampled, truth


def lines_at_random(length: int, acceleration: int) -> NDArray[np.int64]:
    """Lines in the middle and as many others, rarer with distance from it; a rule of its own, not that of training."""
    random = np.random.default_rng(acceleration)
    half = length // acceleration // 2
    middle = np.arange(length // 2 - half // 2, length // 2 - half // 2 + half)
    others = np.setdiff1d(np.arange(length), middle)
    likely = 1 / (8 + np.abs(others - length // 2))
    more = length // acceleration - half
    return np.concatenate([middle, random.choice(others, more, replace=False, p=likely / likely.sum())])


def on_the_brain(model: str, folder: Path, pictures: Path) -> str:
    lines = ["| sampling | method | NRMSE | SSIM | PSNR |", "|---|---|---|---|---|"]
    for title, kspace, reference, truth in measured(folder):
        images = {}
        inside = support(truth[None])[0]
        for name, (method_name, settings) in {**CLASSICAL, "modl": ("modl", {"model": model})}.items():
            method = methods.create(method_name, settings)
            image = method(kspace, method.calibrate(reference)).abs().numpy()[0, 0]
            images[name] = image * float(np.vdot(image, truth) / np.vdot(image, image))
            compared = (images[name], truth, inside)
            lines.append(
                f"| {title} | {name} | {nrmse(*compared):.4f} | "
                f"{ssim(*(x[None] for x in compared)):.3f} | {psnr(*compared):.1f} dB |"
            )
            print(lines[-1], flush=True)
        file = f"brain_modl_{title.replace(' ', '_').replace('.', '').replace(',', '').replace('=_', '')}.png"
        shown = {name: image[None] for name, image in images.items()}
        picture(shown, truth[None], inside[None], 0).save(pictures / file, optimize=True)
        lines.append(f"<!-- {file} -->")
    files = [line.split()[1] for line in lines if line.startswith("<!--")]
    lines = [line for line in lines if not line.startswith("<!--")]
    text = "\n".join(lines) + "\n\nImages, each beside five times its error:\n\n"
    return text + "\n".join(f"![{file}](pictures/{file})" for file in files) + "\n"


def over_the_range(model: str, folder: Path) -> str:
    """PSNR on simulated scans of the subjects of the validation, one property at a time."""
    card = cards.read(cards.find(model))
    recipe = recipes.from_values(card.recipe, model)
    images = Files([folder / path for path in recipe.data.validation])
    usual = replace(
        recipe.simulation, excerpt=0, matrix=(160, 160), coils=(8, 8), acceleration=(4, 4), noise=(0.01, 0.01)
    )
    kinds = {
        **{f"{n} coils" if n > 1 else "1 coil": replace(usual, coils=(n, n)) for n in (1, 2, 4, 8, 16, 32)},
        **{f"{n} x {n} points": replace(usual, matrix=(n, n)) for n in (64, 96, 256, 384, 512)},
        **{f"R = {n}": replace(usual, acceleration=(n, n)) for n in (2, 3, 5, 6)},
        **{f"noise {level}": replace(usual, noise=(level, level)) for level in (0.002, 0.05)},
    }
    compared = {name: CLASSICAL[name] for name in ("cg_sense", "espirit_l1")} | {"modl": ("modl", {"model": model})}
    lines = [f"| scans | {' | '.join(f'`{name}`' for name in compared)} |", "|---|" + "---|" * len(compared)]
    for title, simulation in kinds.items():
        figures = dict.fromkeys(compared, 0.0)
        scans = Simulated(images, simulation, batches=SCANS, batch=1, seed=SEED)
        for example in (scans[number] for number in range(SCANS)):
            truth = example.image.abs().numpy()
            for name, (method_name, settings) in compared.items():
                method = methods.create(method_name, settings)
                image = method(example.kspace, example.csm).abs().numpy()
                figures[name] += psnr(image, truth) / SCANS
        lines.append(f"| {title} | {' | '.join(f'{figures[name]:.1f} dB' for name in compared)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main(model: str, to: str) -> None:
    folder = os.environ.get("DEEPGADGETS_DATA")
    if not folder:
        raise SystemExit("no scanner data: DEEPGADGETS_DATA is not set")
    card = cards.read(cards.find(model))
    pictures = Path(to, "pictures")
    pictures.mkdir(parents=True, exist_ok=True)
    text = HEAD.format(name=card.name, sha=card.sha256[:16], data=card.data)
    text += on_the_brain(model, Path(folder), pictures)
    text += (
        "\n## Simulated scans\n\nSlices of four other subjects (T1w, T2w, FLAIR), 8 coils, 160 x 160 points, R = 4, "
        "noise of a hundredth of the brightest point, but for what each row says; regular and random lines, maps "
        f"mostly estimated; the mean PSNR of {SCANS} scans over the whole field of view.\n\n"
    )
    text += over_the_range(model, Path(folder))
    Path(to, f"{card.name}.md").write_text(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
