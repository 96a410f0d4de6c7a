"""lab's networks of libvirt's: isolated or open, with the internet or without; and who is where.

A guest's address is kept for it in its network's definition, before it boots, so that it is known
and stays the same. libvirt's DHCP server gives it out.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import HostError, ProcessError
from lab.machines.providers import libvirt_virsh as virsh
from lab.machines.providers.base import Wanted
from lab.machines.providers.libvirt_detours import forbid_detours
from lab.machines.providers.libvirt_virsh import Network, Reservation
from lab.system import process

# By whether its guests are isolated, and whether they reach further than the host.
NAMES = {
    (True, True): "lab",
    (False, True): "lab-open",
    (True, False): "lab-offline",
    (False, False): "lab-open-offline",
}
# An interface's name has at most fifteen characters.
_BRIDGES = {
    "lab": "virbr-lab",
    "lab-open": "virbr-lab-open",
    "lab-offline": "virbr-lab-off",
    "lab-open-offline": "virbr-lab-oo",
}
# Private, and seldom used: each network takes the first /22 that this host knows nothing of.
_PRIVATE = ("10.177.0.0/16", "172.29.0.0/16", "192.168.176.0/20")
_CANDIDATES = tuple(
    candidate
    for private in _PRIVATE
    for candidate in ipaddress.ip_network(private).subnets(new_prefix=22)
    if isinstance(candidate, ipaddress.IPv4Network)
)
# A route to more than this is a way to everywhere, as a VPN has it in two halves: no network of
# somebody's.
_LEAST_PREFIX = 8
# For guests that somebody boots without lab. All others are given out by lab.
_BY_CHANCE = 64
_TRIES = 5
# URI NETWORKS, and a definition as its input. One lab at a time, and only when there are no others
# than those that the choice was made by: two labs would choose the same addresses.
_DEFINE = """
set -eu
exec 9</run
flock 9
now=$(virsh --quiet --connect "$1" net-list --all --name | tr -s '[:space:]' ' ')
[ "${now% }" = "$2" ] || exit 7
virsh --quiet --connect "$1" net-define /dev/stdin
"""
_OTHERS_SINCE = 7
FULL = "Destroy machines that nobody needs (virsh list --all lists all of this computer)."


@dataclass(frozen=True, kw_only=True)
class Allotment:
    """Which addresses guests are to have, and what must change in the networks for that.

    Attributes:
        given: the address of each guest, with its network's prefix length.
        add: what networks must keep from now on, each with the network's name.
        drop: what they must keep no longer.
        left_out: for how many guests there is none.
    """

    given: Mapping[str, str]
    add: tuple[tuple[str, Reservation], ...] = ()
    drop: tuple[tuple[str, Reservation], ...] = ()
    left_out: int = 0


def name_for(wanted: Wanted) -> str:
    """The network that a guest belongs in."""
    return NAMES[wanted.isolated, wanted.internet]


def mac_of(address: str) -> str:
    """The hardware address that goes with an address.

    It goes with the address and not with the guest: who had it before is still in the host's table
    of neighbours.
    """
    octets = ipaddress.ip_interface(address).ip.packed
    return "52:54:" + ":".join(f"{octet:02x}" for octet in octets)


def known() -> dict[str, Network]:
    """Those of lab's networks that there are, by name.

    Raises:
        ProcessError: libvirt did not answer.
    """
    return virsh.networks(tuple(NAMES.values()))


def require_for(names: Iterable[str]) -> None:
    """See that networks are lab's, or can be made; nothing is changed.

    Raises:
        HostError: somebody else's has its name, or no private network is free on this host.
        ProcessError: libvirt did not answer.
    """
    wanted = tuple(dict.fromkeys(names))
    there = known()
    _require_own(wanted, there)
    if any(name not in there for name in wanted):
        _free_network(virsh.ask("net-list --all --name")[0].split())


def ensure(names: Iterable[str], *, log: Path | None = None) -> dict[str, Network]:
    """See that networks are there and up, and that no guest gets around isolation by the host.

    Returns:
        All of lab's that there are then, by name.

    Raises:
        HostError: somebody else's has its name, or no private network is free on this host.
        ProcessError: libvirt did not make one.
    """
    wanted = tuple(dict.fromkeys(names))
    there = known()
    for name in wanted:
        if name not in there:
            _define(name, log=log)
    if any(name not in there for name in wanted):
        there = known()
    _require_own(wanted, there)
    up = set(virsh.ask("net-list --name")[0].split())
    for name in wanted:
        if name not in up:
            # Another lab may have been quicker.
            virsh.run("net-start", name, log=log, check=False)
            virsh.run("net-autostart", name, log=log, check=False)
    down = [name for name in wanted if name not in there]
    down += sorted(set(wanted) - set(virsh.ask("net-list --name")[0].split()))
    if down:
        raise ProcessError(
            f"libvirt's network {down[0]} could not be started",
            hint=f"sudo virsh net-start {down[0]}   (says why)",
            log=log,
        )
    offline = {NAMES[isolated, False] for isolated in (True, False)}
    forbid_detours(there.values(), offline=offline, log=log)
    return there


def _require_own(wanted: Iterable[str], there: Mapping[str, Network]) -> None:
    for name in wanted:
        if name in there and there[name].bridge != _BRIDGES[name]:
            raise HostError(
                f"libvirt has a network {name} here that lab did not make",
                details="Nobody knows whether it keeps machines apart.",
                hint="Give it another name. To remove it, when no machine uses it: "
                f"sudo virsh net-destroy {name}; sudo virsh net-undefine {name}",
            )


def xml_of(name: str, network: ipaddress.IPv4Network) -> str:
    """The definition of one of lab's networks."""
    isolated, internet = next(kind for kind, it in NAMES.items() if it == name)
    hosts = list(network.hosts())
    forward = "  <forward mode='nat'/>\n" if internet else ""
    port = "  <port isolated='yes'/>\n" if isolated else ""
    return (
        "<network>\n"
        f"  <name>{name}</name>\n"
        f"{forward}"
        f"  <bridge name='{_BRIDGES[name]}' stp='off' delay='0'/>\n"
        f"{port}"
        f"  <ip address='{hosts[0]}' netmask='{network.netmask}'>\n"
        "    <dhcp>\n"
        f"      <range start='{hosts[-_BY_CHANCE]}' end='{hosts[-1]}'/>\n"
        "    </dhcp>\n"
        "  </ip>\n"
        "</network>\n"
    )


