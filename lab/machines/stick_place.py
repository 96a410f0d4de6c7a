"""Where a stick is: that it is a folder, may be written, is no place of this computer's own."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote

from lab.errors import HostError, UsageError
from lab.machines.boxes import catalog
from lab.machines.stick import BOXES
from lab.system.files import temporary_beside

_MOUNTS = Path("/proc/self/mountinfo")
_IN_MEMORY = {"tmpfs", "devtmpfs", "ramfs"}
_SPARE_BYTES = 1_000_000
_WHERE = "Is the stick mounted? `lsblk` says where. A folder for it is yours to make: mkdir"


def require_folder(folder: Path) -> None:
    """See that a stick can be read at a folder.

    Raises:
        UsageError: it is none.
        HostError: this computer lets nobody look.
    """
    with _looked_at(folder):
        if folder.is_dir():
            return
        if os.path.lexists(folder):
            raise UsageError(
                f"{folder} is {'a device' if _is_device(folder) else 'a file'}, and no folder",
                hint="Name the folder that the stick is mounted at: `lsblk` says where.",
            )
    raise UsageError(f"There is no folder {folder.absolute()}", hint=_WHERE)


def require_writable(folder: Path) -> None:
    """See that a stick can be written at a folder, by writing a small file and removing it.

    Whether there is room is another matter, see `require_room`.

    Raises:
        HostError: it cannot: it is mounted to be read only, or is another user's.
    """
    for place in dict.fromkeys((nearest(folder), nearest(folder / BOXES))):
        trial = temporary_beside(place / "trial")
        try:
            try:
                trial.write_bytes(b"\n")
            finally:
                trial.unlink(missing_ok=True)
        except OSError as error:
            # What goes from the stick may make room.
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise HostError(
                    f"{place} cannot be written: {error.strerror}",
                    hint=f"See how it is mounted, and for whom: findmnt -T {quote(str(place))}",
                ) from error


def require_room(needed: Mapping[Path, int], *, hint: str) -> None:
    """See that so many bytes can be written in folders, two of which may be on one disk.

    Raises:
        HostError: there is too little room, or this computer lets nobody look.
    """
    disks: dict[int, list[Path]] = {}
    for folder in needed:
        disks.setdefault(_device(folder), []).append(folder)
    for folders in disks.values():
        amount = sum(needed[folder] for folder in folders)
        with _looked_at(folders[0]):
            free = shutil.disk_usage(nearest(folders[0])).free
        if amount + _SPARE_BYTES > free:
            raise HostError(
                f"{' and '.join(map(str, folders))}: too little room, {amount / 1e6:.0f} MB are "
                f"needed, and {free / 1e6:.0f} MB are free",
                hint=hint,
            )


def not_a_stick(folder: Path) -> str:
    """On what of this computer's own a folder is, in words; "" where it may be a stick's."""
    device = _device(folder)
    own = (Path("/"), Path("/var/tmp"), catalog.vagrant_home())  # noqa: S108 (opens nothing there)
    if device in map(_device, own):
        return "on the system's disk"
    return "in this computer's memory" if _is_memory(device) else ""


def nearest(path: Path) -> Path:
    """The folder, or the nearest one above it that there is.

    Raises:
        HostError: this computer lets nobody look.
    """
    path = path.absolute()
    with _looked_at(path):
        while not path.exists():
            path = path.parent
    return path


def _device(folder: Path) -> int:
    """The number of the file system that a folder is on, or would be."""
    place = nearest(folder)
    with _looked_at(place):
        return place.stat().st_dev


def _is_memory(device: int) -> bool:
    number = f"{os.major(device)}:{os.minor(device)}"
    # Only Linux has such a list.
    with suppress(OSError):
        for line in _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines():
            # proc_pid_mountinfo(5): the third field is the device; after the dash comes the kind.
            mount, _, source = line.partition(" - ")
            if mount.split()[2] == number:
                return source.split()[0] in _IN_MEMORY
    return False


def _is_device(path: Path) -> bool:
    return path.is_block_device() or path.is_char_device()


@contextmanager
def _looked_at(path: Path) -> Iterator[None]:
    """Makes of what this computer does not let look at, or cannot read, one that can be told."""
    try:
        yield
    except OSError as error:
        name = quote(str(path))
        raise HostError(
            f"{path} cannot be looked at: {error.strerror}",
            hint=f"See whose it is (ls -ld {name}) and how it is mounted (findmnt -T {name}); "
            "then run the same command again. A stick that fails is to be replaced.",
        ) from error
