"""What is a machine's own: SSH keys, name, address.

Of keys there are three: one to get in as administrator, one for the student, and its host key. They
are made on the host and placed in the clone before it boots, so nothing is exchanged over the
network and the host key is known from the first connection on.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.system import crash, process
from lab.system.files import remove, temporary_beside, write_if_changed

_KINDS = ("admin", "host", "student")
_A_PORT = re.compile(r"^([0-9]+) ([0-9]+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class MachineKeys:
    """Where a machine's keys are.

    `folder` holds `admin`, `host`, `student`, each with its `.pub`, and `hostname`; and where lab
    gives the machine its address, that as `address` and the name server as `resolv.conf`; and where
    ports of this computer lead to its own, those as `ports`.
    """

    folder: Path
    student_public: str
    host_public: str
    address: str = ""
    ports: Mapping[int, int] = field(default_factory=dict)

    @property
    def admin(self) -> Path:
        """The private key that lab and Vagrant log in with, as user vagrant."""
        return self.folder / "admin"

    @property
    def student(self) -> Path:
        """The private key that the student's own account takes."""
        return self.folder / "student"


def ensure_keys(folder: Path, *, hostname: str) -> MachineKeys:
    """The keys in `folder`, made where they are missing.

    Raises:
        HostError: `ssh-keygen` is not installed.
        ProcessError: it failed.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for kind in _KINDS:
        pair = (folder / kind, folder / f"{kind}.pub")
        if not all(path.exists() for path in pair):
            _make_pair(*pair, comment=f"{hostname} ({kind})")
    write_if_changed(folder / "hostname", f"{hostname}\n")
    return read_keys(folder)


def _make_pair(private: Path, public: Path, *, comment: str) -> None:
    """Make a pair of keys; half of one that is there is of no use."""
    new = temporary_beside(private)
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(new)]
    crash.point(f"before {private} is made")
    process.run(words)
    crash.point(f"{private} is made under another name")
    new.with_name(f"{new.name}.pub").replace(public)
    crash.point(f"{public} is there without its other half")
    new.replace(private)
    crash.point(f"{private} is there")


def read_keys(folder: Path) -> MachineKeys:
    """The keys in `folder` as they are; the public ones are empty where there are none yet."""
    return MachineKeys(
        folder=folder,
        student_public=_text_of(folder / "student.pub"),
        host_public=_text_of(folder / "host.pub"),
        address=_text_of(folder / "address"),
        ports=_ports_in(_text_of(folder / "ports")),
    )


def fingerprint(public: str) -> str:
    """A public key's fingerprint, as `ssh` shows it: SHA256 and the digest in base64."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def write_address(folder: Path, address: str, *, name_server: str) -> None:
    """Note a machine's address (`10.0.3.7/24`) beside its keys, and its name server.

    "" for what it asks for by DHCP.
    """
    if address:
        write_if_changed(folder / "address", f"{address}\n")
    else:
        remove(folder / "address")
    if address and name_server:
        write_if_changed(folder / "resolv.conf", f"nameserver {name_server}\n")
    else:
        remove(folder / "resolv.conf")


def write_ports(folder: Path, ports: Mapping[int, int]) -> None:
    """Note the ports of this computer that lead to a machine's own, by its own; {} for none."""
    if ports:
        lines = (f"{own} {port}\n" for own, port in sorted(ports.items()))
        write_if_changed(folder / "ports", "".join(lines))
    else:
        remove(folder / "ports")


def _ports_in(text: str) -> dict[int, int]:
    return {int(own): int(port) for own, port in _A_PORT.findall(text)}


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.exists() else ""
