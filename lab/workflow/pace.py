"""The pace of booting: how many machines the next call of Vagrant boots.

Machines boot in waves. The first is as large as the idle processors make it; after one in which a
machine was slow or too late the next is half as large, after a quick one twice. A wave is never
larger than what the memory that is free at this moment allows, and never smaller than one machine.
Of slow machines, emulated ones say, it never grows beyond what all processors boot at a time.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from lab.machines.providers.base import Provider
from lab.system.kernel import Kernel

# A wave that takes longer than this part of the boot time-out is too large.
_SLOW = 1 / 4
# However busy the host is, a part of its processors is ours; and the load of the last minute may be
# lab's own, of the bake before.
_LEAST_IDLE = 1 / 2
# The kernel's `some avg10`: the percentage of the last ten seconds that somebody waited for memory.
_PRESSURE_PERCENT = 10.0


@dataclass(frozen=True, kw_only=True)
class Load:
    """How busy the host is at this moment.

    Attributes:
        processors: how many it has.
        load: the load average of the last minute.
        free_mb: memory that machines may use.
        pressure_percent: of the last ten seconds, how much of it some process waited for memory.
    """

    processors: int
    load: float
    free_mb: float
    pressure_percent: float = 0.0


def look_at_host(kernel: Kernel | None = None) -> Load:
    """How busy a computer is, this one unless told; what its kernel does not say stops nothing."""
    kernel = kernel or Kernel()
    spare = kernel.spare_memory_mb()
    return Load(
        processors=os.cpu_count() or 1,
        load=kernel.load() or 0,
        free_mb=spare[0] if spare else math.inf,
        pressure_percent=kernel.memory_pressure_percent() or 0,
    )


class Pace:
    """How many machines boot at a time, from what the host is and how it went so far.

    Args:
        boot_weight: how many machines an idle processor boots at a time.
        boot_memory_mb: what a machine uses when it has booted.
        timeout_s: how long a machine may take to boot.
        look: says how busy the host is.
        slow: whether machines are slow: that one boots in its time says little of the host then.
    """

    def __init__(
        self,
        *,
        boot_weight: int,
        boot_memory_mb: int,
        timeout_s: float,
        look: Callable[[], Load],
        slow: bool = False,
    ) -> None:
        self._boot_memory_mb = boot_memory_mb
        self._slow_s = timeout_s * _SLOW
        self._look = look
        now = look()
        idle = max(now.processors - now.load, now.processors * _LEAST_IDLE)
        self._size = max(1, int(boot_weight * idle))
        self._most = boot_weight * now.processors if slow else sys.maxsize
        self._last = self._size

    def next(self, waiting: int) -> int:
        """How many of the machines that wait are to boot now.

        Args:
            waiting: how many do; one at least.
        """
        now = self._look()
        size = self._size // 2 if now.pressure_percent > _PRESSURE_PERCENT else self._size
        room = now.free_mb / self._boot_memory_mb
        self._last = max(1, int(min(size, room, waiting)))
        return self._last

    def report(self, slowest_s: float, late: int) -> None:
        """Learn from the wave that `next` gave last.

        Args:
            slowest_s: how long its slowest machine took to boot.
            late: how many of its machines did not boot in time.
        """
        if late or slowest_s > self._slow_s:
            self._size = max(1, self._last // 2)
        else:
            self._size = min(self._most, max(self._size, 2 * self._last))


def pace_for(provider: Provider, *, timeout_s: float) -> Pace:
    """The pace at which a provider's machines boot on this computer."""
    return Pace(
        boot_weight=provider.boot_weight,
        boot_memory_mb=provider.boot_memory_mb,
        timeout_s=timeout_s,
        look=look_at_host,
        slow=provider.patience > 1,
    )
