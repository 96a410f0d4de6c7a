"""Snapshots of LXC guests, by the script `snapshot-guest`, which says how they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import MachineError
from lab.machines.boxes import lxc as boxes_lxc
from lab.machines.providers.base import Snapshot
from lab.system import crash, process

# Gigabytes that a slow disk copies.
_TIMEOUT_S = 1800.0
_HINT = "`lab snapshot list` says how much room they take, `lab snapshot delete` makes some."


def of(prefix: str) -> Mapping[str, tuple[Snapshot, ...]]:
    """See `Provider.snapshots`."""
    lines = process.run(_command("list", prefix), timeout_s=60).stdout.splitlines()
    found: dict[str, list[Snapshot]] = {}
    for line in lines:
        guest, name, created, size_mb = line.split()
        snapshot = Snapshot(name=name, created=int(created), size_mb=int(size_mb))
        found.setdefault(guest, []).append(snapshot)
    return {
        guest: tuple(sorted(them, key=lambda it: (it.created, it.name)))
        for guest, them in found.items()
    }


def save(guest: str, name: str) -> None:
    """See `Provider.save_snapshot`."""
    _change("save", guest, name, why_not=f"{guest} could not be saved as {name}")


def restore(guest: str, name: str, *, keep_as: str | None) -> None:
    """See `Provider.restore_snapshot`."""
    kept = [keep_as] if keep_as else []
    _change("restore", guest, name, *kept, why_not=f"{guest} could not be put back to {name}")


def renew(guest: str, *, keep_as: str | None) -> None:
    """See `Provider.renew`."""
    kept = [keep_as] if keep_as else []
    _change("renew", guest, *kept, why_not=f"{guest} could not be made fresh again")


def delete(guest: str, name: str) -> None:
    """See `Provider.delete_snapshot`."""
    _change("delete", guest, name, why_not=f"The snapshot {name} of {guest} could not be removed")


def mend(guests: Sequence[str], *, log: Path) -> None:
    """Finish, or clear away, what a lab that was killed has left of these.

    Args:
        guests: their names.
        log: gets what is said of it.

    Raises:
        ProcessError: that could not be done.
    """
    if guests:
        process.run(_command("mend", *guests), log=log, timeout_s=_TIMEOUT_S)


def _change(what: str, guest: str, *words: str, why_not: str) -> None:
    crash.point(f"before {guest}: {what}")
    ran = process.run(_command(what, guest, *words), timeout_s=_TIMEOUT_S, check=False)
    crash.point(f"after {guest}: {what}")
    if not ran.ok:
        raise MachineError(why_not, details=ran.tail(3), hint=_HINT)


def _command(*words: str) -> list[str]:
    return process.as_root([str(boxes_lxc.SNAPSHOT_GUEST), *words])
