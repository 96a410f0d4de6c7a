"""Whether machines fit on this computer: what they need of each limit, and what can be done."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from lab.errors import HostError
from lab.machines.providers.base import Limit


@dataclass(frozen=True, kw_only=True)
class Use:
    """What machines need of one limit.

    Attributes:
        limit: the host's.
        needed: what all of them need together, in its unit.
        fit: how many of them it is enough for, counted from the first.
        of: how many there are.
    """

    limit: Limit
    needed: float
    fit: int
    of: int

    def __str__(self) -> str:
        """Such as `memory: 30 machines need 15360 MB, 11264 MB are free`."""
        verb = "needs" if self.of == 1 else "need"
        needed, free = quantity(self.needed, self.limit), quantity(self.limit.free, self.limit)
        promised = " beside what running machines may still take" if self.limit.promised else ""
        return f"{self.limit.name}: {amount(self.of)} {verb} {needed}, {free} are free{promised}"


@dataclass(frozen=True, kw_only=True)
class Admission:
    """How many of the machines that are to be started fit.

    Attributes:
        fit: how many of them every limit is enough for, counted from the first.
        of: how many there are.
        uses: what they need of each limit, in the provider's order.
        smaller_memory_mb: a `memory:` with which the host's memory is enough for all; 0 where it is
            already, or no sensible one would do.
    """

    fit: int
    of: int
    uses: tuple[Use, ...]
    smaller_memory_mb: int = 0

    @property
    def all_fit(self) -> bool:
        """Whether every limit is enough for all."""
        return self.fit == self.of

    @property
    def short(self) -> tuple[Use, ...]:
        """The limits that are not enough for all."""
        return tuple(use for use in self.uses if use.fit < use.of)

    @property
    def options(self) -> tuple[str, ...]:
        """What can be done for all to fit, or without that: commands and edits."""
        raised = (use.limit.hint_for(use.needed) for use in self.short)
        options = [hint for hint in dict.fromkeys(raised) if hint]
        if self.smaller_memory_mb:
            options.append(
                f"write `machine: {{memory: {self.smaller_memory_mb}MB}}` under `defaults:` "
                "in labs.yaml, and nothing larger below it"
            )
        if 0 < self.fit < self.of:
            options.append(f"lab up --fit   (starts the first {self.fit})")
        if self.short and all(use.limit.promised for use in self.short):
            options.append("lab up --overcommit   (starts all: few machines use all their memory)")
        return tuple(options)

    def refusal(self) -> HostError:
        """Why not all of them are started, and the options."""
        return HostError(
            f"{self.fit} of {amount(self.of)} fit on this computer",
            details="\n".join(str(use) for use in self.short),
            hint="\n".join(self.options),
        )


def use_of(limit: Limit, needs: Sequence[float]) -> Use:
    """What machines need of a limit together, from what each needs."""
    sums = list(itertools.accumulate(needs))
    # A machine that needs nothing of it starts even where it is used up.
    too_much = (number for number, need in enumerate(needs) if need and sums[number] > limit.free)
    return Use(
        limit=limit,
        needed=sums[-1] if sums else 0,
        fit=next(too_much, len(needs)),
        of=len(needs),
    )


def quantity(value: float, limit: Limit) -> str:
    """So much of a limit in words: `512 MB`, `7.5 GB`, `240`; never less than nothing."""
    return f"{figure(value, limit)} {limit.unit}".rstrip()


def figure(value: float, limit: Limit) -> str:
    """The same without its unit; only gigabytes are told in tenths."""
    return f"{max(value, 0):.1f}" if limit.unit == "GB" else str(int(max(value, 0)))


def amount(count: int) -> str:
    """Such as `1 machine`, `30 machines`."""
    return f"{count} machine" if count == 1 else f"{count} machines"
