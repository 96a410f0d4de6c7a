"""The provider virtualbox: what it reads out of VBoxManage, and what it has it do.

VirtualBox is not to be had where this was written: the listings follow its sources, and what people have published.
"""

from __future__ import annotations

import json
import shlex
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.classroom.classes import MachineSize
from lab.errors import HostError, MachineError
from lab.machines.boxes.catalog import vagrant_home
from lab.machines.providers import virtualbox as module
from lab.machines.providers import virtualbox_manage as manage
from lab.machines.providers import virtualbox_network as network
from lab.machines.providers.base import Addresses, Guest, Wanted
from lab.machines.providers.virtualbox import VirtualBox
from lab.system.kernel import Kernel
from lab.workflow import boxes

Program = Callable[[str, str], Path]

PREFIX = "lab-c0ffee-"
ANA = "0d3f1b6e-6b1a-4f0c-9d5e-3a1c7be0f001"
LUIS = "0d3f1b6e-6b1a-4f0c-9d5e-3a1c7be0f002"
MARTA = "0d3f1b6e-6b1a-4f0c-9d5e-3a1c7be0f003"
MASTER = "0d3f1b6e-6b1a-4f0c-9d5e-3a1c7be0f004"
# As `VBoxManage list vms --long` prints it, with fewer of its lines.
VM = """\
Name:                        {name}
Encryption:     disabled
Groups:                      /
Guest OS:                    Debian (64-bit)
UUID:                        {uuid}
Config file:                 /Users/teacher/VirtualBox VMs/{name}/{name}.vbox
Snapshot folder:             /Users/teacher/VirtualBox VMs/{name}/Snapshots
Log folder:                  /Users/teacher/VirtualBox VMs/{name}/Logs
Hardware UUID:               {uuid}
Memory size:                 512MB
Number of CPUs:              1
State:                       {state}
Storage Controllers:
#0: 'SATA Controller', Type: IntelAhci, Instance: 0, Ports: 2 (max 30), Bootable
  Port 0, Unit 0: UUID: 5657ee45-6b16-4138-bbdc-f4e51053d3e7
    Location: "/Users/teacher/VirtualBox VMs/{name}/Snapshots/5657.vmdk"
NIC 1:                       MAC: 080027D0B9AE, Attachment: NAT, Cable connected: on, Trace: off (file: none)
NIC 1 Settings:  MTU: 0, Socket (send: 64, receive: 64), TCP Window (send:64, receive: 64)
{rules}NIC 2:                       disabled
Audio:                       disabled (Driver: None, Controller: AC97, Codec: STAC9700)

Shared folders:{shares}

VRDE:                        disabled

{description}Guest:

Configured memory balloon size: 0MB

"""
SNAPSHOT = "0d3f1b6e-6b1a-4f0c-9d5e-3a1c7be0f005"
DISK = """\
UUID:           {uuid}
Parent UUID:    {parent}
State:          created
Type:           normal (base)
Location:       /Users/teacher/VirtualBox VMs/x/{uuid}.vmdk
Storage format: VMDK
Format variant: dynamic default
Capacity:       8192 MBytes
Size on disk:   912 MBytes
Encryption:     disabled
{user}Child UUIDs:    0d3f1b6e-6b1a-4f0c-9d5e-0000000000ff

"""
RULE = (
    "NIC 1 Rule({index}):   name = {name}, protocol = tcp, host ip = 127.0.0.1, host port = {port}, "
    "guest ip = , guest port = {own}\n"
)


def listed(
    name: str, uuid: str, state: str, *, number: int | None = None, ours: bool = True
) -> str:
    rules = ""
    if number is not None:
        rules = RULE.format(index=0, name="port-80", port=28000 + number, own=80)
        rules += RULE.format(index=1, name="ssh", port=22000 + number, own=22)
    return VM.format(
        name=name,
        uuid=uuid,
        state=state,
        rules=rules,
        shares=" <none>"
        if ours
        else "\n\nName: 'vagrant', Host path: '/Users/teacher/x' (machine mapping), writable",
        description=f"Description:\n{manage.MARK}\n" if ours else "",
    )


