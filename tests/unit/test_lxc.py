"""The provider lxc: what it needs of the host, and what it reads out of LXC's tables."""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from lab.classroom.classes import MachineSize
from lab.errors import HOST, HostError, ProcessError
from lab.machines.providers import lxc as module
from lab.machines.providers import provider_named
from lab.machines.providers.base import Guest
from lab.machines.providers.lxc import Lxc
from lab.machines.providers.lxc_isolation import port_name
from lab.system.kernel import Kernel
from tests.unit.conftest import WANTED, Program

# As lxc-ls --fancy prints it, trailing spaces included.
TABLE = """\
NAME                     STATE   IPV4                
lab-c0ffee-hello-ana     RUNNING 10.0.3.17           
lab-c0ffee-hello-luis    STOPPED -                   
lab-c0ffee-hello-marta   RUNNING 10.0.3.5, 172.17.0.1
lab-c0ffee-hello-pep     RUNNING -                   
lab-c0ffee-hello-zoe     FROZEN  10.0.3.9            
"""  # noqa: W291 (LXC's own spaces)


@pytest.fixture(autouse=True)
def _root(program: Program, tmp_path: Path) -> None:
    """Whoever runs the tests, sudo is no hindrance; and LXC's folder is the test's own."""
    program("sudo", 'shift; exec "$@"')
    (tmp_path / "lxc").mkdir()
    program("lxc-config", f'[ "$1" = lxc.lxcpath ] && echo {shlex.quote(str(tmp_path / "lxc"))}')


