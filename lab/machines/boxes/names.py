"""What Vagrant calls the box that labs.yaml asks for."""

from __future__ import annotations

import hashlib
import re

from lab.machines.boxes.profiles import PROFILES


def is_own_file(box: str) -> bool:
    """Whether labs.yaml names a box file or a URL, rather than a profile or a name."""
    return "://" in box or box.endswith(".box")


def box_name(box: str) -> str:
    """Vagrant's name for what labs.yaml calls `box`.

    `lab/PROFILE` for a profile, `own/FILE-HASH` for a file or URL, else the name itself.
    The hash is that of the whole path or URL: there may be a `base.box` in two places.
    """
    if box in PROFILES:
        return PROFILES[box].box
    if is_own_file(box):
        stem = re.sub(r"\.box$", "", box.rstrip("/").rsplit("/", 1)[-1])
        readable = re.sub(r"[^-A-Za-z0-9._]", "-", stem) or "box"
        return f"own/{readable}-{hashlib.sha256(box.encode()).hexdigest()[:8]}"
    return box
