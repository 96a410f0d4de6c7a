"""Admission: before anything boots, what machines need of the host is summed over the roster."""

from __future__ import annotations

import bisect
from collections.abc import Collection, Sequence

from lab.classroom.classes import MachineSize
from lab.machines.admission import Admission as Admission
from lab.machines.admission import Use as Use
from lab.machines.admission import use_of
from lab.machines.fleet import Machine
from lab.machines.providers.base import Provider

# Debian with the guide's app does not run well in less.
_LEAST_MEMORY_MB = 256
_MEMORY_STEP_MB = 32


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
    uses = tuple(use_of(limit, [it.get(limit.name, 0) for it in needs]) for limit in limits)
    return Admission(
        fit=min((use.fit for use in uses), default=len(machines)),
        of=len(machines),
        uses=uses,
        smaller_memory_mb=_smaller_memory_mb(provider, sizes, uses),
    )


def _smaller_memory_mb(
    provider: Provider, sizes: Sequence[tuple[MachineSize, bool]], uses: Sequence[Use]
) -> int:
    """The most memory that each machine could have for the host's to be enough; 0 for too little.

    A machine that has less already keeps that.
    """
    memory = [use for use in uses if use.limit.unit == "MB"]
    if all(use.fit == use.of for use in memory):
        return 0

    def too_much(memory_mb: int) -> bool:
        smaller = (
            (size.model_copy(update={"memory_mb": min(size.memory_mb, memory_mb)}), new)
            for size, new in sizes
        )
        needs = [provider.needs(size, new=new) for size, new in smaller]
        return any(
            sum(it.get(use.limit.name, 0) for it in needs) > use.limit.free for use in memory
        )

    largest_mb = max(size.memory_mb for size, _ in sizes)
    steps = range(_LEAST_MEMORY_MB, largest_mb, _MEMORY_STEP_MB)
    enough = bisect.bisect_left(steps, x=True, key=too_much)
    return steps[enough - 1] if enough else 0
