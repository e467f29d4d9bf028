"""A module whose parameters are fitted to one scan."""

from __future__ import annotations

from collections import deque
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

# Of the iterations done, the share after which to look again: most of what a fit learns, it learns in the beginning.
_NEXT = 1 / 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """What a fit found, and how.

    states: by iterations done, those of the iterates that are as good as the best one. steps: by the same, how many
    iterations there were since the look before. kept: after how many iterations the best one was; the module holds its
    state. iterations: how many were done. loss: at the iterations that were looked at. validation: the same, smoothed;
    empty where nothing was validated.
    """

    states: dict[int, State]
    steps: dict[int, int]
    kept: int
    iterations: int
    loss: Tensor
    validation: Tensor

    @property
    def state(self) -> State:
        """That of the best iterate."""
        return self.states[self.kept]

    def mean(
        self, module: nn.Module, make: Callable[[], Tensor], *, stepped: bool = False, early: bool = False
    ) -> Tensor:
        """The mean of what `make()` gives with each of the states in `module`, which then holds that of the best one.

        Iterates that foretell samples equally well err in different ways, so their mean errs less than most of them.
        `stepped`: each counts as many times as iterations were done since the look before, and not once; looks come
        often in the beginning, when little was learned. `early`: only those that came at least as long before the best
        one as the fit went on after it, or the first one: what it learns once samples are foretold as well as they will
        be, none of them tests. No gradients are kept. Where the deadline has passed, that nearest to the best is all.
        That fits of untrained networks gain by the mean of their last images: Ulyanov, Vedaldi and Lempitsky, CVPR
        2018:9446. doi:10.1109/CVPR.2018.00984. That of models which err as little the simplest is taken, the 1 SE rule:
        Breiman et al., Classification and Regression Trees, 1984. doi:10.1201/9781315139470
        """
        make = unhurried(make)
        weights = self.steps if stepped else dict.fromkeys(self.states, 1)
        last = 2 * self.kept - self.iterations if early else self.iterations
        chosen = [done for done in self.states if done <= last] or [min(self.states)]
        total, weight = torch.zeros(()), 0
        with torch.no_grad():
            for done in sorted(chosen, key=lambda done: abs(done - self.kept)):
                if weight and late(begun=True):
                    break
                module.load_state_dict(self.states[done])
                total, weight = total + weights[done] * make(), weight + weights[done]
        module.load_state_dict(self.state)
        return total / weight


