"""lxc-net, the service that makes LXC's bridge, and its server for DHCP and DNS."""

from __future__ import annotations

import secrets
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path

from lab.errors import HostError
from lab.machines.health import Command

INTERFACES = Path("/sys/class/net")
_SCRIPT = "/usr/libexec/lxc/lxc-net"
_SYSTEMD = Path("/run/systemd/system")
# What lxc-net leaves while it runs: a mark, and the number of its server.
_RUN = Path("/run/lxc")
_PROCESSES = Path("/proc")
_SERVER = "dnsmasq"
_DNS_PORT = 53
_ANSWER_S = 1.5
_TRIES = 3
# Which program serves: every server has an answer of its own, and asks no other (RFC 4892).
_QUESTION = b"\x07version\x04bind\x00" + struct.pack(">HH", 16, 3)


def start() -> tuple[Command, ...]:
    """What starts it where there is no bridge."""
    # It does nothing while its mark says that it runs. Without a bridge nobody is on it.
    return restart() if _made_the_bridge() else _told("start")


def restart() -> tuple[Command, ...]:
    """What starts it anew; machines that are on the bridge are cut off for seconds."""
    number = _RUN / "dnsmasq.pid"
    with suppress(OSError):
        pid = number.read_text(encoding="ascii").strip()
        if (_PROCESSES / pid / "comm").read_text(encoding="utf-8").strip() != _SERVER:
            # It kills whoever has that number by now.
            forget = Command(argv=("rm", str(number)), as_root=True)
            return (forget, *_told("restart"))
    return _told("restart")


def is_in_use(bridge: str) -> bool:
    """Whether anybody is on the bridge, who would be cut off."""
    ports = INTERFACES / bridge / "brif"
    return ports.is_dir() and any(ports.iterdir())


def answers(address: str, *, port: int = _DNS_PORT) -> bool:
    """Whether a name server answers there, whatever it says."""
    number = secrets.randbits(16)
    question = struct.pack(">HHHHHH", number, 0, 1, 0, 0, 0) + _QUESTION
    for _ in range(_TRIES):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(_ANSWER_S)
            try:
                asking.connect((address, port))
                asking.send(question)
                if asking.recv(512)[:2] == question[:2]:
                    return True
            except TimeoutError:
                pass
            except OSError:
                # Somebody may be starting it at this moment.
                time.sleep(_ANSWER_S / _TRIES)
    return False


def require_name_server(bridge: str, address: str) -> None:
    """See that the bridge's server for DHCP and DNS answers, where lxc-net is to run one.

    It may be gone while the bridge is there: it is a process of its own.

    Raises:
        HostError: it does not.
    """
    if _made_the_bridge() and not answers(address):
        cuts = f"   (cuts off machines on {bridge} for seconds)" if is_in_use(bridge) else ""
        raise HostError(
            f"The DHCP and DNS server of {bridge} does not answer at {address}: machines would "
            "resolve no names, and install nothing",
            hint="; ".join(map(str, restart())) + cuts,
        )


def _made_the_bridge() -> bool:
    return (_RUN / "network_up").exists()


def _told(verb: str) -> tuple[Command, ...]:
    if _SYSTEMD.is_dir():
        return (Command(argv=("systemctl", verb, "lxc-net"), as_root=True),)
    return (Command(argv=(_SCRIPT, verb), as_root=True),)
