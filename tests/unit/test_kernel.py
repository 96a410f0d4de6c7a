"""What the kernel says, and that what it does not say is no number."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lab.system.kernel import Group, Kernel, disk_gb

MEMINFO = "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:   10485760 kB\n"
GB = 1 << 30


def kernel(folder: Path, **files: str) -> Kernel:
    """A kernel whose `/proc` and `/sys` hold these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Kernel(proc=folder / "proc", sys=folder / "sys")


def group(path: str, *, limit: str, used: int, cache: int = 0) -> dict[str, str]:
    """A control group of memory in version 2."""
    folder = f"sys/fs/cgroup/{path}".rstrip("/")
    return {
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.current": f"{used}\n",
        f"{folder}/memory.stat": f"anon 5\nfile 7\ninactive_file {cache}\nactive_file 0\n",
    }


UNIFIED = {"sys/fs/cgroup/cgroup.controllers": "memory pids\n", "proc/1/cgroup": "0::/init.scope\n"}


def test_a_kernel_that_says_nothing(tmp_path: Path) -> None:
    silent = kernel(tmp_path)
    assert [
        silent.memory_mb("MemTotal"),
        silent.spare_memory_mb(),
        silent.sysctl("kernel.pid_max"),
        silent.load(),
        silent.tasks(),
        silent.memory_pressure_percent(),
        silent.neighbours(),
        silent.ports_of("lxcbr0"),
    ] == [None] * 8
    assert (silent.groups_around_guests("memory"), silent.guests("memory")) == ([], [])


def test_numbers_are_read(tmp_path: Path) -> None:
    said = kernel(
        tmp_path,
        **{
            "proc/meminfo": MEMINFO,
            "proc/loadavg": "1.25 1.27 1.04 3/192 20335\n",
            "proc/sys/fs/inotify/max_user_instances": "128\n",
            "proc/sys/net/ipv4/neigh/default/gc_thresh3": "1024\n",
            "proc/pressure/memory": "some avg10=2.50 avg60=0 total=3\nfull avg10=9 total=2\n",
            "proc/net/stat/arp_cache": "entries  allocs\n0000002d  00000adb\n0000002d  00000001\n",
            "sys/class/net/lxcbr0/brif/veth1": "",
        },
    )
    assert said.memory_mb("MemTotal") == 16384
    assert said.sysctl("fs.inotify.max_user_instances") == 128
    assert said.sysctl("net.ipv4.neigh.default.gc_thresh3") == 1024
    assert (said.load(), said.tasks()) == (1.25, 192)
    assert said.memory_pressure_percent() == 2.5
    assert said.neighbours() == 45
    assert said.ports_of("lxcbr0") == 1


def test_the_computer_keeps_some_memory_for_itself(tmp_path: Path) -> None:
    large = kernel(tmp_path / "large", **{"proc/meminfo": MEMINFO})
    assert large.spare_memory_mb() == (pytest.approx(10240 - 0.05 * 16384), 16384)
    small = kernel(
        tmp_path / "small", **{"proc/meminfo": "MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\n"}
    )
    assert small.spare_memory_mb() == (512, 2048)


def test_a_container_around_the_guests_may_allow_less_than_the_computer(tmp_path: Path) -> None:
    files = {
        **UNIFIED,
        "proc/meminfo": MEMINFO,
        "proc/1/cgroup": "0::/pod/inner/init.scope\n",
        **group("", limit="max", used=9 * GB),
        **group("pod", limit=str(4 * GB), used=2 * GB, cache=GB),
        **group("pod/inner", limit=str(8 * GB), used=GB),
    }
    said = kernel(tmp_path, **files)
    assert said.groups_around_guests("memory") == [
        Group(limit=math.inf, used=9 * GB),
        Group(limit=4 * GB, used=GB),
        Group(limit=8 * GB, used=GB),
    ]
    assert said.spare_memory_mb() == (3 * 1024 - 512, 4 * 1024)


def test_guests_of_version_2(tmp_path: Path) -> None:
    files = {
        **UNIFIED,
        **group("lxc.payload.a", limit=str(512), used=100, cache=30),
        **group("lxc.payload.b", limit="max", used=10),
        **group("lxc.payload.a/system.slice", limit="7", used=7),
        **group("lxc.monitor.a", limit="max", used=1),
    }
    assert sorted(kernel(tmp_path, **files).guests("memory"), key=lambda it: it.used) == [
        Group(limit=math.inf, used=10),
        Group(limit=512, used=70),
    ]


@pytest.mark.parametrize("folder", ["lxc.payload.a", "lxc/a"])
def test_guests_of_version_1(tmp_path: Path, folder: str) -> None:
    top = "sys/fs/cgroup/memory/docker/c0ffee"
    files = {
        "proc/1/cgroup": "9:name=systemd:/\n4:memory,hugetlb:/docker/c0ffee\n0::/\n",
        f"{top}/memory.limit_in_bytes": "9223372036854771712\n",
        f"{top}/memory.usage_in_bytes": "5000\n",
        f"{top}/{folder}/memory.limit_in_bytes": "512\n",
        f"{top}/{folder}/memory.usage_in_bytes": "100\n",
        f"{top}/{folder}/memory.stat": "inactive_file 1\ntotal_inactive_file 20\ntotal_active_file 5\n",
    }
    said = kernel(tmp_path, **files)
    assert said.guests("memory") == [Group(limit=512, used=75)]
    assert said.groups_around_guests("memory") == [Group(limit=math.inf, used=5000)]


def test_the_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    space = disk_gb(tmp_path / "not" / "there")
    assert space is not None
    assert 0 <= space[0] <= space[1]
