"""The stick: boxes and bakes as files in a folder, with a list of what is what and checksums.

Everything on it fits FAT32: names of one case and plain letters, no links, no file of 4 GB. The
checksums are written last and taken away first: a stick without them is one that is not finished.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import BinaryIO

from lab.errors import LabError
from lab.machines.stick_list import MANIFEST, Entry, StickFile, entries_in, list_of
from lab.system import crash
from lab.system.files import remove, sweep, temporary_beside, write_atomically

SUMS = "SHA256SUMS"
BOXES = "boxes"
# FAT32 ends at 4 GiB less one byte.
PART_BYTES = 3 * 1024**3
_CHUNK = 1024 * 1024
_HINTS = {
    "read": "See that the stick is mounted, and that you may read what is on it (`ls -l`); "
    "then run the same command again. One that fails is to be replaced.",
    "written": "See that the stick is mounted, may be written and has room; "
    "then run the same command again.",
}
_PATH = re.compile(r"(?:[a-z0-9][-a-z0-9._]*/)?[A-Za-z0-9][-A-Za-z0-9._]*")
_SUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def file_names(name: str, provider: str, identity: str, *, parts: int) -> list[str]:
    """Where the parts of a box are on a stick: paths that any file system can hold."""
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] or "box"
    digest = hashlib.sha256(f"{name}\0{provider}\0{identity}".encode()).hexdigest()[:12]
    path = f"{BOXES}/{readable}-{provider}-{digest}.box"
    return [path] if parts == 1 else [f"{path}.{part:03d}" for part in range(1, parts + 1)]


def begun(folder: Path) -> dict[tuple[str, str], Entry]:
    """What a stick that is to be written says that it holds, by name and provider.

    Nothing for a folder without a list: it is no stick, or the first export did not end.

    Raises:
        LabError: its list cannot be read or understood, and nobody knows what others need there.
    """
    path = folder / MANIFEST
    try:
        with _told("read", path):
            entries = entries_in(path.read_bytes()) if path.exists() else ()
    except LabError as error:
        raise LabError(
            f"What {folder} holds for other classes cannot be told; nothing there was touched",
            details="\n".join(text for text in (error.message, error.details) if text),
            hint="Take another stick, or the lab that wrote this one. Where nobody needs what is "
            f"on it: rm {quote(str(path))}; then run the same command again.",
        ) from error
    return {(entry.name, entry.provider): entry for entry in entries}


def holds(folder: Path, entry: Entry) -> bool:
    """Whether the files of an entry are on the stick, and whole."""
    return not problem_with(folder, entry)


def problem_with(folder: Path, entry: Entry) -> str:
    """What is wrong with the first file of an entry that is not whole on the stick, "" for none."""
    problems = (_problem(folder, file.path, file.sha256) for file in entry.files)
    return next(filter(None, problems), "")


def has_file(folder: Path, file: StickFile) -> bool:
    """Whether exactly this file is on the stick."""
    path = folder / file.path
    try:
        return path.stat().st_size == file.size and not _problem(folder, file.path, file.sha256)
    except OSError:
        return False


def parts_of(source: Path, *, name: str, provider: str, identity: str) -> tuple[StickFile, ...]:
    """The files that a box file is to be on a stick.

    Raises:
        LabError: it cannot be read.
    """
    found = []
    with _told("read", source), source.open("rb") as file:
        size = source.stat().st_size
        count = max(1, -(-size // PART_BYTES))
        paths = file_names(name, provider, identity, parts=count)
        for number, path in enumerate(paths):
            length = min(PART_BYTES, size - number * PART_BYTES)
            digest = hashlib.sha256()
            for chunk in _chunks(file, length):
                digest.update(chunk)
            found.append(StickFile(path=path, size=length, sha256=digest.hexdigest()))
    return tuple(found)


def open_for_writing(folder: Path) -> None:
    """Make the folder a stick that is not finished: without checksums.

    Raises:
        LabError: it cannot be written.
    """
    with _told("written", folder):
        (folder / BOXES).mkdir(parents=True, exist_ok=True)
    remove(folder / SUMS)


def sweep_stick(folder: Path) -> None:
    """Remove what an export that was killed has left half written there, as far as can be."""
    sweep(folder)
    sweep(folder / BOXES)


def not_needed(folder: Path, kept: Iterable[str]) -> list[Path]:
    """The files of boxes on a stick other than those, named by their paths, that are kept.

    Raises:
        LabError: the stick cannot be read.
    """
    wanted = set(kept)
    with _told("read", folder / BOXES):
        there = sorted((folder / BOXES).glob("*.box*"))
    # What somebody else has put there is theirs.
    return [
        path
        for path in there
        if re.fullmatch(r"[a-z0-9-]+-[0-9a-f]{12}\.box(\.[0-9]{3})?", path.name)
        and f"{BOXES}/{path.name}" not in wanted
    ]


def bytes_of(paths: Iterable[Path]) -> int:
    """What files on a stick take, in bytes.

    Raises:
        LabError: one cannot be looked at.
    """
    total = 0
    for path in paths:
        with _told("read", path):
            total += path.stat().st_size
    return total


def copy_parts(source: Path, folder: Path, files: Sequence[StickFile]) -> None:
    """Put a box file on a stick, in its parts, each whole or not at all.

    Raises:
        LabError: it could not be read or written, or is another than it was.
    """
    with _opened(source) as file:
        for part in files:
            target = folder / part.path
            temporary = temporary_beside(target)
            digest = hashlib.sha256()
            try:
                with _told("written", target), temporary.open("xb") as copy:
                    for chunk in _chunks(file, part.size):
                        digest.update(chunk)
                        copy.write(chunk)
                    copy.flush()
                    os.fsync(copy.fileno())
                if digest.hexdigest() != part.sha256:
                    raise LabError(
                        f"{source} has changed while it was copied",
                        hint="Run the same command again.",
                    )
                crash.point(f"{target} is written under another name")
                with _told("written", target):
                    temporary.replace(target)
            finally:
                # Where even that fails, the next export sweeps.
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)


def put_together(folder: Path, files: Sequence[StickFile], target: Path) -> None:
    """Make a box file of its parts on a stick.

    Raises:
        LabError: a part cannot be read, or is not what was written; or `target` cannot be written.
    """
    room = "Free some space there, and run the same command again."
    with _told("written", target, hint=room), target.open("xb") as whole:
        for part in files:
            digest = hashlib.sha256()
            with _opened(folder / part.path) as source:
                for chunk in _chunks(source, part.size):
                    digest.update(chunk)
                    whole.write(chunk)
            if digest.hexdigest() != part.sha256:
                raise LabError(
                    f"{folder / part.path} is damaged, or the stick gives other bytes each time",
                    hint="Take another stick: lab box export FOLDER",
                )


def finish(folder: Path, entries: Sequence[Entry], *, lab_version: str) -> None:
    """Write what is on the stick, and the checksums of all of it, last.

    Raises:
        LabError: they cannot be written.
    """
    text = list_of(entries, lab_version=lab_version)
    # A stick need not know modes, nor let everybody say them.
    write_atomically(folder / MANIFEST, text, mode=None)
    sums = {file.path: file.sha256 for entry in entries for file in entry.files}
    sums[MANIFEST] = hashlib.sha256(text.encode()).hexdigest()
    lines = "".join(f"{sums[path]}  {path}\n" for path in sorted(sums))
    write_atomically(folder / SUMS, lines, mode=None)


def read(folder: Path) -> tuple[Entry, ...]:
    """What a stick holds; every file on it has been read, and is as it was written.

    Raises:
        LabError: it is no stick, is not finished, or is damaged; with each file that is.
    """
    again = "Copy it anew, where it was made: lab box export FOLDER"
    sums, problems = _sums(_text_of_sums(folder, again=again))
    problems += [why for path, digest in sums.items() if (why := _problem(folder, path, digest))]
    if MANIFEST not in sums:
        problems.append(f"{MANIFEST}: it is not in {SUMS}")
    if problems:
        raise LabError(
            f"What is in {folder} is damaged; nothing was taken from it",
            details="\n".join(problems),
            hint=again,
        )
    with _told("read", folder / MANIFEST):
        entries = entries_in((folder / MANIFEST).read_bytes())
    for entry in entries:
        for file in entry.files:
            if sums.get(file.path) != file.sha256:
                raise LabError(
                    f"What is in {folder} is damaged; nothing was taken from it",
                    details=f"{file.path}: {SUMS} and {MANIFEST} do not agree on it",
                    hint=again,
                )
    return entries


def _text_of_sums(folder: Path, *, again: str) -> str:
    """What the checksums' file says; where there is none, the stick is not finished."""
    with _told("read", folder / SUMS):
        if (folder / SUMS).is_file():
            return (folder / SUMS).read_text(encoding="utf-8", errors="replace")
        half = (folder / BOXES).is_dir() or (folder / MANIFEST).exists()
    raise LabError(
        f"{folder} is no finished stick: it has no {SUMS}",
        details="Copying to it was interrupted." if half else "",
        hint=again if half else "Name the folder that was given to `lab box export`.",
    )


