"""The list on a stick, `manifest.json`: which boxes are there, in which files, for whom."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lab.errors import LabError
from lab.machines.bakes import Need

MANIFEST = "manifest.json"
_VERSION = 1
_BOX_NAME = re.compile(r"[A-Za-z0-9_][^\x00-\x1f\x7f]{0,199}")
_PROVIDER = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True, kw_only=True)
class StickFile:
    """A file on a stick: its path in the folder, its size in bytes and its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A box on a stick.

    Attributes:
        name: what Vagrant calls it.
        provider: what boots it.
        identity: what it holds, see `catalog.Box.identity`.
        recipe: the digest of what went into it, "" for a box that lab did not make.
        files: its parts in order, one where it is small enough.
        needed_by: the labs that it is for, each as `CLASS/LAB`.
        serves: for a bake, which machines can be clones of it.
        wheels: the Python packages in it for students.
    """

    name: str
    provider: str
    identity: str
    recipe: str
    files: tuple[StickFile, ...]
    needed_by: tuple[str, ...]
    serves: tuple[Need, ...] = ()
    wheels: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """What its files take, in bytes."""
        return sum(file.size for file in self.files)

    @property
    def origin(self) -> str:
        """What tells it from any other: a digest of its parts' digests."""
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()


def list_of(entries: Sequence[Entry], *, lab_version: str) -> str:
    """The list as text."""
    document = {
        "version": _VERSION,
        "lab": lab_version,
        "boxes": [asdict(entry) for entry in entries],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def entries_in(data: bytes) -> tuple[Entry, ...]:
    """What a list says.

    Raises:
        LabError: it is damaged, or another version's.
    """
    try:
        document = json.loads(data)
        version = document["version"]
        if version == _VERSION:
            return tuple(_entry(it) for it in document["boxes"])
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise LabError(
            f"{MANIFEST} on the stick is damaged",
            details=f"{type(error).__name__}: {error}",
            hint="Copy it anew, where it was made: lab box export FOLDER",
        ) from error
    raise LabError(
        f"This version of lab does not read such sticks (version {version!r})",
        hint="Use the same version of lab on both computers.",
    )


def _entry(data: Mapping[str, Any]) -> Entry:
    entry = Entry(
        name=str(data["name"]),
        provider=str(data["provider"]),
        identity=str(data["identity"]),
        recipe=str(data["recipe"]),
        files=tuple(
            StickFile(path=str(it["path"]), size=int(it["size"]), sha256=str(it["sha256"]))
            for it in data["files"]
        ),
        needed_by=tuple(map(str, data["needed_by"])),
        serves=tuple(Need(**it) for it in data["serves"]),
        wheels=tuple(map(str, data["wheels"])),
    )
    if not (_BOX_NAME.fullmatch(entry.name) and _PROVIDER.fullmatch(entry.provider)):
        raise ValueError(f"{entry.name!r} for {entry.provider!r} is no name of a box")
    if not entry.files:
        raise ValueError(f"{entry.name} has no files")
    return entry
