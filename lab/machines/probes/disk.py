"""Folders that lab and Vagrant write to: tried by writing, and asked for their room."""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path

from lab.machines.health import Verdict, note, ok, problem
from lab.system import process

# Enough that a file system which is full has to find a block for it.
_TRIED_BYTES = 64 * 1024
_FEW_FILES = 1000
_GB = 1e9


def writable(folder: Path, *, needed_gb: float, why: str, urgent: bool = True) -> Verdict:
    """Whether a file can be written in a folder, and how much room there is.

    A folder that is not there yet is tried where it would be made.

    Args:
        folder: where.
        needed_gb: how much room there should be, in GB.
        why: what it is for.
        urgent: whether too little room hinders a class.
    """
    there = _existing(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".lab-doctor-") as file:
            file.write(b"\0" * _TRIED_BYTES)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return _not_writable(there, error.strerror or str(error), why=why)
    return _room(there, needed_gb=needed_gb, why=why, urgent=urgent)


def writable_by_root(folder: Path, *, needed_gb: float, why: str) -> Verdict:
    """The same of a folder that is root's; tried as root."""
    there = _existing(folder)
    script = (
        'f=$(mktemp "$1/.lab-doctor-XXXXXX") || exit 1; trap \'rm -f "$f"\' EXIT; '
        f'head -c {_TRIED_BYTES} /dev/zero >"$f" && sync "$f"'
    )
    tried = process.run(
        process.as_root(["sh", "-c", script, "sh", str(there)]), check=False, timeout_s=60
    )
    if not tried.ok:
        return _not_writable(there, tried.tail(1) or "nothing says why", why=why)
    return _room(there, needed_gb=needed_gb, why=why, urgent=True)


def _room(folder: Path, *, needed_gb: float, why: str, urgent: bool) -> Verdict:
    room = os.statvfs(folder)
    free_gb = room.f_bavail * room.f_frsize / _GB
    # Where files are not counted, there are 0 of them in all.
    if room.f_files and room.f_favail < _FEW_FILES:
        found = f"{folder} can hold {room.f_favail} more files (df -i {folder})"
    elif free_gb < needed_gb:
        found = f"{folder} has {free_gb:.1f} GB free, and {needed_gb:.1f} GB are wanted"
    else:
        return ok(f"{folder}: {free_gb:.1f} GB free")
    fix = f"Free some space there: sudo du -xh {shlex.quote(str(folder))} | sort -h | tail"
    return problem(found, why=why, fix=fix) if urgent else note(found, fix=fix)


def _not_writable(folder: Path, reason: str, *, why: str) -> Verdict:
    return problem(
        f"{folder} cannot be written: {reason}",
        why=why,
        fix=f"findmnt -T {shlex.quote(str(folder))}; ls -ld {shlex.quote(str(folder))}   "
        "(a file system that is full, read-only or somebody else's)",
    )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder
