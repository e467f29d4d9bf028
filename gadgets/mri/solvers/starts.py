"""Networks that begin differently, of which one goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)

# Of the mean rank of a network over the iterations: single ones jump about.
_DECAY = 0.9


class Starts(nn.Module, Generic[Network]):
    """Networks that are fitted to the same samples, all of them for `until` iterations, and the best one after that.

    Where a fit ends depends on where it begins, as what is fitted has more than one minimum. The best one is that whose
    rank is least, as a mean over the last iterations: successive halving, in one step (Jamieson and Talwalkar, AISTATS
    2016:240. arXiv:1502.07943).
    """

    def __init__(self, networks: Sequence[Network], until: int = 0) -> None:
        super().__init__()
        if not networks:
            raise ValueError("there are no networks to start from, expected 1 or more")
        self.networks = nn.ModuleList(networks)
        self._until, self._running = until, list(networks)
        self._ranks: Tensor | None = None

    @property
    def leader(self) -> Network:
        """The network that is best so far; of those that are equal, and before any was fitted, the first one."""
        if self._ranks is None or len(self._running) == 1:
            return self._running[0]
        return self._running[int(self._ranks.argmin())]

    def loss(self, iteration: int, loss: Callable[[Network], tuple[Tensor, Tensor]]) -> Tensor:
        """The sum of losses of those that are fitted in `iteration`, which goes up from 0.

        loss: gives the loss of a network and its rank, which may be part of the loss.
        """
        if iteration == self._until:
            self._running = [self.leader]
        losses, ranks = map(torch.stack, zip(*map(loss, self._running), strict=True))
        if len(self._running) > 1:
            now = ranks.detach()
            self._ranks = now if self._ranks is None else self._ranks.lerp(now, 1 - _DECAY)
        return losses.sum()

    def mean(self, value: Callable[[Network], Tensor]) -> Tensor:
        """The mean of `value(network)` over those that are fitted."""
        return torch.stack([value(network) for network in self._running]).mean(dim=0)
