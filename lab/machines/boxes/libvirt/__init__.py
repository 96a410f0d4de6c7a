"""A libvirt box: a qcow2 disk that boots by itself, and that machines are backing clones of."""

from __future__ import annotations

from pathlib import Path

from lab.machines.boxes import disk
from lab.machines.boxes.box_file import write_box_file

SCRIPTS = disk.SCRIPTS
FREE_GB = disk.FREE_GB
IMAGE = "box.img"
KEEP_DISK = Path(__file__).with_name("keep-disk.sh")


def require() -> None:
    """See that this computer can make disks.

    Raises:
        HostError: a program is missing; with the command that installs it.
    """
    disk.require()


def finish(root: Path, *, log: Path) -> None:
    """Make a finished root one of a machine of libvirt's."""
    disk.finish(root, provider="libvirt", log=log)


def pack(root: Path, *, name: str, recipe: str, log: Path) -> Path:  # noqa: ARG001 (a kind of box is told its name)
    """Make the box of a root; returns its file, beside the root."""
    how = ("-c", "-O", "qcow2", "-o", "compression_type=zstd")
    image = disk.make_box_image(root, IMAGE, how=how, log=log)
    return write_box(image.parent, recipe=recipe, virtual_size_gb=disk.SIZE_GB, log=log)


def write_box(folder: Path, *, recipe: str, virtual_size_gb: int, log: Path | None = None) -> Path:
    """A Vagrant box for libvirt, as a file beside `folder`.

    Args:
        folder: holds the disk as `box.img`, a qcow2 without a backing file, and nothing else.
        recipe: the digest of what went in.
        virtual_size_gb: how large the disk looks to the machine.
        log: gets the output of the packing.

    Raises:
        ProcessError: it could not be packed.
    """
    metadata = {
        "provider": "libvirt",
        "format": "qcow2",
        "virtual_size": virtual_size_gb,
        "lab_recipe": recipe,
    }
    return write_box_file(folder, image=IMAGE, metadata=metadata, log=log)
