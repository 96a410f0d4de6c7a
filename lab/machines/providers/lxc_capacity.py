"""The limits of a Linux host that a class of LXC guests meets, and what a guest takes of each.

What a guest takes was measured on guests of the guide hellopython, clones of a bake, after `lab up`
and `lab verify` (docs/providers.md has the figures), and has room on top. Left out is what five
hundred guests do not reach: namespaces, terminals, keyrings (the guests' root has a million), nodes
of the file system, cgroups.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.classroom.classes import MachineSize
from lab.machines.providers import host_capacity
from lab.machines.providers.base import Limit
from lab.system.kernel import Kernel

# What a guest that has booted uses: 96 MB less of what the host has available.
MEMORY_IN_USE_MB = 128
# A clone of a bake: 7 MB. The rest is the student's own room.
_DISK_GB = 0.25
_INSTANCES = 8  # 7
_WATCHES = 64  # 26
_PROCESSES = 32  # 11, and what students start
_NEIGHBOURS = 3
_MB = 1 << 20

LARGER_NETWORK = (
    "Destroy machines that nobody needs (lxc-ls lists all), or give LXC a larger network: "
    "LXC_NETMASK and LXC_DHCP_RANGE in /etc/default/lxc-net."
)


@dataclass(frozen=True, kw_only=True)
class Network:
    """The bridge, how many addresses its network has, and how many of them nobody has."""

    bridge: str
    addresses: int
    free: int


def needs(size: MachineSize, *, new: bool) -> dict[str, float]:
    """See `Provider.needs`."""
    only_new = {"disk": min(_DISK_GB, size.disk_gb), "addresses": 1.0} if new else {}
    return {
        "memory": float(size.memory_mb),
        "memory really used": float(min(size.memory_mb, MEMORY_IN_USE_MB)),
        **only_new,
        "bridge ports": 1.0,
        "inotify instances": float(_INSTANCES),
        "inotify watches": float(_WATCHES),
        "processes": float(_PROCESSES),
        "neighbours": float(_NEIGHBOURS),
    }


def limits(
    kernel: Kernel, *, lxcpath: Path, network: Network | None, inotify: Mapping[str, int]
) -> tuple[Limit, ...]:
    """See `Provider.capacity`.

    Args:
        kernel: the host's.
        lxcpath: where LXC keeps guests.
        network: what is known of it.
        inotify: how many `instances` and `watches` root has; empty where that is not known.
    """
    return (
        *_memory(kernel),
        *host_capacity.disk(lxcpath),
        *_of_network(kernel, network),
        *_inotify(kernel, inotify),
        *_processes(kernel),
        *host_capacity.neighbours(kernel),
    )


def _memory(kernel: Kernel) -> Iterator[Limit]:
    """Memory twice: as labs.yaml promises it to machines, and as they use it."""
    spare = kernel.spare_memory_mb()
    if spare is None:
        return
    free, total = spare
    # What running guests may still take of what is free at this moment.
    promised = sum(
        max(0, min(guest.limit, total * _MB) - guest.used) / _MB
        for guest in kernel.guests("memory")
        if guest.limit < math.inf
    )
    yield Limit(
        name="memory",
        unit="MB",
        free=free - promised,
        of=total,
        hint="lab halt LOGIN   (machines that nobody needs now; lxc-ls -f lists all of this "
        "computer)"
        if promised
        else "",
        promised=True,
    )
    yield Limit(name="memory really used", unit="MB", free=free, of=total)


def _of_network(kernel: Kernel, network: Network | None) -> Iterator[Limit]:
    if network is None:
        return
    yield Limit(
        name="addresses",
        unit="",
        free=network.free,
        of=network.addresses,
        hint=LARGER_NETWORK,
    )
    ports = kernel.ports_of(network.bridge)
    if ports is not None:
        yield Limit(
            name="bridge ports",
            unit="",
            free=host_capacity.BRIDGE_PORTS - ports,
            of=host_capacity.BRIDGE_PORTS,
        )


def _inotify(kernel: Kernel, counted: Mapping[str, int]) -> Iterator[Limit]:
    """What root may have: the containers' root is the host's."""
    running = len(kernel.guests("memory"))
    for name, each in (("instances", _INSTANCES), ("watches", _WATCHES)):
        setting = f"fs.inotify.max_user_{name}"
        most = kernel.sysctl(setting)
        if most is not None:
            # Where not all could be counted, guests have at least what guests have.
            used = max(counted.get(name, 0), running * each)
            yield host_capacity.counted(f"inotify {name}", used=used, most=most, setting=setting)


def _processes(kernel: Kernel) -> Iterator[Limit]:
    """The kernel's limits of all processes, or a control group's around the guests."""
    tasks = kernel.tasks()
    known = [
        host_capacity.counted("processes", used=tasks, most=most, setting=setting)
        for setting in ("kernel.pid_max", "kernel.threads-max")
        if tasks is not None and (most := kernel.sysctl(setting)) is not None
    ]
    known += [
        Limit(
            name="processes",
            unit="",
            free=group.limit - group.used,
            of=group.limit,
            hint="Raise the limit of processes (pids.max) of the container that LXC runs in.",
        )
        for group in kernel.groups_around_guests("pids")
        if group.limit < math.inf
    ]
    yield from _least(known)


def _least(limits: Iterable[Limit]) -> Iterator[Limit]:
    if least := min(limits, key=lambda limit: limit.free, default=None):
        yield least