def fit(
    module: nn.Module,
    loss: Callable[[int], Tensor],
    *,
    iterations: int,
    rate: float,
    validate: Callable[[], Tensor] | None = None,
    every: int = 25,
    window: int = 5,
    patience: int = 0,
    average: float = 0.0,
    tolerance: float = 0.0,
) -> Fit:
    """Minimise `loss(iteration)`, a real number for iteration 0, 1, ..., over the parameters of a module, by Adam.

    The rate falls from `rate` to 0 as half a cosine. At each look, progress is reported and numbers are read back from
    the device; in between, none are. A look comes when an eighth more is done than at the one before, but after no
    more than `every` iterations, and after the last.

    At a look, `validate()` is called, without gradients: what the module makes of samples that `loss` does not see. Of
    single iterates it says little, so it is averaged over `window` looks, an odd number, and the state kept is that in
    the middle of those whose average is least: at the end of them, fits that pass their best within a few looks are
    past it. At both ends of the fit there are fewer looks to average. Without `validate`, the last state is kept.
    `patience` times `every` iterations without a better one end the fit, 0 for never. `average`: decay of an
    exponential average of the parameters, which is validated and kept in the place of the iterates; in the beginning it
    is shorter. `tolerance`: by what part of the least validation others may lie above it, to be as good.

    Where the deadline passes, the fit ends with what it has. Nothing random is drawn.

    Raises ValueError where the loss or its gradient is no finite number, and for settings out of range; TimeoutError
    where the deadline passes before anything was looked at.

    Kingma and Ba, ICLR 2015. arXiv:1412.6980
    """
    _require(iterations, rate, every, window, patience, average, tolerance)
    # Solvers inside look at the clock too, and would end the fit without what it has.
    loss, validate = unhurried(loss), None if validate is None else unhurried(validate)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=rate)
    averages = [parameter.detach().clone() for parameter in parameters] if average else parameters
    losses: list[float] = []
    best = _Best(window, tolerance)
    done = following = 0
    with torch.inference_mode(mode=False), torch.enable_grad():
        while done < iterations and not late(begun=bool(losses)):
            optimiser.param_groups[0]["lr"] = rate * (1 + cos(pi * done / iterations)) / 2
            optimiser.zero_grad()
            value = loss(done)
            unhurried(value.backward)()
            optimiser.step()
            done += 1
            if average:
                _follow(averages, parameters, min(average, done / (done + 9)))
            if done < min(following, iterations):
                continue
            following = done + max(1, min(every, int(_NEXT * done)))
            with _holding(parameters, averages), torch.no_grad():
                seen = value if validate is None else validate()
                numbers = torch.stack([value.detach().float(), seen.detach().float(), _total(parameters)]).tolist()
                _require_numbers(numbers, done)
                losses.append(numbers[0])
                if validate is not None:
                    best.look(numbers[1], done, _state(module))
            report(done, iterations, _text(numbers, validate is not None))
            if patience and best.smoothed and done - best.kept >= (patience + window // 2) * every:
                break
        if validate is None:
            with _holding(parameters, averages):
                best.keep(done, _state(module))
    best.end()
    if not best.states:
        best.keep(0, _state(module))
    module.load_state_dict(best.states[best.kept])
    return Fit(
        states=best.states,
        steps=best.steps,
        kept=best.kept,
        iterations=done,
        loss=torch.tensor(losses),
        validation=torch.tensor(best.smoothed),
    )


class _Best:
    """The states around which validation is least, found look by look.

    kept: the iterations after which it was. states: of it and of those that are as good; empty as long as there are
    none. steps: iterations of these since the look before. smoothed: validation averaged over `window` looks, of which
    the last ones wait for those to come.
    """

    def __init__(self, window: int, tolerance: float) -> None:
        self.kept, self.states, self.steps, self.smoothed = 0, dict[int, State](), dict[int, int](), list[float]()
        self._before = 0
        self._half, self._tolerance = window // 2, tolerance
        self._found, self._waiting, self._values = list[float](), deque[tuple[int, State]](), dict[int, float]()

    def look(self, validation: float, done: int, state: State) -> None:
        self._found.append(validation)
        self._waiting.append((done, state))
        if len(self._waiting) > self._half:
            self._judge()

    def keep(self, done: int, state: State) -> None:
        """This state alone."""
        self.kept, self.states, self.steps = done, {done: state}, {done: max(done, 1)}

    def end(self) -> None:
        """No look follows."""
        while self._waiting:
            self._judge()

    def _judge(self) -> None:
        middle = len(self.smoothed)
        around = self._found[max(0, middle - self._half) : middle + self._half + 1]
        self.smoothed.append(sum(around) / len(around))
        done, state = self._waiting.popleft()
        self.states[done], self.steps[done], self._values[done] = state, done - self._before, self.smoothed[-1]
        self._before = done
        least = min(self.smoothed)
        if self.smoothed[-1] <= least:
            self.kept = done
        limit = least + self._tolerance * abs(least)
        worse = [done for done in self.states if done != self.kept and self._values[done] >= limit]
        for done in worse:
            del self.states[done], self.steps[done]


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


def _require(
    iterations: int, rate: float, every: int, window: int, patience: int, average: float, tolerance: float
) -> None:
    if iterations < 0 or patience < 0:
        raise ValueError(f"iterations is {iterations} and patience {patience}, expected 0 or more")
    if every < 1:
        raise ValueError(f"every is {every}, expected 1 or more")
    if window < 1 or not window % 2:
        raise ValueError(f"window is {window}, expected 1, 3, 5 or another odd number")
    if not rate > 0:
        raise ValueError(f"rate is {rate}, expected more than 0")
    if not 0 <= average < 1:
        raise ValueError(f"average is {average}, expected 0 or more and less than 1")
    if not tolerance >= 0:
        raise ValueError(f"tolerance is {tolerance}, expected 0 or more")


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
