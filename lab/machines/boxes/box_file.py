"""A box as Vagrant takes it: a tar archive of an image, what Vagrant must know of it, and more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lab.machines.boxes.catalog import CHECKSUMS_KEY
from lab.machines.boxes.checksums import checksum_of
from lab.system import process


def write_box_file(
    folder: Path, *, image: str | None, metadata: Mapping[str, object], log: Path | None = None
) -> Path:
    """Pack a folder as a box, with its `metadata.json`; returns the file, beside the folder.

    Args:
        folder: what the box holds.
        image: the name of the file in it that holds the root, whose checksum is noted; None for a
            box whose root is elsewhere.
        metadata: what Vagrant and lab must know of the box.
        log: gets the output of the packing.

    Raises:
        ProcessError: it could not be packed.
    """
    noted = dict(metadata)
    if image is not None:
        noted[CHECKSUMS_KEY] = {image: checksum_of(folder / image)}
    (folder / "metadata.json").write_text(json.dumps(noted) + "\n", encoding="utf-8")
    box = folder.parent / "lab.box"
    # Not compressed: the image inside is already, and Vagrant reads either.
    process.run(["tar", "--create", "--file", str(box), "--directory", str(folder), "."], log=log)
    return box
