"""Gives LXC guests addresses of their own: lxc_addresses.py LXCPATH LEASES NETWORK GUEST ...

Run as root by `providers.lxc`, as a program. An address that is known before the guest boots spares
DHCP (whose server first looks for three seconds whether anybody has it) and all asking for it.
What is taken: what other guests have, running or not, and what the bridge's DHCP server has lent
(LEASES is its file). NETWORK is the bridge's own address, `10.0.3.1/24`.

Prints `{"addresses": {GUEST: ADDRESS/PREFIX}, "left_out": number, "free": number}`. `free` is how
many addresses no guest that has been made has; those that are kept for guests about to be made are
among them, as they may be kept for the very guests that somebody asks for. Without any GUEST
nothing is allotted, and nothing is written.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

# An address is kept for a guest that is about to be made, and no longer when nobody makes it.
KEPT_FOR_S = 3600
_REGISTRY = ".lab-addresses"
_WORDS = 3
_OF_GUEST = re.compile(r"^lxc\.net\.\d+\.ipv4\.address\s*=\s*([0-9.]+)", re.MULTILINE)


def main(lxcpath: Path, leases: Path, bridge: ipaddress.IPv4Interface, guests: list[str]) -> None:
    """Allot, note, and print what came of it."""
    now_s = int(time.time())
    registry = lxcpath / _REGISTRY
    with (lxcpath / f"{_REGISTRY}.lock").open("w") as lock:
        # Two labs at a time must not give the same.
        fcntl.flock(lock, fcntl.LOCK_EX)
        noted = {guest: (at, int(when)) for guest, at, when in _rows(registry)}
        noted = {
            guest: (at, when)
            for guest, (at, when) in noted.items()
            if (lxcpath / guest).exists() or now_s - when < KEPT_FOR_S
        }
        configured = _configured(lxcpath)
        existing = {guest for guest in guests if (lxcpath / guest).exists()}
        known = {guest: at for guest, at in configured.items() if guest in existing}
        # A guest that was made without the address that was noted for it has its own ways.
        known |= {
            guest: at
            for guest, (at, _) in noted.items()
            if guest not in existing or guest in configured
        }
        taken = _lent(leases) | {at for guest, at in configured.items() if guest not in known}
        given = allot(guests, bridge, known=known, existing=existing, taken=taken)
        if guests:
            noted |= {guest: (at, now_s) for guest, at in given.items()}
            lines = "".join(f"{guest} {at} {when}\n" for guest, (at, when) in noted.items())
            new = registry.with_name(f"{_REGISTRY}.new")
            new.write_text(lines, encoding="utf-8")
            new.replace(registry)
    prefix = bridge.network.prefixlen
    left_out = [guest for guest in guests if guest not in given and guest not in existing]
    answer = {
        "addresses": {guest: f"{at}/{prefix}" for guest, at in given.items()},
        "left_out": len(left_out),
        "free": _free(bridge, _lent(leases) | set(configured.values())),
    }
    sys.stdout.write(json.dumps(answer))


def allot(
    guests: Sequence[str],
    bridge: ipaddress.IPv4Interface,
    *,
    known: Mapping[str, str],
    existing: Iterable[str],
    taken: Iterable[str],
) -> dict[str, str]:
    """An address for each guest, as far as they go.

    Args:
        guests: who needs one; one that exists and is not known has its own ways, and gets none.
        bridge: its own address, which is the guests' gateway, and its network.
        known: the addresses that were allotted before, by guest.
        existing: the guests that have been made.
        taken: what others have.
    """
    there, others = set(existing), set(taken) | {str(bridge.ip)}
    given = {
        guest: known[guest]
        for guest in guests
        if guest in known
        and known[guest] not in others
        and ipaddress.ip_address(known[guest]) in bridge.network
    }
    others |= set(given.values()) | {at for guest, at in known.items() if guest not in guests}
    free = (str(at) for at in bridge.network.hosts() if str(at) not in others)
    for guest in guests:
        if guest not in given and (guest not in there or guest in known):
            address = next(free, None)
            if address is None:
                break
            given[guest] = address
    return given


def _free(bridge: ipaddress.IPv4Interface, taken: Iterable[str]) -> int:
    used = {ipaddress.ip_address(at) for at in {*taken, str(bridge.ip)} if _is_address(at)}
    # The network's own address and that of all are nobody's.
    return bridge.network.num_addresses - 2 - sum(at in bridge.network for at in used)


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True


def _lent(leases: Path) -> set[str]:
    return {address for _, _, address in _rows(leases)}


def _rows(path: Path) -> list[list[str]]:
    """The first three words of a file's lines; shorter lines and a missing file have none."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [words[:_WORDS] for words in map(str.split, lines) if len(words) >= _WORDS]


def _configured(lxcpath: Path) -> dict[str, str]:
    """The addresses that stand in guests' configuration, whoever gave them."""
    found = {}
    for config in lxcpath.glob("*/config"):
        # Another lab may be destroying it at this moment.
        with suppress(FileNotFoundError):
            # The last one counts: vagrant-lxc leaves its earlier lines in the file.
            if addresses := _OF_GUEST.findall(config.read_text(errors="replace")):
                found[config.parent.name] = addresses[-1]
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), ipaddress.IPv4Interface(sys.argv[3]), sys.argv[4:])