def disk(number: str, parent: str, user: str) -> str:
    """A disk with that number and what it is below; `user` is who has it, nobody for ""."""
    return DISK.format(
        uuid=disk_uuid(number),
        parent=parent if parent == "base" else disk_uuid(parent),
        user=f"In use by VMs:  {user}\n" if user else "",
    )


def disk_uuid(number: str) -> str:
    return f"0d3f1b6e-6b1a-4f0c-9d5e-0000000000{number}"


LISTING = (
    listed("debian-12_1700000000000_1", MASTER, "powered off (since 2026-01-10T08:00:00.000000000)", ours=False)
    + listed(f"{PREFIX}web-ana", ANA, "running (since 2026-01-12T08:11:02.123000000)", number=4)
    + listed(f"{PREFIX}web-luis", LUIS, "powered off (since 2026-01-12T08:11:02.123000000)", number=5)
    + listed(f"{PREFIX}web-marta", MARTA, "paused (since 2026-01-12T08:11:02.123000000)", ours=False)
    + 'Name:                        <inaccessible!>\n'
)  # fmt: skip
# As `VBoxManage list hdds --long` prints it: the master has a snapshot, from which luis's disk comes.
DISKS = (
    disk("a1", "base", f"debian-12_1700000000000_1 (UUID: {MASTER}) [base (UUID: {SNAPSHOT})]")
    + disk("a2", "a1", f"debian-12_1700000000000_1 (UUID: {MASTER})")
    + disk("a3", "a1", f"{PREFIX}web-luis (UUID: {LUIS})")
    + disk("b1", "base", f"{PREFIX}web-ana (UUID: {ANA})")
)


@pytest.fixture
def virtualbox(program: Program, tmp_path: Path) -> Path:
    """A VBoxManage that lists what is in `listing`, says version 7 and notes what it is told."""
    (tmp_path / "listing").write_text(LISTING)
    (tmp_path / "disks").write_text(DISKS)
    (tmp_path / "version").write_text("7.0.14r161095\n")
    here = shlex.quote(str(tmp_path))
    program(
        manage.PROGRAM,
        f"""echo "$*" >>{here}/calls
case $1-$2 in
    --version-) cat {here}/version ;;
    list-vms) cat {here}/listing ;;
    list-hdds) cat {here}/disks ;;
    list-systemproperties) echo "Default machine folder:          {tmp_path}" ;;
    controlvm-*) ! [ -e {here}/obeys ] || printf '%s' "$(cat {here}/obeys)" >{here}/listing ;;
    export-*) : >"$(dirname "$4")/box-disk001.vmdk"; : >"$4" ;;
esac""",
    )
    for name in ("vagrant", "ssh"):
        program(name, "")
    return tmp_path


def calls(virtualbox: Path) -> list[str]:
    said = (virtualbox / "calls").read_text().splitlines()
    return [line for line in said if not line.startswith(("list ", "--version"))]


@pytest.fixture
def wanted(tmp_path: Path) -> Wanted:
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("hostname", "host", "host.pub", "admin.pub"):
        (keys / name).write_text(f"{name} of ana\n")
    return Wanted(
        name=f"{PREFIX}web-ana",
        box="lab/debian-12",
        size=MachineSize(cpus=2, memory_mb=768),
        address="",
        keys=keys,
        isolated=True,
        internet=True,
    )


