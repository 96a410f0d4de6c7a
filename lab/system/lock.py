"""One lab operation a project at a time: a kernel lock that a dead holder cannot keep."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lab.errors import LabError, LockedError
from lab.system import crash, process
from lab.system.files import make_folder
from lab.system.guardian import GRACE_S, KILLED_S, runs

_LOOK_AGAIN_S = 0.1
# What a dead holder had running is ended by its guardian; on a busy computer with some delay.
_GUARDIAN_S = GRACE_S + KILLED_S + 5.0


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who has noted in a lock's file that it holds the lock."""

    pid: int
    operation: str
    started: datetime

    def __str__(self) -> str:
        seconds = max(0, round((datetime.now().astimezone() - self.started).total_seconds()))
        since = self.started.isoformat(timespec="seconds")
        return f"pid {self.pid}: `lab {self.operation}`, since {since}, for {_span(seconds)}"

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        return runs(self.pid)


@contextlib.contextmanager
def hold(
    path: Path,
    *,
    operation: str,
    wait_s: float = 0.0,
    on_wait: Callable[[str], None] = lambda _: None,
    what: str = "this project",
    outlived: bool = False,
) -> Iterator[None]:
    """Hold a lock while the block runs; what lab runs in the block ends with lab.

    Where the holder is dead and the lock is not free yet, what it had running is just being ended
    (see `lab.system.guardian`): that is waited for, some seconds, whatever `wait_s` is.

    Args:
        path: the lock file; it stays, and says who holds it.
        operation: what the holder does, for the one who has to wait.
        wait_s: how long to wait for another holder.
        on_wait: told once, before the waiting, who holds it.
        what: what the lock is for, in words.
        outlived: whether what still runs at the end of the block goes on.

    Raises:
        LockedError: another lab holds it; with its pid, operation, start, and how long that is ago.
        Interrupted: lab was interrupted while it waited.
        LabError: the file cannot be opened or locked, or its folder not be made.
    """
    make_folder(path.parent)
    with _opened(path) as descriptor:
        _take(descriptor, path, wait_s=wait_s, on_wait=on_wait, what=what)
        crash.point(f"{path} is taken")
        _note(descriptor, operation)
        crash.point(f"{path} says who holds it")
        with process.guarded(descriptor, outlived=outlived):
            yield


@contextlib.contextmanager
def share(
    path: Path,
    *,
    alone: bool = False,
    wait_s: float,
    on_wait: Callable[[str], None],
    what: str,
) -> Iterator[None]:
    """Share a lock with others while the block runs, or have it when none of them does.

    Unlike `hold`, it tells nobody who has the lock, and ends nothing with lab.

    Args:
        path: the lock file; it stays.
        alone: whether to have it alone.
        wait_s: how long to wait for those who are in the way.
        on_wait: told once, before the waiting, what is waited for.
        what: who is in the way, in words.

    Raises:
        LockedError: they did not let it go in time.
        Interrupted: lab was interrupted while it waited.
        LabError: the file cannot be opened or locked, or its folder not be made.
    """
    make_folder(path.parent)
    with _opened(path) as descriptor:
        deadline = time.monotonic() + wait_s
        told = False
        while not _taken(descriptor, path, fcntl.LOCK_EX if alone else fcntl.LOCK_SH):
            if time.monotonic() >= deadline:
                raise LockedError(
                    f"Another lab is still at work: {what}",
                    details=f"Who it is: fuser -v {path}",
                    hint="Wait for it to end, then run the same command again.",
                )
            if not told:
                on_wait(f"waiting for {what}")
                told = True
            process.pause(_LOOK_AGAIN_S)
        yield


def holder_of(path: Path) -> Holder | None:
    """Who has noted that it holds the lock, the last one if it is free; None where nobody has."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        return Holder(
            pid=int(noted["pid"]),
            operation=str(noted["operation"]),
            started=datetime.fromisoformat(noted["started"]).astimezone(),
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise LabError(
            f"The lock {path} could not be opened: {error.strerror}",
            hint="Move away what is in its place, or mend its permissions; "
            "then run the same command again.",
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(
    descriptor: int, path: Path, *, wait_s: float, on_wait: Callable[[str], None], what: str
) -> None:
    began = time.monotonic()
    told = False
    while not _taken(descriptor, path, fcntl.LOCK_EX):
        holder = holder_of(path)
        is_dead = holder is not None and not holder.is_alive
        who = str(holder or f"the holder has not written who it is into {path}")
        if is_dead:
            who += "; it is dead, and what it had running is being ended"
        if time.monotonic() - began >= (max(wait_s, _GUARDIAN_S) if is_dead else wait_s):
            raise LockedError(
                f"Another lab is at work on {what}",
                details=who,
                hint="Wait for it to end, or let lab wait: add --wait 60s to the command.",
            )
        if not told:
            on_wait(f"waiting for another lab at work on {what} ({who})")
            told = True
        process.pause(_LOOK_AGAIN_S)


def _taken(descriptor: int, path: Path, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise LabError(
            f"{path} could not be locked: {error.strerror}",
            hint="Keep the folder on a disk of this computer's own.",
        ) from error
    return True


def _note(descriptor: int, operation: str) -> None:
    """Write who holds the lock; in one piece, as others may read it at any moment."""
    started = datetime.now().astimezone().isoformat(timespec="seconds")
    noted = {"pid": os.getpid(), "operation": operation, "started": started}
    data = json.dumps(noted).encode() + b"\n"
    # On a full disk the lock holds as well, and what frees some space may need it.
    with contextlib.suppress(OSError):
        os.pwrite(descriptor, data.ljust(os.fstat(descriptor).st_size), 0)
        os.ftruncate(descriptor, len(data))
        return
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)


def _span(seconds: int) -> str:
    """A span of time in words: its two largest units."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((at for at, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2])
