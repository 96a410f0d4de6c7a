"""Boxes that Vagrant has, as files again, without another download."""

from __future__ import annotations

from pathlib import Path

from lab.system import process

_TIMEOUT_S = 3600.0


def pack_folder(folder: Path, *, work: Path, log: Path) -> Path:
    """A Vagrant box of the folder that Vagrant keeps one in: the same bytes for the same files.

    Args:
        folder: the box's.
        work: where the box file is made.
        log: gets the output of the packing.

    Returns:
        The box file.

    Raises:
        ProcessError: it could not be packed.
    """
    box = work / "lab.box"
    names = sorted(path.name for path in folder.iterdir())
    # What lab noted of a box is of this host; hidden files are nothing that Vagrant made.
    names = [name for name in names if not name.startswith((".", "lab-"))]
    # A root of LXC's is compressed by itself; Vagrant reads either.
    compressed = [] if "rootfs.tar.gz" in names else ["--use-compress-program", "gzip -1 -n"]
    process.run(
        [
            "tar", "--create", "--file", str(box), *compressed, "--sparse", "--sort=name",
            "--numeric-owner", "--owner=0", "--group=0",
            "--directory", str(folder), *(f"./{name}" for name in names),
        ],
        log=log,
        timeout_s=_TIMEOUT_S,
    )  # fmt: skip
    return box
