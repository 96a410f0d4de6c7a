"""Whom a machine lets in: asked for at its door, without going in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.machines.keys import fingerprint
from lab.system import process

# The keys that Vagrant's boxes come with. Everybody has their other halves.
INSECURE_KEYS = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAABIwAAAQEA6NF8iallvQVp22WDkTkyrtvp9eWW6A8YVr+kz4TjGYe7gHzIw+niNltG"
    "EFHzD8+v1I2YJ6oXevct1YeS0o9HZyN1Q9qgCgzUFtdOKLv6IedplqoPkcmF0aYet2PkEDo3MlTBckFXPITAMzF8dJSI"
    "Fo9D8HfdOV0IAdx4O7PtixWKn5y2hMNG0zQPyUecp4pzC6kivAIhyfHilFR61RGL+GPXQ2MWZWFYbAGjyiYJnAmCP3NO"
    "Td0jMZEnDkbUvxhMmBYSdETk1rRgm+R4LOzFUGaHqHDLKLX+FIPKcF96hrucXzcWyLbIbEgE98OHlnVYCzRdK8jlqm8t"
    "ehUc9c9WhQ==",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN1YdxBpNlzxDqfJyw/QKow1F+wvG9hXGoqiysfJOn5Y",
)
_ACCEPTED = re.compile(r"Server accepts key: .*?(SHA256:[\w+/]+)")
_OTHER_HOST_KEY = re.compile(r"Host key verification failed|HOST IDENTIFICATION HAS CHANGED")
_METHODS = re.compile(r"Permission denied \(([\w,-]+)\)")
_LET_IN = re.compile(r"^(?:debug1: )?Authenticated to ", re.MULTILINE)
_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Door:
    """How an account's door is.

    Attributes:
        methods: the ways in that the server offers (`publickey`, `password`); empty where it did
            not say.
        accepted: those of the offered public keys that would open it.
        lets_in: whether it let in who showed nothing: an account without a password.
        is_another: whether it showed another host key than the one that is pinned.
    """

    methods: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    lets_in: bool = False
    is_another: bool = False

    @property
    def answered(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.methods or self.accepted or self.lets_in or self.is_another)


def ask(  # noqa: PLR0913 (whose door, and what is tried there)
    address: str,
    *,
    port: int,
    user: str,
    known_as: str,
    known_hosts: Path,
    offered: Mapping[str, Path],
    patience: float,
) -> Door:
    """Ask at an account's door which keys would open it; nobody goes in, unless it is open.

    An SSH server says whether a public key would do before it wants to see the other half.

    Args:
        address: where the machine is.
        port: where its SSH server answers there.
        user: the account.
        known_as: the machine's name in `known_hosts`.
        known_hosts: the file with the pinned host keys.
        offered: files with the public keys that are tried, by key; at most four, as a server hears
            no more than six.
        patience: how many times longer than in a container it may take.

    Raises:
        ProcessError: it took too long.
    """
    options = [
        f"UserKnownHostsFile={_quoted(known_hosts)}",
        "GlobalKnownHostsFile=none",
        f"HostKeyAlias={known_as}",
        "StrictHostKeyChecking=yes",
        "PreferredAuthentications=publickey",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "BatchMode=yes",
        f"ConnectTimeout={round(5 * patience)}",
        *(f"IdentityFile={_quoted(path)}" for path in offered.values()),
    ]
    words = [word for option in options for word in ("-o", option)]
    said = process.run(
        ["ssh", "-v", "-F", "none", "-p", str(port), *words, f"{user}@{address}", "true"],
        check=False,
        timeout_s=_TIMEOUT_S * patience,
    ).stderr
    prints = {fingerprint(key): key for key in offered}
    methods = _METHODS.findall(said)
    return Door(
        methods=tuple(methods[-1].split(",")) if methods else (),
        accepted=tuple(dict.fromkeys(prints[it] for it in _ACCEPTED.findall(said) if it in prints)),
        lets_in=bool(_LET_IN.search(said)),
        is_another=bool(_OTHER_HOST_KEY.search(said)),
    )


def write_keys(keys: Sequence[str], folder: Path) -> dict[str, Path]:
    """Files with public keys, one each, to be offered: the key without its comment by itself."""
    found = {}
    for number, key in enumerate(dict.fromkeys(" ".join(key.split()[:2]) for key in keys)):
        found[key] = folder / f"{number}.pub"
        found[key].write_text(f"{key}\n", encoding="utf-8")
    return found


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("%", "%%") + '"'
