"""Boxes that Vagrant has, as files again, without another download."""

from __future__ import annotations

from pathlib import Path

from lab.machines.boxes.catalog import Box
from lab.system import process

_TIMEOUT_S = 3600.0


def pack_folder(box: Box, *, work: Path, log: Path) -> Path:
    """A Vagrant box of the folder that Vagrant keeps one in: the same bytes for the same files.

    Args:
        box: the box.
        work: where the box file is made.
        log: gets the output of the packing.

    Returns:
        The box file.

    Raises:
        ProcessError: it could not be packed.
    """
    packed = work / "lab.box"
    names = sorted(path.name for path in box.folder.iterdir())
    # What lab noted of a box is of this host; hidden files are nothing that Vagrant made.
    names = [name for name in names if not name.startswith((".", "lab-"))]
    # Images that lab made, and roots of LXC's, are compressed by themselves; Vagrant reads either.
    small = bool(box.recipe) or "rootfs.tar.gz" in names
    compressed = [] if small else ["--use-compress-program", "gzip -1 -n"]
    process.run(
        [
            "tar", "--create", "--file", str(packed), *compressed, "--sparse", "--sort=name",
            "--numeric-owner", "--owner=0", "--group=0",
            "--directory", str(box.folder), *(f"./{name}" for name in names),
        ],
        log=log,
        timeout_s=_TIMEOUT_S,
    )  # fmt: skip
    return packed