def test_all_guests_in_one_query(virtualbox: Path) -> None:
    assert VirtualBox().guests(PREFIX) == {
        f"{PREFIX}web-ana": Guest(
            name=f"{PREFIX}web-ana",
            state="running",
            ip="127.0.0.1",
            started=True,
            identity=f"virtualbox:{ANA}",
            vagrant_id=ANA,
        ),
        f"{PREFIX}web-luis": Guest(
            name=f"{PREFIX}web-luis",
            state="stopped",
            started=True,
            identity=f"virtualbox:{LUIS}",
            vagrant_id=LUIS,
        ),
        f"{PREFIX}web-marta": Guest(name=f"{PREFIX}web-marta", state="unknown", vagrant_id=MARTA),
    }
    assert (virtualbox / "calls").read_text() == "list vms --long\n"


def test_a_list_without_machines_or_disks_has_none() -> None:
    assert manage.parse_machines("") == ()
    assert manage.parse_disks("") == {}


def test_what_a_machine_is_reached_at_is_in_the_list() -> None:
    found = {it.name: it for it in manage.parse_machines(LISTING)}
    assert found[f"{PREFIX}web-ana"].ports == {22: 22004, 80: 28004}
    assert found[f"{PREFIX}web-ana"].rules == ("port-80", "ssh")
    assert found["debian-12_1700000000000_1"].ports == {}
    # Of one that VirtualBox cannot read there is no more than that.
    assert found["<inaccessible!>"].state == "unknown"


@pytest.mark.usefixtures("virtualbox")
def test_a_host_with_everything_will_do() -> None:
    VirtualBox().require()
    assert VirtualBox().version == (7, 0)
    assert VirtualBox().remarks() == ()


@pytest.mark.parametrize("missing", ["vagrant", "VBoxManage", "ssh"])
@pytest.mark.usefixtures("virtualbox")
def test_a_program_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    which = module.shutil.which
    monkeypatch.setattr(
        module.shutil, "which", lambda name: None if name == missing else which(name)
    )
    with pytest.raises(HostError) as caught:
        VirtualBox().require()
    assert caught.value.message == (
        f"`{missing}` is not installed, and the provider virtualbox needs it"
    )


def test_kernel_modules_that_are_not_loaded_are_told(virtualbox: Path) -> None:
    (virtualbox / "version").write_text(
        "WARNING: The vboxdrv kernel module is not loaded. Either there is no module\n"
        "         available for the current kernel or it failed to load.\n7.0.14r161095\n"
    )
    with pytest.raises(HostError) as caught:
        VirtualBox().require()
    assert caught.value.message == "VirtualBox's kernel modules are not loaded"
    assert caught.value.hint.startswith("sudo /sbin/vboxconfig")


@pytest.mark.parametrize("version", ["5.2.44r139111\n", "what?\n"])
def test_a_version_that_is_too_old_is_told(virtualbox: Path, version: str) -> None:
    (virtualbox / "version").write_text(version)
    with pytest.raises(HostError, match=r"VirtualBox 6\.1 or newer is needed"):
        VirtualBox().require()


@pytest.mark.usefixtures("virtualbox")
def test_the_settings_of_a_machine(wanted: Wanted) -> None:
    assert VirtualBox().settings(wanted) == (
        ("--memory", "768"),
        ("--cpus", "2"),
        ("--audio-driver", "none"),
        ("--vrde", "off"),
        ("--nat-localhostreachable1", "off"),
        ("--description", "Made and started by lab."),
    )


def test_an_older_version_knows_less_and_that_is_said(virtualbox: Path, wanted: Wanted) -> None:
    (virtualbox / "version").write_text("6.1.50r161033\n")
    assert VirtualBox().settings(wanted)[2:] == (
        ("--audio", "none"),
        ("--vrde", "off"),
        ("--description", "Made and started by lab."),
    )
    [remark] = VirtualBox().remarks()
    assert remark.startswith("With VirtualBox before version 7")


