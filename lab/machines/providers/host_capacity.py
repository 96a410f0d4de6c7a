"""The limits of a Linux host that guests of every kind meet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lab.machines.providers.base import Limit
from lab.system.kernel import Kernel, disk_gb

# What the kernel allows to one bridge.
BRIDGE_PORTS = 1023
# Half of it for a box and a bake that may have to be made first; the rest is the host's own.
_DISK_RESERVE_GB = 4.0


def disk(folder: Path) -> Iterator[Limit]:
    """The disk where guests are kept."""
    space = disk_gb(folder)
    if space is not None:
        free, total = space
        yield Limit(
            name="disk",
            unit="GB",
            free=free - _DISK_RESERVE_GB,
            of=total,
            hint="lab box prune   (removes the bakes that no machine is a clone of); "
            "lab snapshot list   (says what snapshots take)",
        )


def neighbours(kernel: Kernel) -> Iterator[Limit]:
    """The table of IPv4 neighbours, which all guests are in."""
    setting = "net.ipv4.neigh.default.gc_thresh3"
    used, most = kernel.neighbours(), kernel.sysctl(setting)
    if used is not None and most is not None:
        yield counted("neighbours", used=used, most=most, setting=setting)


def counted(name: str, *, used: int, most: int, setting: str) -> Limit:
    """A limit that a setting of the kernel's says."""
    return Limit(
        name=name,
        unit="",
        free=most - used,
        of=most,
        hint=f"sudo sysctl -w {setting}={{total}}   (to keep it: "
        f"echo {setting}={{total}} | sudo tee -a /etc/sysctl.d/90-lab.conf)",
    )
