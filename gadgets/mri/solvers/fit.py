"""A module whose parameters are fitted to one scan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import cos, pi

import torch
from torch import Tensor, nn

from gadgets.mri.solvers.deadline import late, unhurried
from gadgets.mri.solvers.progress import report

#: A module's state_dict, cloned.
State = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """What a fit found, and how.

    state: that of the iterate which was kept; the module holds it too. iterations: how many were done. kept: after how
    many of them the state was. loss: at the iterations that were looked at. validation: the same, smoothed; empty
    where nothing was validated.
    """

    state: State
    iterations: int
    kept: int
    loss: Tensor
    validation: Tensor


def fit(
    module: nn.Module,
    loss: Callable[[int], Tensor],
    *,
    iterations: int,
    rate: float,
    validate: Callable[[], Tensor] | None = None,
    every: int = 25,
    window: int = 4,
    patience: int = 0,
    average: float = 0.0,
) -> Fit:
    """Minimise `loss(iteration)`, a real number for iteration 0, 1, ..., over the parameters of a module, by Adam.

    The rate falls from `rate` to 0 as half a cosine. After each `every` iterations, and after the last, progress is
    reported and numbers are read back from the device; in between, none are. There `validate()` is called, without
    gradients: what the module makes of samples that `loss` does not see. Of single iterates it says little, so it is
    averaged over the last `window` looks, and the state at which that average is least is kept; without `validate`, the
    last. `patience` looks without a better one end the fit, 0 for never. `average`: decay of an exponential average of
    the parameters, which is validated and kept in the place of the iterates; in the beginning it is shorter.

    Where the deadline passes, the fit ends with what it has. Nothing random is drawn.

    Raises ValueError where the loss or its gradient is no finite number, and for settings out of range; TimeoutError
    where the deadline passes before anything was looked at.

    Kingma and Ba, ICLR 2015. arXiv:1412.6980
    """
    _require(iterations, rate, every, window, patience, average)
    # Solvers inside look at the clock too, and would end the fit without what it has.
    loss, validate = unhurried(loss), None if validate is None else unhurried(validate)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=rate)
    averages = [parameter.detach().clone() for parameter in parameters] if average else parameters
    losses: list[float] = []
    found: list[float] = []
    smoothed: list[float] = []
    state, kept, done = _state(module), 0, 0
    with torch.inference_mode(mode=False), torch.enable_grad():
        while done < iterations and not late(begun=bool(losses)):
            optimiser.param_groups[0]["lr"] = rate * (1 + cos(pi * done / iterations)) / 2
            optimiser.zero_grad()
            value = loss(done)
            value.backward()
            optimiser.step()
            done += 1
            if average:
                _follow(averages, parameters, min(average, done / (done + 9)))
            if done % every and done < iterations:
                continue
            with _holding(parameters, averages), torch.no_grad():
                seen = value if validate is None else validate()
                numbers = torch.stack([value.detach().float(), seen.detach().float(), _total(parameters)]).tolist()
                _require_numbers(numbers, done)
                losses.append(numbers[0])
                found.append(numbers[1])
                smoothed.append(sum(found[-window:]) / len(found[-window:]))
                if validate is None or smoothed[-1] <= min(smoothed):
                    state, kept = _state(module), done
            report(done, iterations, _text(numbers, validate is not None))
            best = smoothed.index(min(smoothed))
            if validate is not None and patience and len(smoothed) - 1 - best >= patience:
                break
    module.load_state_dict(state)
    return Fit(
        state=state,
        iterations=done,
        kept=kept,
        loss=torch.tensor(losses),
        validation=torch.tensor(smoothed if validate is not None else []),
    )


def load(module: nn.Module, start: State) -> None:
    """Have a module begin where another fit ended.

    Raises ValueError, naming what differs, for the state of a module of other parameters.
    """
    own, given = ({name: tuple(value.shape) for name, value in state.items()} for state in (module.state_dict(), start))
    differ = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    if differ:
        listed = ", ".join(f"{name} ({given.get(name)} instead of {own.get(name)})" for name in differ)
        raise ValueError(f"start is of another network: {listed}")
    module.load_state_dict(start)


def _require(iterations: int, rate: float, every: int, window: int, patience: int, average: float) -> None:
    if iterations < 0 or patience < 0:
        raise ValueError(f"iterations is {iterations} and patience {patience}, expected 0 or more")
    if every < 1 or window < 1:
        raise ValueError(f"every is {every} and window {window}, expected 1 or more")
    if not rate > 0:
        raise ValueError(f"rate is {rate}, expected more than 0")
    if not 0 <= average < 1:
        raise ValueError(f"average is {average}, expected 0 or more and less than 1")


def _state(module: nn.Module) -> State:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def _follow(averages: Sequence[Tensor], parameters: Sequence[nn.Parameter], decay: float) -> None:
    with torch.no_grad():
        for mean, parameter in zip(averages, parameters, strict=True):
            mean.lerp_(parameter, 1 - decay)


@contextmanager
def _holding(parameters: Sequence[nn.Parameter], values: Sequence[Tensor]) -> Iterator[None]:
    """Parameters with other values, inside."""
    if values is parameters:
        yield
        return
    with torch.no_grad():
        own = [parameter.detach().clone() for parameter in parameters]
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)
        try:
            yield
        finally:
            for parameter, value in zip(parameters, own, strict=True):
                parameter.copy_(value)


def _total(parameters: Sequence[Tensor]) -> Tensor:
    """A number that is finite where all parameters are. Adam makes what is no number stay."""
    return torch.stack([parameter.abs().sum().float() for parameter in parameters]).sum()


def _require_numbers(numbers: Sequence[float], done: int) -> None:
    for what, number in zip(("loss", "validation", "sum of the parameters"), numbers, strict=True):
        if not abs(number) < float("inf"):
            raise ValueError(f"the {what} is {number} after {done} iterations: the fit has no finite gradient")


def _text(numbers: Sequence[float], validated: bool) -> str:
    return f"loss {numbers[0]:.4g}" + (f", held out {numbers[1]:.4g}" if validated else "")
