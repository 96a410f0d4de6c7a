"""What an LXC box is made of beside its root: configuration, template, and each clone's seed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from lab.system import process

_HERE = Path(__file__).parent
CONFIG = _HERE / "lxc-config"
TEMPLATE = _HERE / "lxc-template"
SEED = _HERE / "seed"
PACK_GUEST = _HERE / "pack-guest"
# What vagrant-lxc calls a root in a box.
TARBALL = "rootfs.tar.gz"
_PACK_TIMEOUT_S = 900.0


def pack_root(root: Path, tarball: Path, *, log: Path) -> None:
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
        (folder / TARBALL).touch()
    else:
        tarball.rename(folder / TARBALL)
    for script in (TEMPLATE, CONFIG):
        shutil.copy(script, folder)
    (folder / "root-id").write_text(f"{root_id}\n", encoding="utf-8")
    metadata = {"provider": "lxc", "version": "1.0.0", "lab_recipe": recipe}
    (folder / "metadata.json").write_text(json.dumps(metadata) + "\n", encoding="utf-8")
    box = work / "lab.box"
    # Not compressed: the root inside is already, and Vagrant reads either.
    process.run(["tar", "--create", "--file", str(box), "--directory", str(folder), "."], log=log)
    return box
