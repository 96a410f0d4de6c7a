"""The limits of a host that a class of libvirt's machines meets, and what one takes of each.

A full machine takes all of its memory sooner or later, as its own kernel fills it with cached
files; so unlike a container's it is nothing that may be promised twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from lab.classroom.classes import MachineSize
from lab.machines.providers import host_capacity, libvirt_network
from lab.machines.providers.base import Limit
from lab.machines.providers.libvirt_virsh import Network
from lab.system.kernel import Kernel

# What a machine that has booted uses, QEMU itself included.
MEMORY_IN_USE_MB = 500
# QEMU itself, for each machine; emulated, with what it keeps of translated code besides, of which
# the Vagrantfile allows 256 MB.
_QEMU_MB = 100
_EMULATOR_MB = 350
# A clone of a bake with its app; the rest is the student's own room, up to `disk:`.
_DISK_GB = 0.5
_NEIGHBOURS = 1


def beside_mb(*, emulated: bool) -> int:
    """The memory that QEMU itself takes for a machine."""
    return _EMULATOR_MB if emulated else _QEMU_MB


def needs(size: MachineSize, *, new: bool, emulated: bool) -> dict[str, float]:
    """See `Provider.needs`."""
    only_new = {"disk": min(_DISK_GB, size.disk_gb), "addresses": 1.0} if new else {}
    return {
        "memory": float(size.memory_mb + beside_mb(emulated=emulated)),
        **only_new,
        "bridge ports": 1.0,
        "neighbours": float(_NEIGHBOURS),
    }


def limits(
    kernel: Kernel, *, root: Path, networks: Iterable[Network], promised_mb: float
) -> tuple[Limit, ...]:
    """See `Provider.capacity`.

    Args:
        kernel: the host's.
        root: where libvirt keeps lab's guests.
        networks: those of lab's that there are.
        promised_mb: memory that running guests were given and have not touched yet.
    """
    all_ = tuple(networks)
    return (
        *_memory(kernel, promised_mb),
        *host_capacity.disk(root),
        *_of_networks(kernel, all_),
        *host_capacity.neighbours(kernel),
    )


def _memory(kernel: Kernel, promised_mb: float) -> Iterator[Limit]:
    spare = kernel.spare_memory_mb()
    if spare is None:
        return
    free, total = spare
    yield Limit(
        name="memory",
        unit="MB",
        free=free - promised_mb,
        of=total,
        hint="lab halt LOGIN   (machines that nobody needs now; virsh list lists all of this "
        "computer)",
    )


def _of_networks(kernel: Kernel, networks: tuple[Network, ...]) -> Iterator[Limit]:
    """Of lab's networks the fullest counts: which one a machine will be in is not asked here."""
    free, of = libvirt_network.room(networks)
    yield Limit(name="addresses", unit="", free=free, of=of, hint=libvirt_network.FULL)
    ports = [count for it in networks if (count := kernel.ports_of(it.bridge)) is not None]
    most = host_capacity.BRIDGE_PORTS
    yield Limit(name="bridge ports", unit="", free=most - max(ports, default=0), of=most)
