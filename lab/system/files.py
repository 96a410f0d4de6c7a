"""Files that are written whole or not at all, and the folder that lab keeps beside labs.yaml."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.system import crash
from lab.system.guardian import runs

# `.NAME.PID-xxxxxxxx.new`, and what ssh-keygen calls the other half of a pair.
_TEMPORARY = re.compile(r"\..+\.(\d+)-[0-9a-f]{8}\.new(?:\.pub)?")
_PRIVATE_FILE = 0o600
# Less what the umask takes away.
_USUAL_FILE = 0o666
_PRIVATE_FOLDER = 0o700
_HINT = "Move away what is in its place, or mend the permissions; then run the same command again."


def make_folder(path: Path) -> None:
    """Make a folder of lab's, closed to other users, unless it is there.

    Raises:
        LabError: it cannot be made: a file is in its place, say.
    """
    try:
        path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"The folder {path} could not be made: {error.strerror}", hint=_HINT
        ) from error


def make_private_folder(path: Path) -> None:
    """Make a folder that other users are kept out of and git ignores, or close one that is there.

    Raises:
        LabError: it cannot be made or closed: it is somebody else's, say.
    """
    make_folder(path)
    try:
        path.chmod(_PRIVATE_FOLDER)
    except OSError as error:
        raise LabError(
            f"The folder {path} could not be closed to other users: {error.strerror}", hint=_HINT
        ) from error
    write_if_changed(path / ".gitignore", "*\n")


def write_atomically(path: Path, text: str, *, mode: int | None = 0o644) -> None:
    """Put `text` into `path` whole or not at all.

    A reader, or a crash, sees the old file or the new one, never a part; and nobody else sees what
    is on its way there.

    Args:
        path: the file.
        text: what is to be in it.
        mode: who may do what with it; None for what is usual there. On FAT only the owner of the
            whole file system may say it.

    Raises:
        LabError: the disk is full, the folder cannot be written, or the text is none that UTF-8
            can hold; the old file is intact.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise LabError(
            f"{path} could not be written: {error.reason}",
            details=f"After {text[: error.start][-40:]!r} comes {text[error.start : error.end]!r}.",
            hint="Mend that character where it comes from; what was there is intact.",
        ) from error
    write_bytes_atomically(path, data, mode=mode)


def write_bytes_atomically(path: Path, data: bytes, *, mode: int | None = 0o644) -> None:
    """Put `data` into `path` whole or not at all; see `write_atomically`.

    Raises:
        LabError: the disk is full, or the folder cannot be written; the old file is intact.
    """
    temporary = None
    try:
        crash.point(f"before {path} is written")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_beside(path)
        half = len(data) // 2
        begun_as = _USUAL_FILE if mode is None else _PRIVATE_FILE
        new = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, begun_as)
        with os.fdopen(new, "wb") as file:
            file.write(data[:half])
            file.flush()
            crash.point(f"{path} is half written")
            file.write(data[half:])
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        crash.point(f"{path} is written under another name")
        temporary.replace(path)
        crash.point(f"{path} is written")
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
        raise LabError(
            f"{path} could not be written: {error.strerror}",
            hint="Free some space or mend the permissions, then run the same command again; "
            "what was there is intact.",
        ) from error


