"""Trainings with scans that are in memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as lightning
from torch.utils.data import DataLoader

from gadgets.mri.training.run import Scans
from gadgets.mri.training.simulation import Example
from gadgets.mri.training.supervised import Supervised


class Kept(Scans):
    """Scans that were made before; the same in each epoch, in the same order."""

    def __init__(self, examples: Sequence[Example]) -> None:
        lightning.LightningDataModule.__init__(self)
        self._examples = examples

    def train_dataloader(self) -> DataLoader[Example]:
        return DataLoader(self._examples, batch_size=None)


def fitted(module: Supervised, examples: Sequence[Example], epochs: int) -> Supervised:
    """The module, trained on the processor, nothing of it written anywhere."""
    trainer = lightning.Trainer(
        max_epochs=epochs,
        limit_val_batches=0,
        logger=False,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        gradient_clip_val=1.0 if module.automatic_optimization else None,
    )
    trainer.fit(module, Kept(examples))
    module.network.eval()
    return module
