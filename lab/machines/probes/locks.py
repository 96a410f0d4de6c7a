"""Whether somebody holds a lock file, by the kernel's list: to try it would be to take it.

macOS has no such list. There whoever has noted in the file that it holds it does, while it runs.
"""

from __future__ import annotations

from pathlib import Path

from lab.system.lock import holder_of

_LOCKS = Path("/proc/locks")
_FIELDS = 6


def is_held(path: Path) -> bool:
    """Whether a process has the file locked with `flock`; False when there is no such file.

    Raises:
        OSError: it cannot be looked at.
    """
    if not _LOCKS.exists():
        holder = holder_of(path)
        return holder is not None and holder.is_alive
    try:
        return is_held_inode(path.stat().st_ino)
    except FileNotFoundError:
        return False


def is_held_inode(inode: int) -> bool:
    """Whether a process has the file with this inode locked with `flock`.

    The device is left out: some file systems (btrfs) name another one to programs than to the
    kernel's list. Should a file elsewhere have the same number, something counts as held that is
    free, and is left alone.
    """
    for line in _LOCKS.read_text().splitlines():
        words = line.split()
        # `->` before the kind is somebody who waits.
        if len(words) >= _FIELDS and words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
            return True
    return False
