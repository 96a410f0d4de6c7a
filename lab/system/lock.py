"""One lab operation a project at a time: a kernel lock that a dead holder cannot keep."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

from lab.errors import LabError, LockedError
from lab.system.files import make_folder


@contextlib.contextmanager
def hold(path: Path, *, operation: str, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the project's lock while the block runs.

    Args:
        path: the lock file; it stays, and says who holds it.
        operation: what the holder does, for the one who has to wait.
        wait_s: how long to wait for another holder.

    Raises:
        LockedError: another lab holds it; with its pid, operation and start.
        LabError: the file cannot be opened, or its folder not be made.
    """
    make_folder(path.parent)
    deadline = time.monotonic() + wait_s
    with _opened(path) as file:
        while not _taken(file.fileno()):
            if time.monotonic() >= deadline:
                raise _locked(path)
            time.sleep(0.2)
        file.truncate(0)
        started = datetime.now().astimezone().isoformat(timespec="seconds")
        json.dump({"pid": os.getpid(), "operation": operation, "started": started}, file)
        file.flush()
        yield


def _opened(path: Path) -> TextIO:
    try:
        return path.open("a+", encoding="utf-8")
    except OSError as error:
        raise LabError(
            f"The lock {path} could not be opened: {error.strerror}",
            hint="Mend its permissions, then run the same command again.",
        ) from error


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _locked(path: Path) -> LockedError:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        who = f"pid {holder['pid']}: `lab {holder['operation']}`, since {holder['started']}"
    except (ValueError, KeyError, OSError):
        who = f"the holder has not written who it is into {path}"
    return LockedError(
        "Another lab is at work on this project",
        details=who,
        hint="Wait for it to end, or let lab wait: add --wait 60s to the command.",
    )
