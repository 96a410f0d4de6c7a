"""What libvirt's provider does before machines start, and after they are gone, with a stub `virsh`.

The stub answers each command from a file of its own name in `said/`, and notes what it was asked.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.classroom.classes import MachineSize
from lab.errors import HostError, ProcessError
from lab.machines import kvm
from lab.machines.kvm import Kvm, KvmTrial
from lab.machines.providers import kept_disks, libvirt_network, libvirt_storage
from lab.machines.providers import libvirt as module
from lab.machines.providers.base import Wanted
from lab.machines.providers.libvirt import Libvirt
from lab.system import process
from lab.system.kernel import Kernel

Program = Callable[[str, str], Path]
ANA, LUIS = "lab-c0ffee-hello-ana", "lab-c0ffee-hello-luis"
NETWORK = f"""<network>
  <name>lab</name>
  <bridge name='virbr-lab'/>
  <ip address='10.177.0.1' netmask='255.255.252.0'>
    <dhcp>
      <host mac='52:54:0a:b1:00:02' name='{ANA}' ip='10.177.0.2'/>
      <host mac='52:54:0a:b1:00:03' name='{LUIS}' ip='10.177.0.3'/>
      <host mac='52:54:00:00:00:04' name='printer' ip='10.177.0.4'/>
    </dhcp>
  </ip>
</network>
"""
DOMAIN = """<domain type='kvm'>
  <name>NAME</name>
  <features><acpi/></features>
  <cpu mode='host-passthrough' check='none' migratable='on'/>
  <devices>
    <interface type='network'><mac address='52:54:0a:b1:00:0N'/><source network='lab'/></interface>
  </devices>
</domain>
"""
# Commands come as words or as a script; of a script each `echo` and question in its turn.
VIRSH = """#!/usr/bin/env python3
import shlex, sys
from pathlib import Path
here = Path({here!r})
words = sys.argv[1:]
words = words[words.index("qemu:///system") + 1:]
script = " ".join(words) if len(words) == 1 else shlex.join(words)
code = 0
for line in script.split("; "):
    asked = shlex.split(line)
    if asked and asked[0] == "echo":
        sys.stdout.write(asked[1])
        code = 0
    elif asked:
        with (here / "asked").open("a") as log:
            log.write(" ".join(asked) + "\\n")
        given = sys.stdin.read() if "/dev/stdin" in asked else ""
        (here / "given").write_text(given)
        name = " ".join(asked)
        if (here / "fails" / name).exists() or any(
            it.name in given for it in (here / "refused").iterdir()
        ):
            sys.stderr.write(f"error: {{name}} failed\\n")
            code = 1
        else:
            code = 0
            said = here / "said" / name
            sys.stdout.write(said.read_text() if said.exists() else "")
sys.exit(code)
"""


class Host:
    """A computer with libvirt on it, as far as `virsh` tells."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.library = root / "library"
        for folder in ("said", "fails", "refused"):
            (root / folder).mkdir()
        for folder in ("images", "guests"):
            (self.library / folder).mkdir(parents=True)
        self.says("pool-list --all --name", "lab\n")
        self.says("pool-list --name", "lab\n")
        self.says("pool-dumpxml lab", f"<path>{self.library / 'images'}</path>\n")
        self.says("net-list --all --name", "lab\n")
        self.says("net-list --name", "lab\n")
        self.says("net-dumpxml lab", NETWORK)

    def says(self, question: str, answer: str) -> None:
        (self.root / "said" / question).write_text(answer)

    def fails(self, question: str) -> None:
        (self.root / "fails" / question).touch()

    def has(self, *names: str) -> None:
        """Stopped guests, each with a definition."""
        uuids = {name: f"0d1cb9ab-{number:04}" for number, name in enumerate(names)}
        self.says("list --all --uuid --name", "".join(f"{it} {n}\n" for n, it in uuids.items()))
        self.says("list --state-shutoff --uuid", "".join(f"{it}\n" for it in uuids.values()))
        for name in names:
            xml = DOMAIN.replace("NAME", name).replace("0N", "02" if name == ANA else "03")
            self.says(f"dumpxml {name} --inactive", xml)

    def disk(self, name: str, size: int) -> Path:
        path = self.library / "images" / f"{name}.img"
        with path.open("wb") as disk:
            disk.truncate(size)
        (self.library / "guests" / name).mkdir(exist_ok=True)
        return path

    def asked(self) -> list[str]:
        return (self.root / "asked").read_text().splitlines()


