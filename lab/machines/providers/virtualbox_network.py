"""Where VirtualBox's machines are reached: a number each, which its ports and its address follow.

Every machine has a network of its own behind VirtualBox's NAT, in which nobody else is, and is
reached at two ports of this computer. Machines that are not to be kept apart have a second network,
which they share.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from lab.errors import HostError, LabError
from lab.machines.boxes.catalog import vagrant_home
from lab.machines.providers.base import HTTP, LOOPBACK, SSH
from lab.machines.providers.virtualbox_manage import VirtualMachine
from lab.system import lock
from lab.system.files import read_json, write_json

# Away from Vagrant's own (2200 to 2250) and from those that systems give away by themselves (from
# 32768 on with Linux, from 49152 on with macOS).
FIRST_PORT = {SSH: 22_000, HTTP: 28_000}
MACHINES = 1_000
# What VirtualBox has host-only networks in where nobody says otherwise.
# https://www.virtualbox.org/manual/ch06.html#network_hostonly
ALLOWED = (ipaddress.IPv4Network("192.168.56.0/21"),)
NETWORKS_CONF = Path("/etc/vbox/networks.conf")
# Of these the upper half, as VirtualBox itself and most Vagrantfiles begin at the lower end.
_PREFERRED = ipaddress.IPv4Network("192.168.60.0/22")
_REGISTRY = "lab-virtualbox.json"
# A number is kept for a machine that is about to be made, and no longer when nobody makes it.
_KEPT_FOR_S = 24 * 3600
_LOCK_S = 60.0
_ANSWER_S = 0.5


def give_numbers(guests: Sequence[str], machines: Mapping[str, VirtualMachine]) -> dict[str, int]:
    """A number for each guest, that no other has; one that it has already stays.

    Args:
        guests: who is to have one.
        machines: all of this user's virtual machines.

    Raises:
        HostError: there are not so many left.
        LockedError: another lab is at it, and does not end.
    """
    with _registry() as registry:
        now_s = int(time.time())
        noted = {
            name: (number, when)
            for name, (number, when) in _read(registry).items()
            if now_s - when < _KEPT_FOR_S
        }
        kept = {name: number for name, (number, _) in noted.items()}
        given = allot(guests, machines, kept=kept, is_free=_is_free)
        left_out = len(guests) - len(given)
        if left_out:
            raise HostError(
                f"There are no ports left for {left_out} of {len(guests)} machines",
                details=f"Each takes one from {FIRST_PORT[SSH]} and one from {FIRST_PORT[HTTP]} "
                f"on, {MACHINES} of either in all.",
                hint="Destroy machines that nobody needs: VBoxManage list vms",
            )
        write_json(registry, noted | {name: (number, now_s) for name, number in given.items()})
    return given


def forget(guests: Collection[str]) -> None:
    """Drop what is kept for guests that are no more.

    Raises:
        LockedError: another lab is at it, and does not end.
    """
    with _registry() as path:
        noted = _read(path)
        if not noted.keys().isdisjoint(guests):
            write_json(path, {name: it for name, it in noted.items() if name not in guests})


@contextmanager
def _registry() -> Iterator[Path]:
    """The file with the numbers that are kept; nobody else writes it in the block."""
    path = vagrant_home() / _REGISTRY
    with lock.hold(
        path.with_suffix(".lock"),
        operation="giving ports to machines",
        wait_s=_LOCK_S,
        what="the list of ports",
    ):
        yield path


def allot(
    guests: Sequence[str],
    machines: Mapping[str, VirtualMachine],
    *,
    kept: Mapping[str, int],
    is_free: Callable[[int], bool],
) -> dict[str, int]:
    """A number for each guest, as far as they go.

    Args:
        guests: who is to have one.
        machines: all of this user's virtual machines; a port that leads to one is not free, whether
            it runs or not.
        kept: the numbers that were given for machines about to be made.
        is_free: whether nothing listens at a port of this computer.
    """
    theirs = {name: numbers_of(it.ports) for name, it in machines.items()}
    others = {it for name, them in theirs.items() if name not in guests for it in them}
    others |= {it for name, it in kept.items() if name not in guests and name not in machines}
    given: dict[str, int] = {}
    for guest in guests:
        # What runs holds its ports itself.
        running = guest in machines and machines[guest].state != "stopped"
        number = min(theirs.get(guest, ()), default=kept.get(guest))
        if number is None or number in others:
            continue
        if running or _are_free(number, is_free):
            given[guest] = number
            others.add(number)
    free = (it for it in range(MACHINES) if it not in others and _are_free(it, is_free))
    without = [guest for guest in guests if guest not in given]
    return given | dict(zip(without, free, strict=False))


def ports(number: int) -> dict[int, int]:
    """The ports of this computer that lead to the machine of that number, by its own."""
    return {own: first + number for own, first in FIRST_PORT.items()}


def numbers_of(used: Mapping[int, int]) -> set[int]:
    """The numbers that a machine's ports take."""
    ranges = [range(first, first + MACHINES) for first in FIRST_PORT.values()]
    return {port - it.start for port in used.values() for it in ranges if port in it}


