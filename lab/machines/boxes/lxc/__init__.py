"""What an LXC box is made of beside its root, and what LXC runs as it starts a clone."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.machines.boxes.box_file import write_box_file
from lab.machines.boxes.checksums import checksum_of
from lab.system import process

_HERE = Path(__file__).parent
CONFIG = _HERE / "lxc-config"
TEMPLATE = _HERE / "lxc-template"
SEED = _HERE / "seed"
ISOLATE = _HERE / "isolate"
PACK_GUEST = _HERE / "pack-guest"
KEEP_DISK = _HERE / "keep-disk.sh"
_FINISH = _HERE / "finish-container"
SCRIPTS = (TEMPLATE, CONFIG, _FINISH)
FREE_GB = 2.0
# What vagrant-lxc calls a root in a box.
IMAGE = "rootfs.tar.gz"
_PACK_TIMEOUT_S = 900.0


def require() -> None:
    """See that this computer can make the boxes: nothing beyond what every box needs."""


def finish(root: Path, *, log: Path) -> None:
    """Make a finished root one of a container."""
    process.run(process.as_root([str(_FINISH), str(root)]), log=log)


def pack(root: Path, *, name: str, recipe: str, log: Path) -> Path:
    """Make the box of a root; returns its file, beside the root."""
    work = root.parent
    tarball = work / IMAGE
    pack_root(root, tarball=tarball, log=log)
    root_id = f"{name}-{checksum_of(tarball)[:16]}"
    return write_box(work, root_id=root_id, recipe=recipe, tarball=tarball, log=log)


def pack_root(root: Path, *, tarball: Path, log: Path) -> None:
    """Pack a root folder of this host as boxes hold it, whoever its files belong to.

    Raises:
        ProcessError: it could not be packed.
    """
    process.run(
        process.as_root(
            [
                "tar", "--create", "--file", str(tarball), "--use-compress-program", "gzip -1 -n",
                "--numeric-owner", "--sort=name", "--xattrs", "--xattrs-include=*",
                # What a symbolic link says stays as it is.
                "--transform", f"s,^{root.name},rootfs,S", "--directory", str(root.parent),
                root.name,
            ]
        ),
        log=log,
        timeout_s=_PACK_TIMEOUT_S,
    )  # fmt: skip
    # Root's, and closed to others where the umask says so.
    process.run(process.as_root(["chmod", "0644", str(tarball)]), log=log)


def write_box(
    work: Path, *, root_id: str, recipe: str, tarball: Path | None, log: Path | None = None
) -> Path:
    """A Vagrant box for LXC, as a file in the folder `work`.

    Args:
        work: a folder for what is made on the way.
        root_id: what the unpacked root is called on the host; the box's clones share it.
        recipe: the digest of what went in.
        tarball: the root itself, None for a box whose root is on this host only (a bake).
        log: gets the output of the packing.

    Raises:
        ProcessError: it could not be packed.
    """
    folder = work / "box"
    folder.mkdir()
    if tarball is None:
        # Vagrant wants the file to be there; the template knows what an empty one means.
        (folder / IMAGE).touch()
    else:
        tarball.rename(folder / IMAGE)
    for script in (TEMPLATE, CONFIG):
        shutil.copy(script, folder)
    (folder / "root-id").write_text(f"{root_id}\n", encoding="utf-8")
    metadata = {"provider": "lxc", "version": "1.0.0", "lab_recipe": recipe}
    image = IMAGE if tarball is not None else None
    return write_box_file(folder, image=image, metadata=metadata, log=log)
