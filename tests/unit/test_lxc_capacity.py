"""The limits of a host with LXC: what is free of each, and what is not told is left out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lab.classroom.classes import MachineSize
from lab.machines.providers import host_capacity, inotify_use
from lab.machines.providers.base import Limit
from lab.machines.providers.lxc_capacity import Network, limits, needs
from lab.system.kernel import Kernel
from tests.unit.test_kernel import MEMINFO, UNIFIED, group, kernel

MB = 1 << 20
NETWORK = Network(bridge="lxcbr0", addresses=253, free=200)


def found(
    kernel: Kernel, network: Network | None = None, inotify: dict[str, int] | None = None
) -> dict[str, Limit]:
    here = limits(kernel, lxcpath=Path("/"), network=network, inotify=inotify or {})
    return {limit.name: limit for limit in here if limit.name != "disk"}


def free(limits: dict[str, Limit]) -> dict[str, float]:
    return {name: limit.free for name, limit in limits.items()}


def test_what_the_kernel_does_not_tell_is_left_out(tmp_path: Path) -> None:
    assert found(kernel(tmp_path)) == {}


def test_every_limit_that_is_needed_of_is_told_and_the_other_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_capacity, "disk_gb", lambda _: (70.0, 250.0))
    sysctls = {
        "fs/inotify/max_user_instances": "128",
        "fs/inotify/max_user_watches": "8192",
        "kernel/pid_max": "32768",
        "kernel/threads-max": "190000",
        "net/ipv4/neigh/default/gc_thresh3": "1024",
    }
    host = kernel(
        tmp_path,
        **UNIFIED,
        **{f"proc/sys/{name}": value for name, value in sysctls.items()},
        **{
            "proc/meminfo": MEMINFO,
            "proc/loadavg": "0 0 0 1/300 9\n",
            "proc/net/stat/arp_cache": "entries\n0000000a\n",
            "sys/class/net/lxcbr0/brif/veth1": "",
        },
    )
    told = limits(
        host, lxcpath=tmp_path, network=NETWORK, inotify={"instances": 20, "watches": 100}
    )
    size = MachineSize(memory_mb=512)
    assert {limit.name for limit in told} == set(needs(size, new=True))
    assert [(it.name, it.unit, round(it.free, 1), it.of) for it in told] == [
        ("memory", "MB", 9420.8, 16384),
        ("memory really used", "MB", 9420.8, 16384),
        ("disk", "GB", 66.0, 250.0),
        ("addresses", "", 200, 253),
        ("bridge ports", "", 1022, 1023),
        ("inotify instances", "", 108, 128),
        ("inotify watches", "", 8092, 8192),
        ("processes", "", 32468, 32768),
        ("neighbours", "", 1014, 1024),
    ]
    assert [limit.name for limit in told if limit.promised] == ["memory"]
    assert told[5].hint_for(240) == (
        "sudo sysctl -w fs.inotify.max_user_instances=1024   (to keep it: "
        "echo fs.inotify.max_user_instances=1024 | sudo tee -a /etc/sysctl.d/90-lab.conf)"
    )


def test_what_running_guests_were_promised_and_do_not_use_yet_is_not_free(tmp_path: Path) -> None:
    host = kernel(
        tmp_path,
        **UNIFIED,
        **{"proc/meminfo": MEMINFO},
        **group("lxc.payload.a", limit=str(512 * MB), used=112 * MB),
        **group("lxc.payload.page-cache", limit=str(512 * MB), used=512 * MB, cache=300 * MB),
        **group("lxc.payload.endless", limit="max", used=5000 * MB),
        **group("lxc.payload.huge", limit=str(1 << 50), used=0),
    )
    told = found(host)
    spare = told["memory really used"].free
    assert told["memory"].free == pytest.approx(spare - 400 - 300 - 16384)
    assert "lab halt" in told["memory"].hint
    assert found(kernel(tmp_path / "none", **{"proc/meminfo": MEMINFO}))["memory"].hint == ""


def test_guests_whose_instances_could_not_be_counted_have_some_all_the_same(
    tmp_path: Path,
) -> None:
    host = kernel(
        tmp_path,
        **UNIFIED,
        **{"proc/sys/fs/inotify/max_user_instances": "128"},
        **group("lxc.payload.a", limit="max", used=1),
        **group("lxc.payload.b", limit="max", used=1),
    )
    assert free(found(host)) == {"inotify instances": 128 - 16}
    assert free(found(host, inotify={"instances": 60})) == {"inotify instances": 68}


@pytest.mark.parametrize(
    ("pids_max", "left", "hint"),
    [("max", 700, "sudo sysctl -w kernel.threads-max=2048 "), ("500", 400, "Raise the limit of p")],
)
def test_the_least_of_the_limits_of_processes_counts(
    tmp_path: Path, pids_max: str, left: int, hint: str
) -> None:
    host = kernel(
        tmp_path,
        **UNIFIED,
        **{
            "proc/loadavg": "0 0 0 1/300 9\n",
            "proc/sys/kernel/pid_max": "32768\n",
            "proc/sys/kernel/threads-max": "1000\n",
            "sys/fs/cgroup/pids.max": f"{pids_max}\n",
            "sys/fs/cgroup/pids.current": "100\n",
        },
    )
    told = found(host)
    assert free(told) == {"processes": left}
    assert told["processes"].hint_for(900).startswith(hint)


def test_a_bridge_that_is_not_there_has_no_ports(tmp_path: Path) -> None:
    assert free(found(kernel(tmp_path), NETWORK)) == {"addresses": 200}


def test_a_machine_never_needs_more_than_labs_yaml_gives_it() -> None:
    small = needs(MachineSize(memory_mb=100, disk_gb=0), new=True)
    assert (small["memory"], small["memory really used"], small["disk"]) == (100, 100, 0)


def test_a_machine_that_was_made_needs_no_disk_and_no_address() -> None:
    new, made = (needs(MachineSize(), new=new) for new in (True, False))
    assert set(new) - set(made) == {"disk", "addresses"}
    assert {name: new[name] for name in made} == made


def test_inotify_of_one_user_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for process, kinds in {"12": ("inotify", "eventpoll", "inotify"), "34": ()}.items():
        for folder in ("fd", "fdinfo"):
            (tmp_path / process / folder).mkdir(parents=True)
        for number, kind in enumerate(kinds):
            (tmp_path / process / "fd" / str(number)).symlink_to(f"anon_inode:{kind}")
            (tmp_path / process / "fdinfo" / str(number)).write_text(
                "pos:\t0\ninotify wd:2 ino:1\ninotify wd:1 ino:2\n"
            )
    (tmp_path / "56").mkdir()
    (tmp_path / "self").mkdir()
    inotify_use.main(tmp_path, os.geteuid())
    assert json.loads(capsys.readouterr().out) == {"instances": 2, "watches": 4}
    inotify_use.main(tmp_path, os.geteuid() + 1)
    assert json.loads(capsys.readouterr().out) == {"instances": 0, "watches": 0}
