"""lxc-net, the service that makes LXC's bridge, and its server for DHCP and DNS."""

from __future__ import annotations

import secrets
import socket
import struct
from contextlib import suppress
from pathlib import Path

from lab.errors import HostError
from lab.machines.health import Command

INTERFACES = Path("/sys/class/net")
_SCRIPT = "/usr/libexec/lxc/lxc-net"
_SYSTEMD = Path("/run/systemd/system")
_MARK = Path("/run/lxc/network_up")
_DNS_PORT = 53
_ANSWER_S = 1.5
_TRIES = 3


def start() -> tuple[Command, ...]:
    """What starts it where there is no bridge."""
    # It does nothing while its mark says that it runs. Without a bridge nobody is on it.
    return _told("restart" if _MARK.exists() else "start")


def restart() -> tuple[Command, ...]:
    """What starts it anew; machines that are on the bridge are cut off for seconds."""
    return _told("restart")


def is_in_use(bridge: str) -> bool:
    """Whether anybody is on the bridge, who would be cut off."""
    ports = INTERFACES / bridge / "brif"
    return ports.is_dir() and any(ports.iterdir())


def answers(address: str, *, port: int = _DNS_PORT) -> bool:
    """Whether a name server answers there; it is asked for `localhost`, which needs no other."""
    number = secrets.randbits(16)
    question = struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0)
    question += b"\x09localhost\x00" + struct.pack(">HH", 1, 1)
    for _ in range(_TRIES):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, suppress(OSError):
            asking.settimeout(_ANSWER_S)
            asking.connect((address, port))
            asking.send(question)
            if asking.recv(512)[:2] == question[:2]:
                return True
    return False


def require_name_server(bridge: str, address: str) -> None:
    """See that the server for DHCP and DNS answers at the bridge's address.

    It may be gone while the bridge is there: it is a process of its own.

    Raises:
        HostError: it does not.
    """
    if not answers(address):
        raise HostError(
            f"The DHCP and DNS server of {bridge} does not answer at {address}: machines would "
            "resolve no names, and install nothing",
            hint=f"{'; '.join(map(str, restart()))}   (cuts off machines on {bridge} for seconds)",
        )


def _told(verb: str) -> tuple[Command, ...]:
    if _SYSTEMD.is_dir():
        return (Command(argv=("systemctl", verb, "lxc-net"), as_root=True),)
    verbs = ("stop", "start") if verb == "restart" else (verb,)
    return tuple(Command(argv=(_SCRIPT, it), as_root=True) for it in verbs)
