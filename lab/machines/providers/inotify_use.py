"""Counts the inotify instances and watches of a user: inotify_use.py PROC UID.

Run as root by `providers.lxc_capacity`, as a program: only root may look at everybody's files. The
containers' root is the host's, and the kernel allows each user so many.

Prints `{"instances": number, "watches": number}`.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path


def main(proc: Path, uid: int) -> None:
    """Count and print."""
    instances = watches = 0
    for process in proc.glob("[0-9]*"):
        # Processes end while they are looked at.
        with suppress(OSError):
            if process.stat().st_uid != uid:
                continue
            for link in (process / "fd").iterdir():
                if str(link.readlink()) == "anon_inode:inotify":
                    instances += 1
                    said = (process / "fdinfo" / link.name).read_text(encoding="ascii")
                    watches += sum(it.startswith("inotify ") for it in said.splitlines())
    sys.stdout.write(json.dumps({"instances": instances, "watches": watches}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
