"""Disks that boot by themselves: what boxes of full machines have in common."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from lab.errors import HostError
from lab.system import process

_HERE = Path(__file__).parent
_FINISH = _HERE / "finish-machine"
_MAKE = _HERE / "make-disk"
SCRIPTS = (
    _FINISH,
    _MAKE,
    *(_HERE / f"lab-{job}{kind}" for job in ("seed", "grow") for kind in ("", ".service")),
)
FREE_GB = 3.0
# The least that labs.yaml can ask for: a machine can have a larger disk than its box, not a
# smaller one.
SIZE_GB = 2
_TIMEOUT_S = 900.0
_CONVERT_TIMEOUT_S = 900.0
_PROGRAMS = {
    "qemu-img": "qemu-utils",
    "grub-mkimage": "grub-common",
    "mke2fs": "e2fsprogs",
    "sfdisk": "fdisk",
}
_BOOT_SECTOR = Path("/usr/lib/grub/i386-pc/boot.img")
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


def require() -> None:
    """See that this computer can make disks.

    Raises:
        HostError: a program is missing; with the command that installs it.
    """
    missing = [
        package for program, package in _PROGRAMS.items() if not shutil.which(program, path=_PATH)
    ]
    if not _BOOT_SECTOR.exists():
        missing.append("grub-pc-bin")
    if missing:
        raise HostError(
            "What makes disks that boot is not installed: " + ", ".join(missing),
            hint=f"sudo apt-get install --no-install-recommends {' '.join(missing)}",
        )


def finish(root: Path, *, provider: str, log: Path) -> None:
    """Make a finished root one of a full machine.

    Raises:
        ProcessError: a command failed.
    """
    process.run(process.as_root([str(_FINISH), str(root), provider]), log=log, timeout_s=_TIMEOUT_S)


def _make_image(root: Path, *, log: Path) -> Path:
    """A raw, sparse disk of `SIZE_GB` with a root and a boot loader; returns it, beside the root.

    Raises:
        ProcessError: a command failed; the root may not fit.
    """
    raw = root.parent / "disk.raw"
    process.run(
        process.as_root([str(_MAKE), str(root), str(raw), str(SIZE_GB)]),
        log=log,
        timeout_s=_TIMEOUT_S,
    )
    return raw


def make_box_image(root: Path, name: str, *, how: Sequence[str], log: Path) -> Path:
    """A root's disk as an image in the folder `box`, which is made beside the root; returns it.

    Args:
        root: the finished root.
        name: the image's.
        how: `qemu-img convert`'s options for its kind.
        log: gets the output of all commands.

    Raises:
        ProcessError: a command failed; the root may not fit.
    """
    raw = _make_image(root, log=log)
    image = root.parent / "box" / name
    image.parent.mkdir()
    process.run(
        process.as_root(["qemu-img", "convert", *how, str(raw), str(image)]),
        log=log,
        timeout_s=_CONVERT_TIMEOUT_S,
    )
    # Root's, and closed to others where the umask says so.
    process.run(process.as_root(["chmod", "0644", str(image)]), log=log)
    return image
