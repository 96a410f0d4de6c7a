"""What the kernel says of this computer: memory, load, limits and control groups.

Every reading is None where the kernel does not say it: an older one, or one in a container.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KB_PER_MB = 1024
_BYTES_PER_MB = 1 << 20
_BYTES_PER_GB = 1 << 30
# For Vagrant's Ruby, lab with its checks, and the cached files of the root that guests share; what
# else runs on a computer grows with it.
_LEAST_RESERVE_MB = 512
_RESERVE = 0.05
# What version 1 says instead of `max`: more than any computer has.
_NO_LIMIT = 1 << 60
_FILES = {
    "memory": ("memory.max", "memory.current"),
    "memory in version 1": ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    "pids": ("pids.max", "pids.current"),
    "pids in version 1": ("pids.max", "pids.current"),
}


@dataclass(frozen=True)
class Group:
    """What a control group may use, infinity where it has no limit, and what it does use.

    Memory is without the page cache.
    """

    limit: float
    used: int


@dataclass(frozen=True)
class Kernel:
    """The kernel, by what it tells in `/proc` and `/sys`."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")

    def memory_mb(self, line: str) -> float | None:
        """A line of `/proc/meminfo`, such as `MemTotal` or `MemAvailable`."""
        for words in _lines(self.proc / "meminfo"):
            if words[0] == f"{line}:":
                return int(words[1]) / _KB_PER_MB
        return None

    def spare_memory_mb(self) -> tuple[float, float] | None:
        """What machines may use of the memory that is free now, and how much there is in all.

        Less than the computer's, where the control groups around guests allow less; and less what
        stays for the computer itself. Below zero where not even that is free.
        """
        free, total = self.memory_mb("MemAvailable"), self.memory_mb("MemTotal")
        if free is None or total is None:
            return None
        for group in self.groups_around_guests("memory"):
            free = min(free, (group.limit - group.used) / _BYTES_PER_MB)
            total = min(total, group.limit / _BYTES_PER_MB)
        return free - max(_LEAST_RESERVE_MB, total * _RESERVE), total

    def sysctl(self, name: str) -> int | None:
        """A setting that is a number: `fs.inotify.max_user_instances`."""
        return _number(self.proc / "sys" / name.replace(".", "/"))

    def load(self) -> float | None:
        """The load average of the last minute."""
        lines = _lines(self.proc / "loadavg")
        return float(lines[0][0]) if lines else None

    def tasks(self) -> int | None:
        """How many processes and threads there are."""
        lines = _lines(self.proc / "loadavg")
        return int(lines[0][3].partition("/")[2]) if lines else None

    def command_lines(self) -> Iterator[list[str]]:
        """The words of the command line of each process that may be seen."""
        for path in self.proc.glob("[0-9]*/cmdline"):
            yield _text(path).split("\0")

    def memory_pressure_percent(self) -> float | None:
        """Of the last ten seconds, how much of it some process waited for memory."""
        for words in _lines(self.proc / "pressure" / "memory"):
            if words[0] == "some":
                return float(words[1].partition("=")[2])
        return None

    def neighbours(self) -> int | None:
        """How many entries the table of IPv4 neighbours has, those of all guests included."""
        lines = _lines(self.proc / "net" / "stat" / "arp_cache")
        return int(lines[1][0], 16) if len(lines) > 1 else None

    def ports_of(self, bridge: str) -> int | None:
        """How many interfaces are connected to a bridge."""
        ports = self.sys / "class" / "net" / bridge / "brif"
        return len(list(ports.iterdir())) if ports.is_dir() else None

    def groups_around_guests(self, controller: str) -> list[Group]:
        """The control groups that all of root's LXC guests are in, the outermost first.

        Args:
            controller: `memory` (in bytes), or `pids`.
        """
        root, own = self._hierarchy(controller)
        folders = [root.joinpath(*own[:depth]) for depth in range(len(own) + 1)]
        return [it for folder in folders if (it := self._group(folder, controller))]

    def guests(self, controller: str) -> list[Group]:
        """The control groups of root's running LXC guests.

        Args:
            controller: `memory` (in bytes), or `pids`.
        """
        root, own = self._hierarchy(controller)
        # Before version 4 LXC had a folder of its own.
        around = root.joinpath(*own)
        folders = [*around.glob("lxc.payload.*"), *around.glob("lxc/*/")]
        return [it for folder in folders if (it := self._group(folder, controller))]

    @property
    def _unified(self) -> bool:
        return (self.sys / "fs" / "cgroup" / "cgroup.controllers").exists()

    def _hierarchy(self, controller: str) -> tuple[Path, list[str]]:
        """The top of the control groups, and the way from there to where LXC puts guests.

        That is beside the first process; but systemd keeps a group for that process alone.
        """
        top = self.sys / "fs" / "cgroup"
        own: list[str] = []
        for line in _text(self.proc / "1" / "cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(",") or (self._unified and not controllers):
                own = [part for part in path.split("/") if part not in {"", "init.scope"}]
        return (top if self._unified else top / controller), own

    def _group(self, folder: Path, controller: str) -> Group | None:
        limit_file, used_file = _FILES[
            controller if self._unified else f"{controller} in version 1"
        ]
        limit, used = _text(folder / limit_file).strip(), _number(folder / used_file)
        if not limit or used is None:
            return None
        if controller == "memory":
            used = max(0, used - self._page_cache(folder))
        most = math.inf if limit == "max" or int(limit) >= _NO_LIMIT else int(limit)
        return Group(limit=most, used=used)

    def _page_cache(self, folder: Path) -> int:
        """Bytes that a group counts as used, and that the kernel takes back when it needs them."""
        names = {"inactive_file", "active_file"}
        if not self._unified:
            names = {f"total_{name}" for name in names}
        return sum(int(words[1]) for words in _lines(folder / "memory.stat") if words[0] in names)


def disk_gb(folder: Path) -> tuple[float, float] | None:
    """What is free for users where a folder is or will be, and the size of it all."""
    there = next(it for it in (folder, *folder.parents) if it.exists())
    try:
        space = os.statvfs(there)
    except OSError:
        return None
    return (
        space.f_bavail * space.f_frsize / _BYTES_PER_GB,
        space.f_blocks * space.f_frsize / _BYTES_PER_GB,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _lines(path: Path) -> list[list[str]]:
    """The words of each line that has some."""
    return [words for words in map(str.split, _text(path).splitlines()) if words]


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None