@pytest.fixture
def host(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> Host:
    root = tmp_path / "host"
    root.mkdir()
    found = Host(root)
    program("sudo", 'shift; exec "$@"')
    program(
        "ip",
        f"""case "$*" in
  *-batch*) sed 's/^rule add pref 100 /100: /' >>{root}/rules ;;
  *'rule show') cat {root}/rules 2>/dev/null || : ;;
esac""",
    )
    program("virsh", VIRSH.format(here=str(root)))
    monkeypatch.setattr(libvirt_storage, "ROOT", found.library)
    monkeypatch.setattr(libvirt_storage, "IMAGES", found.library / "images")
    monkeypatch.setattr(libvirt_storage, "GUESTS", found.library / "guests")
    monkeypatch.setattr(libvirt_storage, "write_seed_disc", lambda path, **_: path.touch())
    monkeypatch.setattr(module.catalog, "find", lambda *_, **__: None)
    trial = KvmTrial(kvm=Kvm.USELESS, why="the kernel said nothing")
    monkeypatch.setattr(kvm, "remembered_trial", lambda: trial)
    return found


def wanted(name: str = ANA, address: str = "10.177.0.2/22") -> Wanted:
    return Wanted(
        name=name,
        box="lab/debian-12",
        size=MachineSize(),
        address=address,
        keys=Path("/nowhere"),
        isolated=True,
        internet=True,
    )


BOTH = (wanted(), replace(wanted(), name=LUIS, address="10.177.0.3/22"))


def test_what_was_never_written_to_makes_way(host: Host, tmp_path: Path) -> None:
    disk = host.disk(ANA, 196_928)
    assert Libvirt().prepare([wanted()], new=[ANA], log=tmp_path / "log") == {}
    assert not disk.exists()
    assert f"vol-delete {ANA}.img --pool lab" in host.asked()
    assert (host.library / "guests" / ANA / "seed.iso").exists()


def test_what_is_about_to_be_made_keeps_its_address_all_along(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.disk(ANA, 196_928)
    own = host.library / "guests" / ANA
    (own / "identity").write_text("of a making that was cut off\n")
    seen: list[tuple[set[str], list[Path]]] = []
    monkeypatch.setattr(
        libvirt_storage,
        "seed",
        lambda *_, **__: seen.append((libvirt_storage.spoken_for(), [*own.iterdir()])),
    )
    libvirt_storage.keep_names([ANA])
    Libvirt().prepare([wanted()], new=[ANA], log=tmp_path / "log")
    # Another lab that looks at this moment does not let it go.
    assert seen == [({ANA}, [])]
    Libvirt().clear([ANA])
    assert libvirt_storage.spoken_for() == set()


def test_a_disk_without_its_machine_is_somebodys_and_stays(host: Host, tmp_path: Path) -> None:
    disk, fresh = host.disk(ANA, 9_000_000), host.disk(LUIS, 196_928)
    failures = Libvirt().prepare(BOTH, new=[ANA, LUIS], log=tmp_path / "log")
    assert failures == {
        ANA: f"libvirt has no machine {ANA}, and what was on it is still in {disk}\n"
        "To have it back, define it again: sudo virsh define FILE\n"
        "To make it anew, without what was on it: lab destroy LOGIN, then lab up LOGIN"
    }
    assert disk.exists()
    assert not (host.library / "guests" / ANA / "seed.iso").exists()
    # The other one's is made.
    assert not fresh.exists()
    assert (host.library / "guests" / LUIS / "seed.iso").exists()


def test_snapshots_without_their_machine_stay_too(host: Host, tmp_path: Path) -> None:
    host.disk(ANA, 196_928)
    snapshots = host.library / "guests" / ANA / "snapshots"
    snapshots.mkdir()
    failures = Libvirt().prepare([wanted()], new=[ANA], log=tmp_path / "log")
    assert list(failures) == [ANA]
    assert str(snapshots) in failures[ANA]
    assert snapshots.exists()


def test_a_machine_that_was_not_listed_before_is_left_alone(host: Host, tmp_path: Path) -> None:
    host.has(ANA)
    disk = host.disk(ANA, 196_928)
    failures = Libvirt().prepare([wanted()], new=[ANA], log=tmp_path / "log")
    assert failures[ANA].startswith(f"libvirt has a machine {ANA} now")
    assert disk.exists()


def test_a_libvirt_that_lists_nothing_removes_nothing(host: Host, tmp_path: Path) -> None:
    disk = host.disk(ANA, 196_928)
    host.fails("list --all --uuid --name")
    with pytest.raises(ProcessError, match="did not say which machines there are"):
        Libvirt().prepare([wanted()], new=[ANA], log=tmp_path / "log")
    with pytest.raises(ProcessError, match="did not say which machines there are"):
        Libvirt().allot_addresses([wanted()])
    assert disk.exists()
    assert not [it for it in host.asked() if it.startswith(("vol-delete", "net-update"))]


def test_a_pool_of_somebody_elses_is_not_used(host: Host, tmp_path: Path) -> None:
    host.says("pool-dumpxml lab", "<path>/srv/theirs</path>\n")
    with pytest.raises(HostError) as caught:
        Libvirt().prepare([wanted()], new=[ANA], log=tmp_path / "log")
    assert caught.value.message == "libvirt has a storage pool lab here that lab did not make"


def test_a_definition_that_libvirt_refuses_is_that_machines_trouble(
    host: Host, tmp_path: Path
) -> None:
    host.has(ANA, LUIS)
    (host.root / "refused" / ANA).touch()
    failures = Libvirt().prepare(BOTH, new=[], log=tmp_path / "log")
    assert list(failures) == [ANA]
    assert failures[ANA].startswith(f"libvirt does not take the change of {ANA}\nerror: define")
    assert host.asked().count("define /dev/stdin") == 2


def test_whether_kvm_works_is_looked_up_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "KERNEL", Kernel(proc=tmp_path))
    found = [KvmTrial(kvm=Kvm.WORKS, why="it boots")]
    monkeypatch.setattr(kvm, "remembered_trial", found.pop)
    libvirt = Libvirt()
    assert [libvirt.patience, libvirt.patience] == [1.0, 1.0]


def test_an_address_is_let_go_when_nobody_has_or_makes_the_machine(host: Host) -> None:
    assert libvirt_network.forgotten({LUIS}) == {ANA}
    host.disk(ANA, 9_000_000)
    assert libvirt_storage.spoken_for() == {ANA}


@pytest.mark.parametrize(("up", "how"), [("lab\n", "--config --live"), ("", "--config")])
def test_an_address_is_let_go_by_a_network_that_is_down_too(host: Host, up: str, how: str) -> None:
    host.says("net-list --name", up)
    libvirt_network.release([ANA])
    assert [it for it in host.asked() if it.startswith("net-update")] == [
        f"net-update lab delete ip-dhcp-host <host mac='52:54:0a:b1:00:02' name='{ANA}' "
        f"ip='10.177.0.2'/> {how}"
    ]


def test_two_labs_that_choose_at_once_do_not_choose_the_same(
    host: Host, program: Program, tmp_path: Path
) -> None:
    host.says("net-list --all --name", "default\n")
    host.says("net-dumpxml lab", "")
    host.says("net-dumpxml default", NETWORK.replace("<name>lab", "<name>default"))
    # Another lab defines one between this one's look and its turn.
    theirs = NETWORK.replace("<name>lab", "<name>lab-open").replace("10.177.0.1", "10.177.4.1")
    said = host.root / "said"
    (tmp_path / "theirs").write_text(theirs)
    program(
        "flock",
        f"""printf 'default\\nlab-open\\n' >'{said}/net-list --all --name'
cp '{tmp_path}/theirs' '{said}/net-dumpxml lab-open'""",
    )
    program("ip", "echo '[]'")
    libvirt_network._define("lab", log=tmp_path / "log")
    assert host.asked().count("net-define /dev/stdin") == 1
    assert "10.177.8.1" in (host.root / "given").read_text()


def routed(host: Host, program: Program, *networks: str) -> None:
    """This computer has no network of lab's yet, and routes to these."""
    host.says("net-list --all --name", "")
    routes = json.dumps([{"dst": it} for it in ("default", "192.168.1.0/24", *networks)])
    program("ip", f"echo {shlex.quote(routes)}")


def test_a_vpn_that_all_traffic_goes_through_takes_no_network(
    host: Host, program: Program, tmp_path: Path
) -> None:
    routed(host, program, "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8")
    libvirt_network._define("lab", log=tmp_path / "log")
    assert "172.29.0.1" in (host.root / "given").read_text()


def test_where_no_network_is_free_it_is_told_what_takes_them(
    host: Host, program: Program, tmp_path: Path
) -> None:
    routed(host, program, "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    with pytest.raises(HostError) as caught:
        libvirt_network._define("lab", log=tmp_path / "log")
    assert caught.value == HostError(
        "Every private network that lab would give libvirt's machines is in use here",
        details="Routes lead to all of 10.177.0.0/16, 172.29.0.0/16, 192.168.176.0/20.",
        hint="Take one of them down until lab has made its network, once (a VPN?); which there "
        "are: ip -4 route show table all",
    )


def test_a_machine_that_stopped_just_then_was_halted(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HALT_S", 0.0)
    host.fails(f"destroy {ANA}")
    host.has(ANA)
    Libvirt().halt(ANA)
    host.says("list --state-shutoff --uuid", "")
    with pytest.raises(ProcessError, match=f"libvirt's machine {ANA} could not be stopped"):
        Libvirt().halt(ANA)


@pytest.mark.parametrize("removed", [True, False])
def test_the_command_that_removes_a_machine_leaves_nothing_of_it(host: Host, removed: bool) -> None:
    host.disk(ANA, 9_000_000)
    command = Libvirt().removal(ANA)
    undefine = (
        f"undefine {ANA} --managed-save --snapshots-metadata --checkpoints-metadata --nvram "
        "--remove-all-storage"
    )
    if not removed:
        host.fails(undefine)
    ran = process.run(command.argv, check=False)
    assert host.asked() == [f"destroy {ANA}", undefine]
    # What is of a machine that is still there stays.
    assert ((host.library / "guests" / ANA).exists(), ran.ok) == (not removed, removed)


def test_snapshots_that_cannot_be_mended_are_that_machines_trouble(
    host: Host, program: Program, tmp_path: Path
) -> None:
    keep_disk = program(
        "keep-disk", f"case $* in *{ANA}*) echo 'keep-disk: no disk' >&2; exit 1 ;; esac"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_disks, "KEEP_DISK", keep_disk)
        host.has(ANA, LUIS)
        failures = Libvirt().prepare(BOTH, new=[], log=tmp_path / "log")
    assert list(failures) == [ANA]
    assert failures[ANA].startswith(
        f"What was cut off of {ANA}'s snapshots could not be mended\nkeep-disk: no disk\n"
    )
