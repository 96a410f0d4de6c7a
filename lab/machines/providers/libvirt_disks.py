"""What libvirt's guests have on the disk, and whether it may be somebody's work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lab.errors import ProcessError
from lab.machines.providers import libvirt_storage
from lab.system import process

# A fresh overlay has four clusters of 64 KB, none of them the guest's. With more than that, a guest
# has written to it.
_FRESH_BYTES = 256 * 1024

# ROOT NAME ... How much each guest's overlay holds, whether it has had snapshots, and its identity.
# A folder that is not there is not an empty one: its disk may not be mounted.
_LIST = """
set -eu
cd "$1/images"
cd "$1/guests"
shift
for name; do
  identity= kept=no size=0
  [ ! -e "$name/identity" ] || read -r identity <"$name/identity" || :
  [ ! -d "$name/snapshots" ] || kept=kept
  [ ! -e "../images/$name.img" ] || size=$(stat -c %s "../images/$name.img")
  echo "$name $size $kept $identity"
done
"""


@dataclass(frozen=True, kw_only=True)
class Own:
    """What a guest has on the disk.

    Attributes:
        size: the bytes of its overlay, 0 for none.
        kept: whether it has had snapshots.
        identity: what tells it from all others that had its name, "" for none.
    """

    size: int
    kept: bool
    identity: str

    @property
    def holds_work(self) -> bool:
        """Whether it may hold somebody's work: it was written to, or put back to fresh."""
        return self.kept or self.size > _FRESH_BYTES


def owned(guests: Collection[str]) -> dict[str, Own]:
    """What each of the guests has on the disk.

    Raises:
        ProcessError: it cannot be read. That is not to have nothing.
    """
    if not guests:
        return {}
    root = libvirt_storage.ROOT
    listed = process.run(
        process.as_root(["sh", "-c", _LIST, "sh", str(root), *guests]), timeout_s=60, check=False
    )
    if not listed.ok:
        raise ProcessError(
            f"What libvirt's machines have in {root} cannot be read",
            details=listed.tail(3),
            hint=f"Look what is there (a disk that is not mounted?): sudo ls -l {root}",
        )
    found = {}
    for line in listed.stdout.splitlines():
        name, size, kept, *identity = line.split()
        found[name] = Own(size=int(size), kept=kept == "kept", identity="".join(identity))
    return found


def work_of(guests: Collection[str]) -> dict[str, Path]:
    """Those that have something which may be somebody's work, by name: the file or folder.

    Raises:
        ProcessError: it cannot be read.
    """
    return {
        name: libvirt_storage.GUESTS / name / "snapshots"
        if it.kept
        else libvirt_storage.IMAGES / f"{name}.img"
        for name, it in owned(guests).items()
        if it.holds_work
    }