@pytest.mark.usefixtures("virtualbox")
def test_each_machine_gets_ports_and_those_with_neighbours_an_address(wanted: Wanted) -> None:
    pep = replace(wanted, name=f"{PREFIX}web-pep", isolated=False)
    assert VirtualBox().allot_addresses([wanted, pep]) == Addresses(
        of={pep.name: "192.168.60.2/22"},
        ports={wanted.name: {22: 22004, 80: 28004}, pep.name: {22: 22000, 80: 28000}},
    )
    assert VirtualBox().allot_addresses([]) == Addresses()


@pytest.mark.usefixtures("virtualbox")
def test_a_new_machine_gets_a_disc_and_one_that_is_there_keeps_its_own(
    wanted: Wanted, tmp_path: Path
) -> None:
    disc, log = wanted.keys / "seed.iso", tmp_path / "log"
    disc.write_text("the old one")
    VirtualBox().prepare([wanted], new=set(), log=log)
    assert disc.read_text() == "the old one"
    VirtualBox().prepare([wanted], new={wanted.name}, log=log)
    assert b"host of ana" in disc.read_bytes()
    assert disc.stat().st_mode & 0o777 == 0o600
    disc.unlink()
    VirtualBox().prepare([wanted], new=set(), log=log)
    assert disc.exists()


def test_what_virtualbox_cannot_do_is_refused_when_it_is_asked(wanted: Wanted) -> None:
    VirtualBox().require_for([wanted])
    with pytest.raises(HostError) as caught:
        VirtualBox().require_for([replace(wanted, internet=False), wanted])
    assert caught.value.message == "VirtualBox cannot keep 1 of 2 machines from the internet"
    assert "Write `internet: on` in labs.yaml" in caught.value.hint


