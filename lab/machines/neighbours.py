"""Tries, from inside the guests, which of them reach which.

Each guest hears what arrives at its interface while others try to reach it, so that also what goes
only one way is seen. What is run in them is `neighbours.pl`.
"""

from __future__ import annotations

import shlex
import socket
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lab.errors import MachineError
from lab.machines import ssh
from lab.machines.fleet import Machine
from lab.machines.host_apt import host_mirror
from lab.system import process
from lab.system.files import LabFolder

_PROGRAM = Path(__file__).with_name("neighbours.pl")
# How long a connection may take: a hardware address that nobody answers for is given up after 3 s.
_TRY_S = 4.0
_AROUND_S = 60.0
_DISCARD = 9
# Who the host is among those that are heard.
HOST = "host"
_LOOPBACK = "127."
_RESOLV_CONF = Path("/etc/resolv.conf")
_WAYS_OUT = (53, 80, 443)
_CONNECT_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A guest that hears what arrives.

    Attributes:
        hardware: its interface's address.
        ipv6: its global address, "" for none.
        keys: the public keys that open its accounts: user, and kind and key.
    """

    hardware: str
    ipv6: str = ""
    keys: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tries:
    """What came of a guest's tries, as far as it knows.

    Attributes:
        gateway: whether its gateway answered, so that its frames leave.
        opened: the ports that others opened, by the other's number.
        beyond: the doors beyond the host that opened, `ADDRESS:PORT`.
    """

    gateway: bool
    opened: Mapping[int, tuple[int, ...]]
    beyond: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What arrived at a guest.

    Attributes:
        ways: by which ways, by the number of who tried; `HOST` is among them.
        looked: the addresses that looked for others.
    """

    ways: Mapping[str, tuple[str, ...]]
    looked: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a guest is among those that try each other."""

    number: int
    address: str
    listener: Listener


def listen(
    folder: LabFolder, machine: Machine, *, mark: str, address: str, lasts_s: float
) -> Listener:
    """Have a guest hear what arrives, until `hear` or so many seconds later.

    Raises:
        ConnectionLost: there is no connection.
        MachineError: it cannot be done there.
        ProcessError: it took too long.
    """
    words = ["listen", mark, address, str(round(lasts_s))]
    hardware, keys = ("", ""), []
    for kind, *rest in _run(folder, machine, words, timeout_s=_AROUND_S):
        if kind == "hardware":
            hardware = (rest[0], rest[1] if len(rest) > 1 else "")
        elif kind == "key":
            keys.append((rest[0], " ".join(rest[1:])))
    return Listener(hardware=hardware[0], ipv6=hardware[1], keys=tuple(keys))


def try_all(
    folder: LabFolder,
    machine: Machine,
    *,
    mark: str,
    own: Place,
    others: Sequence[Place],
    beyond: Iterable[str],
) -> Tries:
    """Have a guest try to reach others, and doors beyond the host (`ADDRESS:PORT`), side by side.

    Raises:
        ConnectionLost: there is no connection.
        MachineError: it cannot be done there.
        ProcessError: it took too long.
    """
    lines = [f"self {own.number}"]
    lines += [
        f"guest {it.number} {it.address} {it.listener.hardware} {it.listener.ipv6}".rstrip()
        for it in others
    ]
    lines += ["beyond " + " ".join(door.rsplit(":", 1)) for door in beyond]
    login, seconds = machine.student.login, str(_TRY_S * machine.patience)
    words = ["try", mark, own.address, _gateway_of(own.address), login, seconds]
    said = _run(
        folder,
        machine,
        words,
        data="\n".join(lines),
        # A few hundred connections at a time.
        timeout_s=_AROUND_S + _TRY_S * len(others) / 100,
    )
    opened: dict[int, list[int]] = {}
    for kind, *rest in said:
        if kind == "tcp":
            opened.setdefault(int(rest[0]), []).append(int(rest[1]))
    return Tries(
        gateway=any(words[0] == "gateway" and words[1] != "-" for words in said),
        opened={number: tuple(sorted(ports)) for number, ports in opened.items()},
        beyond=tuple(":".join(words[1:3]) for words in said if words[0] == "beyond"),
    )


def hear(folder: LabFolder, machine: Machine, *, mark: str) -> Heard:
    """What arrived at a guest that was told to listen; nothing of it is left there.

    Raises:
        ConnectionLost: there is no connection.
        MachineError: it does not listen any more.
        ProcessError: it took too long.
    """
    ways: dict[str, list[str]] = {}
    looked = set()
    for who, way in _run(folder, machine, ["heard", mark], timeout_s=_AROUND_S):
        if who == "arp":
            looked.add(way)
        else:
            ways.setdefault(who, []).append(way)
    return Heard(
        ways={who: tuple(sorted(its)) for who, its in ways.items()}, looked=frozenset(looked)
    )


def speak(addresses: Collection[str], *, mark: str, word: str) -> None:
    """Say a word to guests from the host, which must arrive if anything does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaking:
        for address in addresses:
            # A guest that refuses says so, and it is the next one that would be told.
            for _ in range(3):
                with suppress(OSError):
                    speaking.sendto(f"lab {mark} {HOST} {word};".encode(), (address, _DISCARD))


def doors_beyond() -> tuple[str, ...]:
    """Doors beyond this computer that open to it, `ADDRESS:PORT`: what a guest might reach, too.

    Its own, at whichever of its addresses, are none: a guest may reach some of them and not others,
    and neither says anything of what is beyond.
    """
    wanted = [(name, 53) for name in _name_servers()]
    wanted += [(gateway, port) for gateway in _gateways() for port in _WAYS_OUT]
    for distribution in ("debian", "ubuntu"):
        if mirror := host_mirror(distribution):
            scheme, _, rest = mirror.partition("://")
            name, _, given = rest.partition("/")[0].partition(":")
            wanted.append((name, int(given or (443 if scheme == "https" else 80))))
    found = {}
    for name, port in wanted:
        with suppress(OSError), socket.create_connection((name, port), _CONNECT_S) as opened:
            own, address = opened.getsockname()[0], opened.getpeername()[0]
            # A connection to an address of this computer's begins at that address.
            if ":" not in address and address != own and not address.startswith(_LOOPBACK):
                found[f"{address}:{port}"] = True
    return tuple(found)


def _gateway_of(address: str) -> str:
    """The host's own address in a guest's network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect((address, _DISCARD))
        return str(asking.getsockname()[0])


def _gateways() -> list[str]:
    words = process.run(["ip", "-4", "route", "show", "default"], check=False).stdout.split()
    return [words[at + 1] for at, word in enumerate(words) if word == "via"]


def _name_servers() -> list[str]:
    text = _RESOLV_CONF.read_text(encoding="utf-8") if _RESOLV_CONF.exists() else ""
    named = [words[1] for line in text.splitlines() if len(words := line.split()) > 1]
    return [at for at in named if at.count(".") == 3]


def _run(
    folder: LabFolder, machine: Machine, words: Sequence[str], *, data: str = "", timeout_s: float
) -> list[list[str]]:
    """The lines that the program prints in a guest, in words."""
    program = f"{_PROGRAM.read_text(encoding='utf-8')}\n__END__\n{data}\n"
    ran = ssh.run_as_root(
        folder,
        machine,
        shlex.join(["exec", "perl", "-", *words]),
        stdin=program.encode(),
        timeout_s=timeout_s,
    )
    if not ran.ok:
        raise MachineError(
            f"{machine.name} could not be tried", details=ran.tail(3) or "it says nothing"
        )
    return [line.split() for line in ran.stdout.splitlines() if line.strip()]