def allot(
    guests: Sequence[Wanted],
    networks: Mapping[str, Network],
    *,
    running: Collection[str],
    forgotten: Collection[str] = (),
) -> Allotment:
    """An address for each guest, as far as they go.

    Args:
        guests: who needs one. One that runs without one that lab knows of gets none before it
            stops: its hardware address changes with it.
        networks: with what they keep; those that the guests belong in are among them.
        running: the guests that run, and stay where they are.
        forgotten: guests for which an address is kept and that nobody will make.
    """
    given: dict[str, str] = {}
    add: list[tuple[str, Reservation]] = []
    drop = [
        (it.name, host)
        for it in networks.values()
        for name, host in it.reserved.items()
        if name in forgotten and name not in {guest.name for guest in guests}
    ]
    free = {name: _free(network) for name, network in networks.items()}
    left_out = 0
    for guest in guests:
        had = [it for it in networks.values() if guest.name in it.reserved]
        wanted = name_for(guest)
        stays = [it for it in had if it.name == wanted or guest.name in running]
        if stays:
            given[guest.name] = _with_prefix(stays[0].reserved[guest.name].ip, stays[0])
            continue
        if guest.name in running:
            continue
        ip = next(free[wanted], "")
        if not ip:
            left_out += 1
            continue
        given[guest.name] = _with_prefix(ip, networks[wanted])
        drop += [(it.name, it.reserved[guest.name]) for it in had]
        add.append((wanted, Reservation(guest=guest.name, ip=ip, mac=mac_of(ip))))
    return Allotment(given=given, add=tuple(add), drop=tuple(drop), left_out=left_out)


