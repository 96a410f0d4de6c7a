"""Files that are written whole or not at all, and the folder that lab keeps beside labs.yaml."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.errors import LabError

_HINT = "Move away what is in its place, or mend the permissions; then run the same command again."


def make_folder(path: Path) -> None:
    """Make a folder of lab's, closed to other users, unless it is there.

    Raises:
        LabError: it cannot be made: a file is in its place, say.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"The folder {path} could not be made: {error.strerror}", hint=_HINT
        ) from error


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Put `text` into `path` whole or not at all.

    A reader, or a crash, sees the old file or the new one, never a part.

    Raises:
        LabError: the disk is full, the folder cannot be written, or the text is none that UTF-8
            can hold; the old file is intact.
    """
    temporary = ""
    try:
        data = text.encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except UnicodeEncodeError as error:
        raise LabError(
            f"{path} could not be written: {error.reason}",
            details=f"After {text[: error.start][-40:]!r} comes {text[error.start : error.end]!r}.",
            hint="Mend that character where it comes from; what was there is intact.",
        ) from error
    except OSError as error:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        raise LabError(
            f"{path} could not be written: {error.strerror}",
            hint="Free some space or mend the permissions, then run the same command again; "
            "what was there is intact.",
        ) from error


def write_if_changed(path: Path, text: str, *, mode: int = 0o644) -> bool:
    """Write `text` unless the file holds it already; says whether it was written."""
    # What is no UTF-8 is another text; what cannot be read, `write_atomically` tells of.
    with suppress(OSError, ValueError):
        if path.read_text(encoding="utf-8") == text:
            return False
    write_atomically(path, text, mode=mode)
    return True


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

    def machine_state(self, machine: str) -> Path:
        """Where lab notes what it last knew of a machine."""
        return self.state / "machines" / f"{machine}.json"

    def log_of(self, machine: str) -> Path:
        """The machine's log: all that was run for it, with its output."""
        return self.logs / f"{machine}.log"