def test_a_network_for_neighbours_that_cannot_be_is_refused_when_it_is_asked(
    wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "networks.conf"
    conf.write_text("* 10.1.1.0/24\n")
    narrow = network.allowed_networks(conf)
    monkeypatch.setattr(network, "allowed_networks", lambda: narrow)
    VirtualBox().require_for([wanted])
    with pytest.raises(HostError, match="allows no network of 1000 machines"):
        VirtualBox().require_for([wanted, replace(wanted, isolated=False)])


def stopped(virtualbox: Path) -> None:
    """Whatever VBoxManage is told of a machine stops ana's."""
    (virtualbox / "obeys").write_text(LISTING.replace("running", "powered off"))


def test_a_machine_that_runs_is_stopped_before_it_is_removed(virtualbox: Path) -> None:
    stopped(virtualbox)
    VirtualBox().remove(f"{PREFIX}web-ana")
    assert calls(virtualbox) == [
        f"controlvm {PREFIX}web-ana poweroff",
        f"unregistervm {PREFIX}web-ana --delete",
    ]


def test_of_a_machine_that_is_removed_nothing_is_kept(virtualbox: Path, wanted: Wanted) -> None:
    zoe = replace(wanted, name=f"{PREFIX}web-zoe")
    assert VirtualBox().allot_addresses([zoe]).ports == {zoe.name: {22: 22000, 80: 28000}}
    # It was never made.
    VirtualBox().remove(zoe.name)
    eva = replace(wanted, name=f"{PREFIX}web-eva")
    assert VirtualBox().allot_addresses([eva]).ports == {eva.name: {22: 22000, 80: 28000}}


def test_a_machine_that_is_not_there_is_removed_already(virtualbox: Path) -> None:
    VirtualBox().remove(f"{PREFIX}web-zoe")
    assert calls(virtualbox) == []


def test_a_machine_is_asked_to_stop(virtualbox: Path) -> None:
    stopped(virtualbox)
    VirtualBox().halt(f"{PREFIX}web-ana")
    assert calls(virtualbox) == [f"controlvm {PREFIX}web-ana acpipowerbutton"]


def test_a_machine_that_does_not_listen_is_switched_off(
    virtualbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HALT_S", 0.0)
    VirtualBox().halt(f"{PREFIX}web-ana")
    assert calls(virtualbox)[-1] == f"controlvm {PREFIX}web-ana poweroff"


def test_a_box_of_a_machine_is_without_its_disc_mark_and_ports(
    virtualbox: Path, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    luis = f"{PREFIX}web-luis"
    box = VirtualBox().pack(luis, root_id="", recipe="abc", work=work, log=tmp_path / "log")
    assert calls(virtualbox) == [
        f"storagectl {luis} --name lab --remove",
        f"modifyvm {luis} --description  --natpf1 delete port-80 --natpf1 delete ssh",
        f"export {luis} --output {work}/box/box.ovf",
    ]
    with tarfile.open(box) as archive:
        assert {it.lstrip("./") for it in archive.getnames()} == {
            "",
            "box.ovf",
            "box-disk001.vmdk",
            "metadata.json",
        }
        told = archive.extractfile("./metadata.json")
        assert told is not None
        noted = json.loads(told.read())
    assert (noted["provider"], noted["lab_recipe"]) == ("virtualbox", "abc")


@pytest.mark.parametrize(("disks", "count"), [("", 0), ("a.vmdk b.vmdk", 2)])
def test_a_machine_with_another_number_of_disks_is_no_box(
    virtualbox: Path, program: Program, tmp_path: Path, disks: str, count: int
) -> None:
    program(
        manage.PROGRAM,
        f"""case $1 in
    list) cat {virtualbox}/listing ;;
    export) for disk in {disks}; do : >"$(dirname "$4")/$disk"; done ;;
esac""",
    )
    work = tmp_path / "work"
    work.mkdir()
    log = tmp_path / "log"
    with pytest.raises(MachineError) as caught:
        VirtualBox().pack(f"{PREFIX}web-luis", root_id="", recipe="abc", work=work, log=log)
    assert caught.value == MachineError(
        f"VirtualBox exported {count} disks of {PREFIX}web-luis, and a box has one",
        details=disks,
        log=log,
    )


@pytest.mark.usefixtures("virtualbox")
def test_what_the_host_allows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "KERNEL", Kernel(proc=tmp_path / "none", sys=tmp_path / "none"))
    ports, disk = VirtualBox().capacity()
    assert (ports.name, ports.free, ports.of) == ("ports", 998, 1000)
    assert disk.name == "disk"
    assert VirtualBox().needs(MachineSize(memory_mb=512), new=True) == {
        "memory": 608.0,
        "disk": 1.0,
        "ports": 1.0,
    }
    assert VirtualBox().needs(MachineSize(memory_mb=512), new=False) == {"memory": 608.0}


def test_snapshots_are_left_to_vagrant() -> None:
    assert VirtualBox().snapshots(PREFIX) == {}
    for ask in (
        VirtualBox().require_snapshots,
        lambda: VirtualBox().save_snapshot("x", "before"),
        lambda: VirtualBox().restore_snapshot("x", "before", keep_as=None),
        lambda: VirtualBox().renew("x", keep_as="before"),
        lambda: VirtualBox().delete_snapshot("x", "before"),
    ):
        with pytest.raises(HostError) as caught:
            ask()
        assert "vagrant snapshot save" in caught.value.hint


def test_a_machine_with_disks_below_its_own_may_be_cloned() -> None:
    disks = manage.parse_disks(DISKS)
    assert manage.may_be_cloned(MASTER, disks)
    # Its own snapshot is no clone.
    del disks[disk_uuid("a3")]
    assert not manage.may_be_cloned(MASTER, disks)
    # One whose machine cannot be read, and one below a clone's.
    for user, parent in (("", "a1"), (f"x (UUID: {LUIS})", "a2")):
        left = manage.parse_disks(disk("a4", parent, user))
        assert manage.may_be_cloned(MASTER, {**disks, **left})


def test_what_is_not_said_counts_as_a_clone() -> None:
    assert manage.may_be_cloned(MASTER, {})
    mute = DISKS.replace(disk("a3", "a1", f"{PREFIX}web-luis (UUID: {LUIS})"), "")
    assert not manage.may_be_cloned(MASTER, manage.parse_disks(mute))
    other = mute.replace(f"Parent UUID:    {disk_uuid('a1')}", "Parent: what?")
    assert manage.may_be_cloned(MASTER, manage.parse_disks(other))


def put_box(name: str, *, master: str = "", recipe: str = "c0ffee") -> Path:
    """Give Vagrant a box, with a master of its clones."""
    folder = vagrant_home() / "boxes" / name.replace("/", "-VAGRANTSLASH-") / "0" / "virtualbox"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text(
        json.dumps({"provider": "virtualbox", "lab_recipe": recipe})
    )
    if master:
        (folder / "master_id").write_text(master)
    return folder


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The boxes that Vagrant is told to remove, of this provider's."""
    names: list[str] = []

    class FakeVagrant:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def remove_box(self, name: str, *, provider: str) -> None:
            assert provider == "virtualbox"
            names.append(name)
            shutil.rmtree(vagrant_home() / "boxes" / name.replace("/", "-VAGRANTSLASH-"))

    monkeypatch.setattr(boxes, "PROVIDERS", ("virtualbox",))
    monkeypatch.setattr(boxes, "Vagrant", FakeVagrant)
    return names


def test_bakes_that_machines_are_clones_of_are_not_pruned(
    virtualbox: Path, forgotten: list[str]
) -> None:
    free = "0d3f1b6e-6b1a-4f0c-9d5e-3a1c7be0f006"
    off = "powered off (since 2026-01-10T08:00:00.000000000)"
    (virtualbox / "listing").write_text(LISTING + listed("of-a-bake", free, off, ours=False))
    (virtualbox / "disks").write_text(DISKS + disk("c1", "base", f"of-a-bake (UUID: {free})"))
    put_box("lab-bake/used", master=MASTER)
    put_box("lab-bake/free", master=f"{free}\n")
    put_box("lab-bake/never-cloned")
    put_box("lab/debian-12")
    assert boxes.prune(on_wait=print) == ["lab-bake/free", "lab-bake/never-cloned"]
    assert forgotten == ["lab-bake/free", "lab-bake/never-cloned"]
    # A bake and its master are one thing.
    assert calls(virtualbox) == [f"unregistervm {free} --delete"]


def test_a_bake_whose_master_cannot_be_read_stays(virtualbox: Path, forgotten: list[str]) -> None:
    dark = "0d3f1b6e-6b1a-4f0c-9d5e-3a1c7be0f007"
    unread = "Name:                        <inaccessible!>\nUUID:                        {}\n"
    (virtualbox / "listing").write_text(
        LISTING + unread.format(dark) + unread.format("0d3f1b6e-6b1a-4f0c-9d5e-3a1c7be0f008")
    )
    put_box("lab-bake/dark", master=dark)
    assert boxes.prune(on_wait=print) == []
    assert forgotten == []


def test_the_master_of_a_box_that_was_built_anew_goes_and_those_of_others_stay(
    virtualbox: Path, forgotten: list[str]
) -> None:
    (virtualbox / "disks").write_text(
        disk("a1", "base", f"x (UUID: {MASTER}) [base (UUID: {SNAPSHOT})]")
    )
    anew = put_box("lab/debian-12", master=MASTER) / "master_id"
    others = put_box("school/base", master=MARTA, recipe="") / "master_id"
    with boxes.boxes_locked("box build debian-12", on_wait=print):
        anew.unlink()
        others.unlink()
    assert boxes.prune(on_wait=print) == [f"the unpacked root {MASTER}"]
    assert (calls(virtualbox), forgotten) == ([f"unregistervm {MASTER} --delete"], [])


@pytest.mark.usefixtures("virtualbox")
def test_nothing_is_kept_for_guests_that_are_gone() -> None:
    VirtualBox().clear(["gone"])
    assert VirtualBox().seed_disc("x") == ""
