"""Admission: whether the machines that are to be started fit on this computer, and what limits.

Before anything boots, what each machine needs of the host's limits is summed over the roster.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lab.classroom.classes import MachineSize
from lab.errors import HostError
from lab.machines.fleet import Machine
from lab.machines.providers.base import Limit, Provider

# Debian with the guide's app does not run well in less.
_LEAST_MEMORY_MB = 256
_MEMORY_STEP_MB = 32


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


@dataclass(frozen=True, kw_only=True)
class Admission:
    """How many machines fit.

    Attributes:
        fit: how many of them, counted from the first, every limit is enough for.
        of: how many there are to be started.
        uses: what they need of each limit, in the provider's order.
        smaller_memory_mb: a `memory:` with which all would fit; 0 where there is none.
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

    def refusal(self) -> HostError:
        """Why not all of them are started, and what can be done."""
        return HostError(
            f"{self.fit} of {machines_in_words(self.of)} fit on this computer",
            details="\n".join(
                f"{use.limit.name}: {machines_in_words(self.of)} need{'s' if self.of == 1 else ''} "
                f"{quantity(use.needed, use.limit)}, {quantity(use.limit.free, use.limit)} are free"
                for use in self.short
            ),
            hint="\n".join(self._options()),
        )

    def _options(self) -> list[str]:
        raised = [use.limit.hint_for(use.needed) for use in self.short]
        options = [hint for hint in dict.fromkeys(raised) if hint]
        if self.smaller_memory_mb:
            options.append(
                f"Smaller machines: write `machine: {{memory: {self.smaller_memory_mb}MB}}` "
                "under `defaults:` in labs.yaml"
            )
        if self.fit:
            options.append(f"lab up --fit   (starts the first {self.fit} of them)")
        if all(use.limit.promised for use in self.short):
            options.append(
                "lab up --overcommit   (starts all: `memory:` is a machine's most, "
                "and few use it all)"
            )
        return options


def admit(
    provider: Provider,
    machines: Sequence[Machine],
    *,
    existing: Collection[str] = (),
    overcommit: bool = False,
) -> Admission:
    """See how many machines fit.

    Args:
        provider: whose limits count.
        machines: those that are to be started, in the roster's order; none of them runs.
        existing: the provider's names of the guests that have been made; what `Provider.guests`
            returned will do.
        overcommit: whether limits are left out that machines seldom use as promised.

    Raises:
        ProcessError: the provider did not answer.
    """
    limits = [it for it in provider.capacity() if not (overcommit and it.promised)]
    sizes = [(it.student.machine, it.container not in existing) for it in machines]
    needs = [provider.needs(size, new=new) for size, new in sizes]
    uses = tuple(_use(limit, [it.get(limit.name, 0) for it in needs]) for limit in limits)
    return Admission(
        fit=min((use.fit for use in uses), default=len(machines)),
        of=len(machines),
        uses=uses,
        smaller_memory_mb=_smaller_memory_mb(
            provider, sizes, [it.limit for it in uses if it.limit.promised and it.fit < it.of]
        ),
    )


def quantity(amount: float, limit: Limit) -> str:
    """So much of a limit in words: `512 MB`, `7.5 GB`, `240`; never less than nothing."""
    rounded = f"{max(amount, 0):.1f}".removesuffix(".0")
    return f"{rounded} {limit.unit}".rstrip()


def machines_in_words(count: int) -> str:
    """`1 machine`, `30 machines`."""
    return f"{count} machine" if count == 1 else f"{count} machines"


def _use(limit: Limit, needs: Sequence[float]) -> Use:
    sums = list(itertools.accumulate(needs))
    # A machine that needs nothing of it starts even where it is used up.
    too_much = (number for number, need in enumerate(needs) if need and sums[number] > limit.free)
    return Use(
        limit=limit,
        needed=sums[-1] if sums else 0,
        fit=next(too_much, len(needs)),
        of=len(needs),
    )


def _smaller_memory_mb(
    provider: Provider, sizes: Sequence[tuple[MachineSize, bool]], limits: Sequence[Limit]
) -> int:
    """The most memory that each machine could have for all of them to fit; 0 for too little."""

    def too_much(memory_mb: int) -> bool:
        needs = [
            provider.needs(
                size.model_copy(update={"memory_mb": min(size.memory_mb, memory_mb)}), new=new
            )
            for size, new in sizes
        ]
        return any(sum(it.get(limit.name, 0) for it in needs) > limit.free for limit in limits)

    if not limits:
        return 0
    largest = max(size.memory_mb for size, _ in sizes)
    steps = range(_LEAST_MEMORY_MB, largest, _MEMORY_STEP_MB)
    enough = bisect.bisect_left(steps, x=True, key=too_much)
    return steps[enough - 1] if enough else 0
