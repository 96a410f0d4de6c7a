"""The boxes that Vagrant has, read from its folder: asking Vagrant itself would cost a second."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What the disk of a guest is called in a box, by its end.
_ROOTS = ("rootfs.tar.gz", ".img", ".qcow2", ".vmdk")
# Beside what Vagrant wants of a box's metadata.json: the SHA-256 of each of its images.
CHECKSUMS_KEY = "lab_sha256"


@dataclass(frozen=True, kw_only=True)
class Box:
    """A box that Vagrant has.

    Attributes:
        recipe: the digest of what went into a box that lab built, "" for any other.
        checksums: the SHA-256 of its images, in hex, by file name; nothing where its maker noted
            none.
    """

    name: str
    provider: str
    version: str
    folder: Path
    recipe: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict)

    @property
    def root_id(self) -> str:
        """What the unpacked root of the box is called on this host, "" for a box without one."""
        path = self.folder / "root-id"
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""

    @property
    def identity(self) -> str:
        """What the box holds.

        Its root's name or its images' checksums where lab made it, else its version and its age.
        """
        images = " ".join(self.checksums.values())
        return self.root_id or images or f"{self.version} {self.created}"

    @property
    def holds_root(self) -> bool:
        """Whether the root is in the box itself, and not only unpacked on this host."""
        return any(
            path.name.endswith(_ROOTS) and path.stat().st_size for path in self.folder.iterdir()
        )

    @property
    def size_mb(self) -> float:
        """What the box's files take, in MB."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()) / 1e6

    @property
    def created(self) -> float:
        """When it was added, in seconds since the epoch."""
        return (self.folder / "metadata.json").stat().st_mtime


def vagrant_home() -> Path:
    """Vagrant's folder for boxes and machine index (`VAGRANT_HOME`, else `~/.vagrant.d`)."""
    return Path(os.environ.get("VAGRANT_HOME") or Path.home() / ".vagrant.d")


def boxes(home: Path | None = None) -> list[Box]:
    """Every box, by name; a damaged one is left out.

    Vagrant keeps them as `boxes/NAME/VERSION/PROVIDER/`, since 2.4 with the architecture before the
    provider.
    """
    found = []
    root = (home or vagrant_home()) / "boxes"
    for metadata in sorted(root.glob("*/*/**/metadata.json")):
        data = _read(metadata)
        if data is None:
            continue
        relative = metadata.parent.relative_to(root).parts
        found.append(
            Box(
                name=relative[0].replace("-VAGRANTSLASH-", "/").replace("-VAGRANTCOLON-", ":"),
                version=relative[1],
                provider=str(data.get("provider", relative[-1])),
                folder=metadata.parent,
                recipe=str(data.get("lab_recipe", "")),
                checksums=_checksums_in(data),
            )
        )
    return found


def find(name: str, *, provider: str, home: Path | None = None) -> Box | None:
    """The box of that name for that provider, the latest version of it."""
    matching = [box for box in boxes(home) if box.name == name and box.provider == provider]
    return max(matching, key=_by_version, default=None)


def _by_version(box: Box) -> list[tuple[int, int, str]]:
    """Versions as people count: 10.0 comes after 9.0, and 2.0 after 2.0.rc1."""
    parts = [
        (1, int(word), "") if word.isdecimal() else (0, 0, word)
        for word in re.findall(r"[0-9]+|[^0-9.]+", box.version)
    ]
    return [*parts, (1, -1, "")]


def _checksums_in(metadata: Mapping[str, Any]) -> dict[str, str]:
    noted = metadata.get(CHECKSUMS_KEY)
    return {str(name): str(it) for name, it in noted.items()} if isinstance(noted, dict) else {}


def _read(metadata: Path) -> dict[str, Any] | None:
    try:
        data = json.loads(metadata.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None
