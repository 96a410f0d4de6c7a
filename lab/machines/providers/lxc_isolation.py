"""Keeps LXC guests apart on their bridge; `boxes/lxc/isolate`, which LXC runs, has the rules."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from lab.errors import HostError
from lab.machines.boxes import lxc as boxes_lxc
from lab.machines.providers.base import Wanted
from lab.system import process

# An interface's name has at most 15 characters.
_HASH_LENGTH = 10


def port_name(wanted: Wanted) -> str:
    """What the guest's port on the bridge is called: what it may, and whose it is.

    `i` is isolated and `o` open to neighbours, `w` the world and `h` the host only.
    """
    may = ("i" if wanted.isolated else "o") + ("w" if wanted.internet else "h")
    whose = hashlib.sha256(wanted.name.encode()).hexdigest()[:_HASH_LENGTH]
    return f"lab{may}{whose}"


def require_for(wanted: Sequence[Wanted], *, bridge: str) -> None:
    """See that the host can keep those guests apart that are to be; nothing is changed.

    Raises:
        HostError: it cannot, and LXC would not start them.
    """
    if not _kept_apart(wanted):
        return
    _require_nft()
    if said := trouble(bridge):
        raise _cannot(bridge, said)


def install(wanted: Sequence[Wanted], *, bridge: str, log: Path | None = None) -> None:
    """See that the host keeps those guests apart that are to be; LXC sees to it again as it starts.

    Raises:
        HostError: it cannot, and LXC would not start them.
    """
    if not _kept_apart(wanted):
        return
    _require_nft()
    ran = process.run(
        process.as_root([str(boxes_lxc.ISOLATE), "--install", bridge]),
        log=log,
        timeout_s=60,
        check=False,
    )
    if not ran.ok:
        raise _cannot(bridge, ran.tail(), log=log)


def trouble(bridge: str) -> str:
    """Why machines could not be kept apart on the bridge, "" where they can; nothing is changed."""
    ran = process.run(
        process.as_root([str(boxes_lxc.ISOLATE), "--check", bridge]), timeout_s=60, check=False
    )
    return "" if ran.ok else ran.tail()


def _kept_apart(wanted: Sequence[Wanted]) -> bool:
    """Whether there is anything that some of the guests may not reach."""
    return any(it.isolated or not it.internet for it in wanted)


def _require_nft() -> None:
    if shutil.which("nft", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
        raise HostError(
            "`nft` is not installed, and keeps the students' machines apart",
            hint="sudo apt-get install --no-install-recommends nftables   "
            "(or, for machines that may reach each other, `isolation: off` in labs.yaml)",
        )


def _cannot(bridge: str, said: str, *, log: Path | None = None) -> HostError:
    return HostError(
        f"The machines cannot be kept apart on the bridge {bridge}",
        details=said,
        hint="lab doctor says more; machines that may reach each other start all the same with "
        "`isolation: off` in labs.yaml",
        log=log,
    )
