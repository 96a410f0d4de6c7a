"""The bridge that LXC machines are on: there, forwarding, with a server for DHCP and DNS."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from pathlib import Path

from lab.machines.health import Command, Verdict, note, ok, problem, unknown
from lab.machines.providers import lxc, lxc_isolation, lxc_net

_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_PROCESSES = Path("/proc")
_FLAG_UP = 1
_WHY = "Machines reach each other's network, and the world, over this bridge only."


def up() -> Verdict:
    """Whether the bridge is there, up, and has an address."""
    name = lxc.BRIDGE
    interface = lxc_net.INTERFACES / name
    if not interface.exists():
        return problem(f"The bridge {name} is not there", why=_WHY, commands=lxc_net.start())
    if not int((interface / "flags").read_text(), 16) & _FLAG_UP:
        return problem(
            f"The bridge {name} is down",
            why=_WHY,
            commands=(Command(argv=("ip", "link", "set", name, "up"), as_root=True),),
        )
    address = _address()
    if address is None:
        return _restarted(f"The bridge {name} has no address", why=_WHY)
    return ok(f"{name} is up, {address}")


def forwarding() -> Verdict:
    """Whether this computer hands on what machines send to the world."""
    if _FORWARDING.read_text().strip() == "1":
        return ok("net.ipv4.ip_forward is 1")
    return problem(
        "net.ipv4.ip_forward is 0",
        why="Machines reach nothing but this computer: no archive, no package index.",
        commands=(Command(argv=("sysctl", "-w", "net.ipv4.ip_forward=1"), as_root=True),),
    )


def name_server() -> Verdict:
    """Whether the bridge's server answers a question about a name."""
    address = _address()
    if address is None:
        return unknown(f"{lxc.BRIDGE} has no address to ask at: see bridge.up")
    if lxc_net.answers(str(address.ip)):
        return ok(f"the name server at {address.ip} answers")
    return _restarted(
        f"The DHCP and DNS server of {lxc.BRIDGE} does not answer at {address.ip}",
        why="Machines resolve no names, and those of other boxes get no address.",
    )


def room_beside_dhcp(machines: int) -> Verdict:
    """Whether the DHCP server leaves addresses to those that lab gives to `machines` itself."""
    address = _address()
    range_ = _dhcp_range()
    if address is None or range_ is None:
        return unknown(f"No DHCP server of {lxc.BRIDGE} runs: see bridge.dns")
    first, last = range_
    # Without the network's own, the broadcast and the bridge's address.
    usable = address.network.num_addresses - 3
    lent = int(last) - int(first) + 1
    free = max(0, usable - lent)
    if free >= machines:
        return ok(f"{free} of {usable} addresses are lab's own, {first} to {last} are lent")
    last = address.network.broadcast_address - 1
    # A fifth of the network, at its end: lab begins at the other.
    smaller = address.network.num_addresses // 5
    return note(
        f"DHCP may lend {first} to {range_[1]}, and leaves {free} addresses to lab, which may "
        f"need {machines}: one of them may be lent while its machine is halted",
        fix=f'LXC_DHCP_RANGE="{last - smaller + 1},{last}" and LXC_DHCP_MAX="{smaller}" '
        "in /etc/default/lxc-net, for when lxc-net starts next",
    )


def isolation() -> Verdict:
    """Whether the kernel would take the rules that keep machines apart on the bridge."""
    if _address() is None:
        return unknown(f"{lxc.BRIDGE} has no address to keep machines to: see bridge.up")
    said = lxc_isolation.trouble(lxc.BRIDGE)
    if not said:
        return ok(f"the kernel takes nftables' rules for {lxc.BRIDGE}")
    return problem(
        f"Machines cannot be kept apart on {lxc.BRIDGE}: {said.splitlines()[0]}",
        why="Without that no machine of a lab starts, but for those with `isolation: off`.",
        fix="sudo apt-get install --no-install-recommends nftables",
    )


def _address() -> ipaddress.IPv4Interface | None:
    address = lxc.bridge_address()
    return ipaddress.IPv4Interface(address) if address else None


def _dhcp_range() -> tuple[ipaddress.IPv4Address, ipaddress.IPv4Address] | None:
    """What the DHCP server that runs on the bridge was told to lend, whatever files say by now."""
    for path in _PROCESSES.glob("[0-9]*/cmdline"):
        with suppress(OSError, ValueError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if f"--interface={lxc.BRIDGE}" in words and "--dhcp-range" in words:
                first, last = words[words.index("--dhcp-range") + 1].split(",")[:2]
                return ipaddress.IPv4Address(first), ipaddress.IPv4Address(last)
    return None


def _restarted(found: str, *, why: str) -> Verdict:
    """A problem that goes with a restart of lxc-net: safe as long as nobody is on the bridge."""
    if not lxc_net.is_in_use(lxc.BRIDGE):
        return problem(found, why=why, commands=lxc_net.restart())
    commands = "; ".join(map(str, lxc_net.restart()))
    return problem(found, why=why, fix=f"{commands}   (cuts off machines for seconds)")