def write_tree(folder: Path, texts: Mapping[str, str]) -> None:
    """Make a folder with these files, by their paths in it, whole or not at all.

    Raises:
        LabError: it cannot be written, or is there already; nothing is left of it.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        for left in _half_written_in(folder.parent):
            remove_tree(left)
        new = temporary_beside(folder)
        try:
            for name, text in texts.items():
                write_atomically(new / name, text)
            new.rename(folder)
        except BaseException:
            remove_tree(new)
            raise
    except OSError as error:
        raise LabError(f"{folder} could not be written: {error.strerror}", hint=_HINT) from error


def write_if_changed(path: Path, text: str, *, mode: int = 0o644) -> bool:
    """Write `text` unless the file holds it already; says whether it was written."""
    # What is no UTF-8 is another text; what cannot be read, `write_atomically` tells of.
    with suppress(OSError, ValueError):
        if path.read_text(encoding="utf-8") == text:
            return False
    write_atomically(path, text, mode=mode)
    return True


def write_private(path: Path, text: str | bytes) -> None:
    """Write a file that only its owner may read, unless it is there as it should be.

    Raises:
        LabError: it cannot be written; the old file is intact.
    """
    data = text.encode() if isinstance(text, str) else text
    with suppress(OSError):
        if path.lstat().st_mode == stat.S_IFREG | _PRIVATE_FILE and path.read_bytes() == data:
            return
    write_bytes_atomically(path, data, mode=_PRIVATE_FILE)


def remove(path: Path) -> None:
    """Remove a file of lab's, if there is one.

    Raises:
        LabError: it cannot be removed.
    """
    crash.point(f"before {path} is removed")
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise LabError(f"{path} could not be removed: {error.strerror}", hint=_HINT) from error
    crash.point(f"{path} is removed")


def remove_tree(path: Path) -> None:
    """Remove a folder of lab's with all that is in it; what cannot be removed stays."""
    crash.point(f"before {path} is removed")
    for entry in sorted(path.iterdir()) if path.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with suppress(OSError):
                entry.unlink()
        crash.point(f"{path} is removed in part")
    shutil.rmtree(path, ignore_errors=True)
    crash.point(f"{path} is removed")


def temporary_beside(path: Path) -> Path:
    """A name for what is to become `path`, by renaming, when it is whole.

    What a dead lab has left under such a name, `LabFolder.sweep` removes.
    """
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.new")


def write_json(path: Path, data: object) -> None:
    """Write data as JSON, whole or not at all."""
    write_atomically(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The object that a JSON file of lab's holds; empty when there is no such file.

    Raises:
        LabError: the file is damaged, or cannot be read.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    except OSError as error:
        raise LabError(f"{path} could not be read: {error.strerror}", hint=_HINT) from error
    if not isinstance(data, dict):
        raise _damaged(path, "it holds no JSON object")
    return data


def _damaged(path: Path, why: str) -> LabError:
    return LabError(
        f"{path} is damaged: {why}",
        hint=f"Move it away (mv {path} {path}.damaged) and run the same command again: "
        "lab finds the machines anew.",
    )


def sweep(folder: Path) -> None:
    """Remove what a lab that was killed has left half written in a folder, as far as can be."""
    for path in _half_written_in(folder):
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _half_written_in(folder: Path) -> list[Path]:
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            # Another lab may be writing it: `lab ssh`, say, which takes no lock.
            if match and not runs(int(match[1])):
                found.append(Path(entry))
    return sorted(found)


class LabFolder:
    """`.lab/` beside labs.yaml: all that lab writes on the host, but for boxes and machines."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.root = project / ".lab"
        self.state = self.root / "state"
        self.logs = self.root / "logs"
        self.runs = self.root / "runs"
        self.ssh = self.root / "ssh"
        self.lock = self.root / "lock"

    def create(self) -> None:
        """Make the folder, closed to other users and ignored by git."""
        for folder in (self.root, self.state, self.logs, self.runs, self.ssh):
            make_folder(folder)
        write_if_changed(self.root / ".gitignore", "*\n")

    def half_written(self) -> list[Path]:
        """What a lab that was killed has left half written, here and beside labs.yaml."""
        if not self.root.is_dir():
            return []
        folders = (self.project, *(Path(folder) for folder, _, _ in os.walk(self.root)))
        return [path for folder in folders for path in _half_written_in(folder)]

    def sweep(self) -> None:
        """Remove what a lab that was killed has left half written, as far as that can be done."""
        for path in self.half_written():
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def machine_state(self, machine: str) -> Path:
        """Where lab notes what it last knew of a machine."""
        return self.state / "machines" / f"{machine}.json"

    def log_of(self, machine: str) -> Path:
        """The machine's log: all that was run for it, with its output."""
        return self.logs / f"{machine}.log"