@pytest.fixture
def host(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has all that is needed."""
    for name in ("vagrant", "lxc-create", "ssh"):
        program(name, "")
    monkeypatch.setattr(module, "BRIDGE", "lo")


@pytest.mark.usefixtures("host")
def test_a_host_with_everything_will_do() -> None:
    assert provider_named("auto").name == "lxc"
    assert provider_named("lxc").name == "lxc"


@pytest.mark.parametrize(
    ("missing", "package"),
    [("vagrant", "vagrant vagrant-lxc"), ("lxc-create", "lxc"), ("ssh", "openssh-client")],
)
@pytest.mark.usefixtures("host")
def test_a_program_that_is_missing_is_told_with_its_package(
    monkeypatch: pytest.MonkeyPatch, missing: str, package: str
) -> None:
    which = module.shutil.which
    monkeypatch.setattr(
        module.shutil, "which", lambda name: None if name == missing else which(name)
    )
    with pytest.raises(HostError) as caught:
        provider_named("lxc")
    assert caught.value.exit_code == HOST
    assert caught.value.message == f"`{missing}` is not installed, and the provider lxc needs it"
    assert caught.value.hint == f"sudo apt-get install --no-install-recommends {package}"


@pytest.mark.usefixtures("host")
def test_a_sudo_that_asks_for_a_password_is_told(
    monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    monkeypatch.setattr(module.process.os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match="sudo asks for a password"):
        provider_named("lxc")


@pytest.mark.usefixtures("host")
def test_a_bridge_that_is_down_is_told_with_what_starts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "BRIDGE", "no-such-bridge")
    with pytest.raises(HostError) as caught:
        provider_named("lxc")
    assert "no-such-bridge" in caught.value.message
    assert "lxc-net" in caught.value.hint


@pytest.mark.usefixtures("host")
def test_machines_need_the_bridge_s_name_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module.lxc_isolation, "require_for", lambda *_, **__: None)
    monkeypatch.setattr(module.lxc_net, "_RUN", tmp_path)
    monkeypatch.setattr(module.lxc_net, "answers", lambda address: address != "127.0.0.1")
    # Whoever made a bridge without lxc-net may have its server elsewhere.
    Lxc().require_for([WANTED])
    (tmp_path / "network_up").touch()
    with pytest.raises(HostError, match="The DHCP and DNS server of lo does not answer"):
        Lxc().require_for([replace(WANTED, internet=False)])


def test_all_guests_in_one_query(program: Program, tmp_path: Path) -> None:
    (tmp_path / "table").write_text(TABLE)
    here = shlex.quote(str(tmp_path))
    program("lxc-ls", f'echo "$*" >>{here}/calls; cat {here}/table')
    prefix = "lab-c0ffee-hello-"
    assert Lxc().guests("lab-c0ffee-") == {
        f"{prefix}{login}": Guest(name=f"{prefix}{login}", state=state, ip=ip)
        for login, state, ip in (
            ("ana", "running", "10.0.3.17"),
            ("luis", "stopped", ""),
            ("marta", "running", "10.0.3.5"),
            ("pep", "running", ""),
            ("zoe", "unknown", "10.0.3.9"),
        )
    }
    assert (tmp_path / "calls").read_text() == (
        "--fancy --fancy-format NAME,STATE,IPV4 --filter=^lab-c0ffee-\n"
    )


@pytest.mark.parametrize("said", ["", "NAME STATE IPV4\n"])
def test_no_guest_at_all(program: Program, said: str) -> None:
    program("lxc-ls", f"printf '{said}'")
    assert Lxc().guests("lab-c0ffee-") == {}


def test_an_lxc_that_does_not_answer_is_no_empty_list(program: Program) -> None:
    program("lxc-ls", "echo 'lxc-ls: cannot open /var' >&2; exit 1")
    with pytest.raises(ProcessError) as caught:
        Lxc().guests("lab-c0ffee-")
    assert caught.value.details == "lxc-ls: cannot open /var"


@pytest.mark.parametrize(
    ("unified", "limits"),
    [
        (True, (("cgroup2.memory.max", "1536M"), ("cgroup2.cpu.max", "200000 100000"))),
        (
            False,
            (("cgroup.memory.limit_in_bytes", "1536M"), ("cgroup.cpu.cfs_quota_us", "200000")),
        ),
    ],
)
def test_a_machine_s_share_of_the_host(
    monkeypatch: pytest.MonkeyPatch, unified: bool, limits: tuple[tuple[str, str], ...]
) -> None:
    monkeypatch.setattr(module.Path, "exists", lambda _: unified)
    size = MachineSize(cpus=2, memory_mb=1536)
    wanted = replace(WANTED, size=size)
    port = ("net.0.veth.pair", port_name(wanted))
    assert Lxc().settings(wanted) == (*limits, port)
    assert Lxc().settings(replace(wanted, address="10.0.3.7/24")) == (
        *limits,
        port,
        ("net.0.ipv4.address", "10.0.3.7/24"),
        ("net.0.ipv4.gateway", "auto"),
        ("net.0.hwaddr", "02:00:0a:00:03:07"),
    )


def test_a_guest_that_was_ever_started_has_a_mark(program: Program, tmp_path: Path) -> None:
    (tmp_path / "table").write_text(TABLE)
    program("lxc-ls", f"cat {shlex.quote(str(tmp_path / 'table'))}")
    for name in ("lab-c0ffee-hello-ana", "lab-c0ffee-hello-luis", "lab-other-hello-pep"):
        (tmp_path / "lxc" / name).mkdir()
    mark = tmp_path / "lxc" / "lab-c0ffee-hello-luis" / "seeded"
    mark.write_text("0a1b-2c\n")
    (tmp_path / "lxc" / "lab-other-hello-pep" / "seeded").touch()
    guests = Lxc().guests("lab-c0ffee-")
    assert len(guests) == 5
    assert {name: guest.identity for name, guest in guests.items() if guest.started} == {
        "lab-c0ffee-hello-luis": "lxc:0a1b-2c"
    }
    assert {guest.identity for guest in guests.values() if not guest.started} == {""}


def test_a_guest_that_was_put_back_to_fresh_is_still_somebody_s(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "table").write_text(TABLE)
    program("lxc-ls", f"cat {shlex.quote(str(tmp_path / 'table'))}")
    for name in ("ana", "luis"):
        (tmp_path / "lxc" / f"lab-c0ffee-hello-{name}" / "snapshots").mkdir(parents=True)
    (tmp_path / "lxc" / "lab-c0ffee-hello-ana" / "seeded").write_text("0a1b-2c\n")
    guests = Lxc().guests("lab-c0ffee-")
    assert {name: guest.identity for name, guest in guests.items() if guest.started} == {
        "lab-c0ffee-hello-ana": "lxc:0a1b-2c",
        "lab-c0ffee-hello-luis": "",
    }
    assert len(guests) == 5


def test_an_empty_mark_of_an_earlier_lab_tells_machines_apart_by_its_time(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "table").write_text(TABLE)
    program("lxc-ls", f"cat {shlex.quote(str(tmp_path / 'table'))}")
    mark = tmp_path / "lxc" / "lab-c0ffee-hello-luis" / "seeded"
    mark.parent.mkdir()
    mark.touch()
    os.utime(mark, (0, 1_700_000_000))
    luis = Lxc().guests("lab-c0ffee-")["lab-c0ffee-hello-luis"]
    assert (luis.started, luis.identity) == (True, "lxc:@1700000000")


@pytest.mark.parametrize("table", ["", "NAME STATE IPV4\n"])
def test_a_guest_that_is_not_there_is_removed_already(program: Program, table: str) -> None:
    program("lxc-destroy", "echo 'Container is not defined' >&2; exit 1")
    program("lxc-ls", f"printf '{table}'")
    Lxc().remove("lab-c0ffee-hello-ana")


def test_a_guest_that_stays_is_told(program: Program, tmp_path: Path) -> None:
    (tmp_path / "table").write_text(TABLE)
    program("lxc-destroy", 'echo "$* is busy" >&2; exit 1')
    program("lxc-ls", f"cat {shlex.quote(str(tmp_path / 'table'))}")
    with pytest.raises(ProcessError) as caught:
        Lxc().remove("lab-c0ffee-hello-ana")
    assert caught.value.details == "--force --name lab-c0ffee-hello-ana is busy"


def test_what_the_network_and_root_s_processes_leave_free_is_asked_for(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = tmp_path / "sys" / "fs" / "inotify"
    settings.mkdir(parents=True)
    (settings / "max_user_instances").write_text("128\n")
    monkeypatch.setattr(module, "KERNEL", Kernel(proc=tmp_path, sys=tmp_path / "none"))
    monkeypatch.setattr(module, "_LEASES", str(tmp_path / "leases"))
    program("ip", "echo '7: lxcbr0 inet 10.0.3.1/24 brd 10.0.3.255 scope global lxcbr0'")
    told = {limit.name: (limit.free, limit.of) for limit in Lxc().capacity()}
    assert told.pop("disk")[1] > 0
    assert told == {"addresses": (253, 253), "inotify instances": (128, 128)}


def test_a_network_that_cannot_be_asked_about_is_left_out(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "KERNEL", Kernel(proc=tmp_path, sys=tmp_path))
    for bridge in ("", "7: lxcbr0 inet 10.0.3.1/24"):
        program("lxc-config", "echo /nowhere/at/all")
        program("ip", f"echo '{bridge}'")
        assert [limit.name for limit in Lxc().capacity()] == ["disk"]


def test_what_a_machine_needs_of_the_host() -> None:
    assert Lxc().needs(MachineSize(memory_mb=768), new=True)["memory"] == 768
