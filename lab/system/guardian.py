"""A tiny process that outlives lab by a moment, and ends what lab can no longer end itself.

Run by `Guardian` as a program. It reads what lab has running, a line for each process group:
`?MARK` before it begins, `+7` when it has begun, `-7` when it has ended. When its stdin ends lab
has ended, killed perhaps, and the groups that are left are asked to end and then killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

# How long a program may take to end after it was asked to.
GRACE_S = 5.0
# How long a killed one may take to be gone, and its guardian after it.
KILLED_S = 2.0
# The variable that holds the mark of a program that lab starts.
MARK = "LAB_STARTED_AS"
# From its fork to its exec a program has no mark yet.
_EXEC_S = 0.5
# Where Linux tells of processes. macOS has no such place: there it is only known what can be
# signalled.
_PROC = "/proc"


class Guardian:
    """Watches over this process until it is dismissed, from a session of its own.

    It costs lab nothing: the program starts beside it, and lab goes on should it be killed.

    Args:
        keeping: a file that it keeps open as long as it is there; a lock on that file stays taken.
    """

    def __init__(self, keeping: int) -> None:
        reading, self._pipe = os.pipe()
        # A guardian that hears nothing, stopped say, must not stop lab.
        os.set_blocking(self._pipe, False)
        self._watched: set[int] = set()
        self._pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", __file__],
            dict(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reading, 0),
                (os.POSIX_SPAWN_DUP2, keeping, 3),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        os.close(reading)

    def expect(self, mark: str) -> None:
        """Have the next program ended with lab, which may be killed before it knows its group.

        Args:
            mark: what that program alone has in its environment as `MARK`.
        """
        self._tell(f"?{mark}\n")

    def watch(self, group: int) -> None:
        """Have a process group ended with lab: that of the program that was expected."""
        self._watched.add(group)
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """Leave a process group alone: it has ended, and its number may be another's soon."""
        if group in self._watched:
            self._watched.remove(group)
            self._tell(f"-{group}\n")

    def dismiss(self, *, outlived: bool = False) -> None:
        """Have it go; what has not ended by now it ends first, and nobody waits for that.

        Args:
            outlived: whether that goes on instead.
        """
        if outlived or not self._watched:
            # Not even its start is waited for.
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._pipe)

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError, BlockingIOError):
            os.write(self._pipe, line.encode())


def runs(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie where that is told."""
    if _is_told():
        return _stat(pid)[0] not in "ZX"
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def began(pid: int) -> int:
    """When a process began, in clock ticks: with its number, it is that of no other.

    0 where there is none, or that is not told.
    """
    return _stat(pid)[2]


def live(groups: set[int]) -> set[int]:
    """Those of the process groups of which something runs.

    A zombie does not, and may stay for long; where zombies are not told apart they count. Without
    `/proc` a group is left out that may not be signalled: another user's, and on macOS zombies.
    """
    if _is_told():
        known = [_stat(pid) for pid in _pids()]
        return groups & {group for state, group, _ in known if state not in "ZX"}
    return {group for group in groups if _can_be_signalled(group)}


def signal_groups(groups: set[int], number: signal.Signals) -> None:
    """Send a signal to those of the process groups in which something runs.

    One that runs as root, through sudo, cannot be signalled unless this process does too. It ends
    by itself when its stdin and parent are gone and nobody reads what it says.
    """
    for group in live(groups):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)


def main() -> None:
    """Hear what runs until lab has ended, and end what is left."""
    begun: dict[int, int] = {}
    expected = ""
    for line in sys.stdin:
        word = line[1:].strip()
        if line.startswith("?"):
            expected = word
        elif line.startswith("+"):
            begun[int(word)] = began(int(word))
            expected = ""
        else:
            begun.pop(int(word), None)
    groups = {group for group, when in begun.items() if began(group) in {when, 0}}
    end(groups | (_begun_as(expected) if expected else set()))


def _begun_as(mark: str) -> set[int]:
    """The group of the program with that mark, if it was begun, and that is told."""
    words = f"{MARK}={mark}".encode()
    deadline = time.monotonic() + _EXEC_S
    while _is_told() and time.monotonic() < deadline:
        for pid in _pids():
            with contextlib.suppress(OSError):
                # Others with the mark are what it has started itself.
                if words in _read(f"{_PROC}/{pid}/environ").split(b"\0") and os.getsid(pid) == pid:
                    return {pid}
        time.sleep(0.02)
    return set()


def end(groups: set[int]) -> None:
    """Ask process groups to end, and kill what is left after a grace period.

    One that cannot be signalled is waited for as long as others are.
    """
    for number, grace_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, KILLED_S)):
        signal_groups(groups, number)
        deadline = time.monotonic() + grace_s
        while live(groups) and time.monotonic() < deadline:
            time.sleep(0.05)


def _is_told() -> bool:
    return os.access(f"{_PROC}/self/stat", os.R_OK)


def _can_be_signalled(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _pids() -> list[int]:
    with os.scandir(_PROC) as entries:
        return [int(entry.name) for entry in entries if entry.name.isdecimal()]


def _stat(pid: int) -> tuple[str, int, int]:
    """A process's state, group, and when it began, in clock ticks; zeros when there is none."""
    try:
        words = _read(f"{_PROC}/{pid}/stat").rpartition(b")")[2].decode().split()
    except OSError:
        return "X", 0, 0
    return words[0], int(words[2]), int(words[19])


def _read(path: str) -> bytes:
    # pathlib would take longer to load than all else here.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 20)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main()