def shared_address(number: int) -> str:
    """The address of the machine of that number in the network that all share, with its prefix.

    Raises:
        HostError: VirtualBox may have no network that is large enough.
    """
    network = shared_network(allowed_networks())
    # The first is this computer's.
    return f"{network.network_address + 2 + number}/{network.prefixlen}"


def shared_network(allowed: Sequence[ipaddress.IPv4Network]) -> ipaddress.IPv4Network:
    """The network of machines that are not kept apart, in one that VirtualBox may have.

    Raises:
        HostError: none of those is large enough.
    """
    if any(_PREFERRED.subnet_of(it) for it in allowed):
        return _PREFERRED
    for network in allowed:
        if network.prefixlen <= _PREFERRED.prefixlen:
            # The last one in it.
            last = network.broadcast_address
            return ipaddress.IPv4Network(f"{last}/{_PREFERRED.prefixlen}", strict=False)
    raise HostError(
        f"{NETWORKS_CONF} allows no network of {MACHINES} machines",
        hint=f"Add a line to it: * {ALLOWED[0]}",
    )


def allowed_networks(conf: Path = NETWORKS_CONF) -> tuple[ipaddress.IPv4Network, ...]:
    """The networks in which VirtualBox may have host-only ones on this computer.

    Raises:
        HostError: the file that says so has something else in it.
    """
    if not conf.is_file():
        return ALLOWED
    lines = conf.read_text(encoding="utf-8", errors="replace").splitlines()
    words = [word for line in lines if line.startswith("*") for word in line[1:].split()]
    try:
        networks = [ipaddress.ip_network(word, strict=False) for word in words]
    except ValueError as error:
        raise HostError(
            f"{conf} cannot be understood", details=str(error), hint=f"Mend it: sudoedit {conf}"
        ) from error
    return tuple(it for it in networks if isinstance(it, ipaddress.IPv4Network))


def free_numbers(machines: Mapping[str, VirtualMachine]) -> int:
    """How many more machines there are ports for."""
    return MACHINES - len({it for each in machines.values() for it in numbers_of(each.ports)})


def _are_free(number: int, is_free: Callable[[int], bool]) -> bool:
    return all(is_free(port) for port in ports(number).values())


def _is_free(port: int) -> bool:
    # With macOS a port can be taken at this address that somebody has at all addresses.
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as asked:
        asked.settimeout(_ANSWER_S)
        if asked.connect_ex((LOOPBACK, port)) == 0:
            return False
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as tried:
        # What was closed a moment ago does not count.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _read(registry: Path) -> dict[str, tuple[int, int]]:
    """Numbers with the second at which they were given; no more than a memory."""
    try:
        return {name: (int(it[0]), int(it[1])) for name, it in read_json(registry).items()}
    except (LabError, LookupError, TypeError, ValueError):
        return {}