def give_addresses(
    guests: Sequence[Wanted],
    *,
    running: Collection[str],
    forgotten: Collection[str] = (),
) -> dict[str, str]:
    """Keep an address for each guest; see `allot`.

    Raises:
        HostError: a network has no more.
        ProcessError: libvirt did not take them.
    """
    for _ in range(_TRIES):
        networks = ensure(map(name_for, guests))
        allotment = allot(guests, networks, running=running, forgotten=forgotten)
        if allotment.left_out:
            raise HostError(
                f"lab's networks of libvirt's have no addresses left for {allotment.left_out} of "
                f"{len(guests)} machines",
                hint=FULL,
            )
        if not allotment.add and not allotment.drop:
            return dict(allotment.given)
        # Another lab that has just been given one of them makes libvirt refuse it to this one.
        _change("delete", allotment.drop)
        _change("add", allotment.add)
    raise ProcessError("libvirt does not keep the addresses that lab gives to machines")


def release(guests: Collection[str]) -> None:
    """Keep no address for these guests any longer.

    Raises:
        ProcessError: libvirt did not answer.
    """
    kept = [
        (network.name, host)
        for network in known().values()
        for name, host in network.reserved.items()
        if name in guests
    ]
    _change("delete", kept)


def forgotten(spoken_for: Collection[str]) -> set[str]:
    """Guests of lab's for which an address is kept, and that nobody has or is about to make.

    Args:
        spoken_for: those that somebody has or is about to make.

    Raises:
        ProcessError: libvirt did not answer.
    """
    return {
        name
        for network in known().values()
        for name in network.reserved
        if name.startswith("lab") and name not in spoken_for
    }


def room(networks: Iterable[Network]) -> tuple[int, int]:
    """How many addresses are left in the fullest of the networks, and how many each has."""
    all_ = list(networks)
    size = _CANDIDATES[0].num_addresses - 3 - _BY_CHANCE
    return min((sum(1 for _ in _free(it)) for it in all_), default=size), size


def _define(name: str, *, log: Path | None) -> None:
    for _ in range(_TRIES):
        there = virsh.ask("net-list --all --name")[0].split()
        # Another lab was quicker: that is well, too.
        if name in there:
            return
        network = _free_network(there)
        done = process.run(
            process.as_root(["sh", "-c", _DEFINE, "sh", virsh.URI, " ".join(there)]),
            stdin=xml_of(name, network).encode(),
            log=log,
            timeout_s=120,
            check=False,
        )
        if done.returncode != _OTHERS_SINCE:
            return


def _free_network(there: Sequence[str]) -> ipaddress.IPv4Network:
    """The private network that one of lab's can have, beside libvirt's networks that are there."""
    taken = [*_routed(), *(other.gateway.network for other in virsh.networks(there).values())]
    network = next((it for it in _CANDIDATES if not any(it.overlaps(no) for no in taken)), None)
    if network is None:
        raise HostError(
            "Every private network that lab would give libvirt's machines is in use here",
            details=f"Routes lead to all of {', '.join(_PRIVATE)}.",
            hint="Take one of them down until lab has made its network, once (a VPN?); which "
            "there are: ip -4 route show table all",
        )
    return network


def _routed() -> list[ipaddress.IPv4Network]:
    """What this host has routes to, but for the ways to everywhere."""
    said = process.run(["ip", "-json", "-4", "route", "show", "table", "all"]).stdout
    found = []
    for route in json.loads(said or "[]"):
        if route["dst"] != "default":
            found.append(ipaddress.IPv4Network(route["dst"], strict=False))
    return [network for network in found if network.prefixlen >= _LEAST_PREFIX]


def _change(verb: str, reservations: Iterable[tuple[str, Reservation]]) -> None:
    changes = list(reservations)
    if not changes:
        return
    up = set(virsh.ask("net-list --name")[0].split())
    virsh.ask(
        *(
            f"net-update {network} {verb} ip-dhcp-host "
            f"\"<host mac='{it.mac}' name='{it.guest}' ip='{it.ip}'/>\" --config"
            # Of one that is down libvirt refuses both at a time.
            + (" --live" if network in up else "")
            for network, it in changes
        )
    )


def _free(network: Network) -> Iterator[str]:
    used = {host.ip for host in network.reserved.values()} | {str(network.gateway.ip)}
    hosts = [str(it) for it in network.gateway.network.hosts()]
    return (it for it in hosts[:-_BY_CHANCE] if it not in used)


def _with_prefix(ip: str, network: Network) -> str:
    return f"{ip}/{network.gateway.network.prefixlen}"
