"""Checksums of boxes: whether an image is still the one that was built.

A stick or a disk can damage a file in a way that shows only as a machine that does odd things.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from lab.errors import LabError
from lab.machines.boxes import catalog


def checksum_of(path: Path) -> str:
    """The SHA-256 of a file, in hex.

    Raises:
        LabError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LabError(f"{path} could not be read: {error.strerror}") from error


def verify_box(box: catalog.Box) -> None:
    """See that a box's images are what its maker packed; a box without checksums is taken as it is.

    For an image that comes from elsewhere, or is about to be read anyway: 100 MB take a third of a
    second.

    Raises:
        LabError: one is missing, or is another.
    """
    for name, wanted in box.checksums.items():
        if checksum_of(box.folder / name) != wanted:
            raise LabError(
                f"The box {box.name} ({box.provider}) is damaged: "
                f"{name} is not what was packed into it",
                details=f"{box.folder / name} has another SHA-256 than its metadata.json says.",
                hint="Copy the file again and add it (`lab box add`), "
                "or make it anew (`lab box build PROFILE --force`).",
            )