def _sums(text: str) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        match = _SUM.fullmatch(line)
        if match is None:
            problems.append(f"{SUMS}: line {number} is no checksum")
        else:
            found[match[2]] = match[1]
    return found, problems


def _problem(folder: Path, path: str, digest: str) -> str:
    """What is wrong with a file on the stick, "" for one that is as it was written."""
    if not _PATH.fullmatch(path):
        return f"{path!r}: a path that is none of lab's, or leads out of the folder"
    file = folder / path
    try:
        if any(part.is_symlink() for part in (file, file.parent) if part != folder):
            return f"{path}: it is a link, and may lead out of the folder"
        if not file.is_file():
            return f"{path}: it is not there"
        with file.open("rb") as stream:
            said = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        return f"{path}: it cannot be read: {error.strerror}"
    return "" if said == digest else f"{path}: it is not what was written (its checksum differs)"


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A file to read from; what fails in the block besides is not taken for its failure."""
    with _told("read", path):
        file = path.open("rb")
    with file:
        yield file


def _chunks(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The next bytes of a file, in pieces."""
    while length > 0:
        with _told("read", Path(file.name)):
            chunk = file.read(min(_CHUNK, length))
        if not chunk:
            return
        length -= len(chunk)
        yield chunk


@contextmanager
def _told(what: str, path: Path, *, hint: str = "") -> Iterator[None]:
    """Makes a failure of the disk one that can be told."""
    try:
        yield
    except OSError as error:
        raise LabError(
            f"{path} could not be {what}: {error.strerror}", hint=hint or _HINTS[what]
        ) from error
