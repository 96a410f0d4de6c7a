"""Snapshots for providers whose guests' disks can be copied, by the script `keep-disk`.

It says how they are kept, and what each provider tells it in a script of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import MachineError
from lab.machines import boxes
from lab.machines.providers.base import Snapshot
from lab.system import crash, process

KEEP_DISK = Path(boxes.__file__).with_name("keep-disk")
# Gigabytes that a slow disk copies.
_TIMEOUT_S = 1800.0
_FULL = ("No space left", "Disk quota exceeded")
_HINT = "`lab snapshot list` says how much room they take, `lab snapshot delete` makes some."


class KeptDisks:
    """What a provider has of snapshots.

    Attributes:
        keep_disk: the script with what is this provider's own.
    """

    keep_disk: Path

    def require_snapshots(self) -> None:
        """See `Provider.require_snapshots`."""

    def not_renewable(self, guests: Sequence[str]) -> Mapping[str, str]:
        """See `Provider.not_renewable`."""
        if not guests:
            return {}
        lines = process.run(self._command("bound", *guests), timeout_s=60).stdout.splitlines()
        return {guest: why for guest, _, why in (line.partition(" ") for line in lines)}

    def snapshots(self, prefix: str) -> Mapping[str, tuple[Snapshot, ...]]:
        """See `Provider.snapshots`."""
        lines = process.run(self._command("list", prefix), timeout_s=60).stdout.splitlines()
        found: dict[str, list[Snapshot]] = {}
        for line in lines:
            guest, name, created, size_mb = line.split()
            snapshot = Snapshot(name=name, created=float(created), size_mb=int(size_mb))
            found.setdefault(guest, []).append(snapshot)
        return {
            guest: tuple(sorted(them, key=lambda it: (it.created, it.name)))
            for guest, them in found.items()
        }

    def save_snapshot(self, guest: str, name: str) -> None:
        """See `Provider.save_snapshot`."""
        self._change("save", guest, name, why_not=f"{guest} could not be saved as {name}")

    def restore_snapshot(self, guest: str, name: str, *, keep_as: str | None) -> None:
        """See `Provider.restore_snapshot`."""
        kept = [keep_as] if keep_as else []
        why_not = f"{guest} could not be put back to {name}"
        self._change("restore", guest, name, *kept, why_not=why_not)

    def renew(self, guest: str, *, keep_as: str | None) -> None:
        """See `Provider.renew`."""
        kept = [keep_as] if keep_as else []
        self._change("renew", guest, *kept, why_not=f"{guest} could not be made fresh again")

    def delete_snapshot(self, guest: str, name: str) -> None:
        """See `Provider.delete_snapshot`."""
        why_not = f"The snapshot {name} of {guest} could not be removed"
        self._change("delete", guest, name, why_not=why_not)

    def mend(self, guests: Sequence[str], *, log: Path) -> dict[str, str]:
        """Finish, or clear away, what a lab that was killed has left of guests' snapshots.

        Args:
            guests: their names.
            log: gets what is said of it.

        Returns:
            Why that could not be done, by guest.

        Raises:
            ProcessError: it took too long.
        """
        if not guests or self._mended(guests, log=log).ok:
            return {}
        # Each by itself: it is one of them that hinders.
        tried = {guest: self._mended([guest], log=log) for guest in guests}
        return {
            guest: f"What was cut off of {guest}'s snapshots could not be mended\n{ran.tail(3)}\n"
            f"lab destroy LOGIN, then lab up LOGIN makes it anew, without what is on it. Log: {log}"
            for guest, ran in tried.items()
            if not ran.ok
        }

    def _mended(self, guests: Sequence[str], *, log: Path) -> process.Completed:
        command = self._command("mend", *guests)
        return process.run(command, log=log, timeout_s=_TIMEOUT_S, check=False)

    def _change(self, what: str, guest: str, *words: str, why_not: str) -> None:
        crash.point(f"before {guest}: {what}")
        ran = process.run(self._command(what, guest, *words), timeout_s=_TIMEOUT_S, check=False)
        crash.point(f"after {guest}: {what}")
        if not ran.ok:
            full = any(words in ran.stderr for words in _FULL)
            raise MachineError(why_not, details=ran.tail(3), hint=_HINT if full else "")

    def _command(self, *words: str) -> list[str]:
        return process.as_root([str(KEEP_DISK), str(self.keep_disk), *words])
