"""The provider libvirt: what it needs of the host, and what it tells Vagrant."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.classroom.classes import MachineSize
from lab.errors import HOST, HostError, ProcessError
from lab.machines import kvm
from lab.machines.kvm import Kvm, KvmTrial
from lab.machines.providers import libvirt as module
from lab.machines.providers import (
    libvirt_capacity,
    libvirt_network,
    libvirt_storage,
    provider_named,
)
from lab.machines.providers.base import Guest, Wanted
from lab.machines.providers.libvirt import Libvirt
from lab.machines.providers.libvirt_virsh import ask
from lab.system.kernel import Kernel

Program = Callable[[str, str], Path]

NETWORK = """<network>
  <name>lab</name>
  <bridge name='virbr-lab'/>
  <ip address='10.177.0.1' netmask='255.255.252.0'>
    <dhcp>
      <host mac='52:54:0a:b1:00:02' name='lab-c0ffee-hello-ana' ip='10.177.0.2'/>
      <host mac='52:54:0a:b1:00:03' name='lab-c0ffee-hello-luis' ip='10.177.0.3'/>
    </dhcp>
  </ip>
</network>"""
UUIDS = {
    "ana": "0d1cb9ab-5f0a-4d3a-9d6e-5c8b5c5d0a01",
    "luis": "0d1cb9ab-5f0a-4d3a-9d6e-5c8b5c5d0a02",
    "marta": "0d1cb9ab-5f0a-4d3a-9d6e-5c8b5c5d0a03",
    "pep": "0d1cb9ab-5f0a-4d3a-9d6e-5c8b5c5d0a04",
}


@pytest.fixture(autouse=True)
def _root(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests, sudo is no hindrance; and what libvirt keeps is the test's own."""
    program("sudo", 'shift; exec "$@"')
    root = tmp_path / "libvirt"
    for name, path in (("ROOT", root), ("IMAGES", root / "images"), ("GUESTS", root / "guests")):
        monkeypatch.setattr(libvirt_storage, name, path)
    monkeypatch.setattr(module, "KERNEL", Kernel(proc=tmp_path / "proc"))


@pytest.fixture(params=[Kvm.USELESS])
def trial(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> KvmTrial:
    """How trying KVM ended."""
    found = KvmTrial(kvm=request.param, why="the kernel said nothing for 15 s", fix="Turn it on.")
    monkeypatch.setattr(kvm, "remembered_trial", lambda: found)
    return found


@pytest.fixture
def host(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has all that is needed."""
    for name in ("vagrant", "virsh", kvm.QEMU, "qemu-img", "ssh"):
        program(name, "")
    (tmp_path / "gems" / "vagrant-libvirt-0.11.2").mkdir(parents=True)
    monkeypatch.setattr(module, "_GEMS", (str(tmp_path / "gems"),))


def wanted(name: str = "lab-c0ffee-hello-ana", address: str = "10.177.0.2/22") -> Wanted:
    return Wanted(
        name=name,
        box="lab/debian-12",
        size=MachineSize(cpus=2, memory_mb=768, disk_gb=10),
        address=address,
        keys=Path("/nowhere"),
        isolated=True,
        internet=True,
    )


@pytest.mark.usefixtures("host")
def test_a_host_with_everything_will_do() -> None:
    assert provider_named("libvirt").name == "libvirt"


@pytest.mark.parametrize(
    ("missing", "package"),
    [
        ("vagrant", "vagrant vagrant-libvirt"),
        ("virsh", "libvirt-clients libvirt-daemon-system"),
        (kvm.QEMU, "qemu-system-x86"),
        ("qemu-img", "qemu-utils"),
    ],
)
@pytest.mark.usefixtures("host")
def test_what_is_missing_is_told_with_its_package(
    monkeypatch: pytest.MonkeyPatch, missing: str, package: str
) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda it: None if it == missing else f"/bin/{it}")
    with pytest.raises(HostError) as caught:
        Libvirt().require()
    assert (
        caught.value.message == f"`{missing}` is not installed, and the provider libvirt needs it"
    )
    assert caught.value.hint == f"sudo apt-get install --no-install-recommends {package}"
    assert caught.value.exit_code == HOST


@pytest.mark.usefixtures("host")
def test_a_vagrant_without_its_plugin_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_GEMS", (str(tmp_path / "none"),))
    with pytest.raises(HostError) as caught:
        Libvirt().require()
    assert caught.value.message == (
        "Vagrant's plugin for libvirt is not installed, and the provider libvirt needs it"
    )


@pytest.mark.usefixtures("host")
def test_a_plugin_that_vagrant_installed_itself_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_GEMS", ())
    (tmp_path / "vagrant.d/gems/3.1.2/gems/vagrant-libvirt-0.12.0").mkdir(parents=True)
    Libvirt().require()


@pytest.mark.usefixtures("host")
def test_a_libvirt_that_does_not_run_is_told(program: Program) -> None:
    program("virsh", "echo 'error: failed to connect to the hypervisor' >&2; exit 1")
    with pytest.raises(HostError) as caught:
        Libvirt().require()
    assert caught.value.message == "libvirt does not answer at qemu:///system"
    assert caught.value.details == "error: failed to connect to the hypervisor"
    assert caught.value.hint.startswith("sudo systemctl start libvirtd")


@pytest.mark.usefixtures("host")
def test_a_user_whom_libvirt_does_not_let_in_is_told_before_vagrant_tries(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.process, "as_root", lambda argv: ["sudo", "-n", *argv])
    program("sudo", 'shift; BY_SUDO=1 exec "$@"')
    refusal = "error: authentication unavailable: no polkit agent available to authenticate action"
    program("virsh", f'[ -n "$BY_SUDO" ] || {{ echo "{refusal}" >&2; exit 1; }}')
    with pytest.raises(HostError) as caught:
        Libvirt().require()
    assert caught.value == HostError(
        "libvirt lets only root in at qemu:///system, and Vagrant is run by your own user",
        details=refusal,
        hint="sudo usermod -aG libvirt $USER   (it counts from your next login on)",
    )


def answering(program: Program, domains: dict[str, str], network: str = NETWORK) -> None:
    """A `virsh` that has these guests, each with its state."""
    listed = "".join(f"{UUIDS[it]} lab-c0ffee-hello-{it}\n" for it in domains)
    by_state = {
        state: "".join(f"{UUIDS[it]}\n" for it, was in domains.items() if was == state)
        for state in ("running", "shut off")
    }
    answers = [by_state["running"], by_state["shut off"], network, "", "", "", listed]
    said = "".join(f"@lab asks@{answer}" for answer in answers)
    program("virsh", f"printf %s {shlex.quote(said)}")


def test_guests_are_told_with_their_state_address_and_identity(
    program: Program, tmp_path: Path
) -> None:
    answering(program, {"ana": "running", "luis": "shut off", "marta": "shut off", "pep": "paused"})
    images = tmp_path / "libvirt" / "images"
    images.mkdir(parents=True)
    (tmp_path / "libvirt" / "guests").mkdir()
    for login, size in (("ana", 196928), ("luis", 9_000_000), ("marta", 196928)):
        own = tmp_path / "libvirt" / "guests" / f"lab-c0ffee-hello-{login}"
        own.mkdir(parents=True)
        (own / "identity").write_text(f"{login}-1\n")
        with (images / f"lab-c0ffee-hello-{login}.img").open("wb") as overlay:
            overlay.truncate(size)

    def guest(login: str, state: str, ip: str = "", *, started: bool) -> Guest:
        return Guest(
            name=f"lab-c0ffee-hello-{login}",
            state=state,
            ip=ip,
            started=started,
            identity=f"libvirt:{UUIDS[login]}:{login}-1" if started else "",
            vagrant_id=UUIDS[login],
        )

    found = Libvirt().guests("lab-c0ffee-")
    # Marta's was defined, and has never written to its disk; nobody knows who made Pep's.
    assert found == {
        "lab-c0ffee-hello-ana": guest("ana", "running", "10.177.0.2", started=True),
        "lab-c0ffee-hello-luis": guest("luis", "stopped", started=True),
        "lab-c0ffee-hello-marta": guest("marta", "stopped", started=False),
        "lab-c0ffee-hello-pep": guest("pep", "unknown", started=False),
    }
    assert Libvirt().guests("lab-ffffff-") == {}


def test_a_guest_that_was_put_back_to_fresh_is_still_somebody_s(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "libvirt" / "images").mkdir(parents=True)
    answering(program, {"ana": "shut off", "luis": "shut off"})
    guests = tmp_path / "libvirt" / "guests"
    for login in ("ana", "luis"):
        (guests / f"lab-c0ffee-hello-{login}" / "snapshots").mkdir(parents=True)
    (guests / "lab-c0ffee-hello-ana" / "identity").write_text("ana-2\n")
    found = Libvirt().guests("lab-c0ffee-")
    # Luis's was cut off in the middle, and has no identity at this moment.
    assert {it.name: (it.started, it.identity) for it in found.values()} == {
        "lab-c0ffee-hello-ana": (True, f"libvirt:{UUIDS['ana']}:ana-2"),
        "lab-c0ffee-hello-luis": (True, ""),
    }


def test_a_libvirt_that_answers_nothing_has_not_no_guests(program: Program) -> None:
    program("virsh", "echo 'error: Disconnected from qemu:///system' >&2; exit 1")
    with pytest.raises(ProcessError, match="did not say which machines"):
        Libvirt().guests("lab-")


def test_a_list_of_machines_that_failed_is_not_that_there_are_none(program: Program) -> None:
    # All else was answered; what failed printed nothing.
    program("virsh", f"printf %s {shlex.quote('@lab asks@' * 7)}; exit 1")
    with pytest.raises(ProcessError, match="did not say which machines"):
        Libvirt().guests("lab-")
    with pytest.raises(ProcessError, match="did not say which machines"):
        Libvirt().clear(["lab-c0ffee-hello-ana"])


def test_a_folder_of_disks_that_is_not_there_is_not_an_empty_one(
    program: Program, tmp_path: Path
) -> None:
    answering(program, {"ana": "shut off"})
    with pytest.raises(ProcessError) as caught:
        Libvirt().guests("lab-c0ffee-")
    assert caught.value.message == (
        f"What libvirt's machines have in {tmp_path / 'libvirt'} cannot be read"
    )


def test_one_question_that_fails_does_not_shift_the_other_answers(program: Program) -> None:
    program("virsh", "printf '@lab asks@one\\n@lab asks@@lab asks@three\\n@lab asks@'; exit 1")
    assert ask("a", "b", "c") == ["one\n", "", "three\n"]


def test_a_network_of_that_name_that_lab_did_not_make_is_not_used(program: Program) -> None:
    theirs = NETWORK.replace("virbr-lab", "virbr7")
    said = f"@lab asks@{theirs}" + "@lab asks@" * 4
    program("virsh", f"printf %s {shlex.quote(said)}")
    with pytest.raises(HostError) as caught:
        libvirt_network.ensure(["lab"])
    assert caught.value.message == "libvirt has a network lab here that lab did not make"


@pytest.mark.usefixtures("trial")
def test_an_emulated_machine_has_the_plainest_processor() -> None:
    assert Libvirt().settings(wanted()) == (
        ("driver", "qemu"),
        ("cpu_mode", "custom"),
        ("cpu_model", "qemu64"),
        ("cpus", "2"),
        ("memory", "768"),
        ("machine_virtual_size", "10"),
        ("storage_pool_name", "lab"),
        ("management_network_name", "lab"),
        ("management_network_address", "10.177.0.0/22"),
        ("management_network_mac", "52:54:0a:b1:00:02"),
    )


@pytest.mark.parametrize("trial", [Kvm.WORKS], indirect=True)
@pytest.mark.usefixtures("trial")
def test_under_kvm_it_has_the_hosts_and_nothing_is_said() -> None:
    told = dict(Libvirt().settings(wanted(address="")))
    assert (told["driver"], told["cpu_mode"]) == ("kvm", "host-passthrough")
    assert "management_network_address" not in told
    assert Libvirt().patience == 1
    assert Libvirt().remarks() == ()


def runs(proc: Path, *options: str, name: str = "lab-c0ffee-hello-ana") -> None:
    """A QEMU runs, as libvirt starts it."""
    words = (kvm.QEMU, "-name", f"guest={name},debug-threads=on", "-S", *options)
    number = len(list(proc.glob("*"))) + 1
    (proc / str(number)).mkdir(parents=True)
    (proc / str(number) / "cmdline").write_bytes("\0".join([*words, ""]).encode())


@pytest.mark.parametrize("trial", [Kvm.WORKS], indirect=True)
@pytest.mark.parametrize(
    "options",
    [
        ("-machine", "pc-i440fx-7.2,usb=off", "-accel", "tcg,tb-size=256", "-cpu", "qemu64"),
        ("-machine", "pc-i440fx-bionic,accel=tcg,usb=off", "-m", "512"),
    ],
)
@pytest.mark.usefixtures("trial")
def test_what_still_runs_emulated_is_given_its_time_whatever_kvm_does_now(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    runs(tmp_path / "proc", "-machine", "pc-i440fx-7.2,usb=off", "-accel", "kvm")
    runs(tmp_path / "proc", *options, name="windows")
    assert Libvirt().patience == 1
    runs(tmp_path / "proc", *options)
    assert Libvirt().patience == 8
    # What is started now is under KVM.
    assert dict(Libvirt().settings(wanted()))["driver"] == "kvm"
    assert Libvirt().boot_weight == 4


@pytest.mark.usefixtures("trial")
def test_that_machines_are_emulated_is_said_before_they_boot() -> None:
    assert Libvirt().patience > 1
    assert Libvirt().remarks() == (
        "KVM does not work here (the kernel said nothing for 15 s), so machines are emulated: "
        "a boot takes a minute, and each step several times as long. What mends it: Turn it on. "
        "`lab doctor` tries again.",
    )


def test_kvm_is_tried_once_for_as_long_as_the_computer_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried: list[str] = []

    def try_kvm() -> KvmTrial:
        tried.append("tried")
        return KvmTrial(kvm=Kvm.WORKS, why="it boots")

    monkeypatch.setattr(kvm, "try_kvm", try_kvm)
    assert (
        kvm.remembered_trial() == kvm.remembered_trial() == KvmTrial(kvm=Kvm.WORKS, why="it boots")
    )
    assert tried == ["tried"]
    noted = tmp_path / "vagrant.d" / "lab-kvm.json"
    verdict = json.loads(noted.read_text())
    noted.write_text(json.dumps({**verdict, "circumstances": ["another boot"]}))
    kvm.remembered_trial()
    noted.write_text("{")
    kvm.remembered_trial()
    assert tried == ["tried"] * 3


def test_a_machine_takes_all_of_its_memory_and_qemus_own() -> None:
    size = MachineSize(memory_mb=512, disk_gb=8)
    under_kvm = libvirt_capacity.needs(size, new=True, emulated=False)
    emulated = libvirt_capacity.needs(size, new=False, emulated=True)
    assert under_kvm == {
        "memory": 612.0,
        "disk": 0.5,
        "addresses": 1.0,
        "bridge ports": 1.0,
        "neighbours": 1.0,
    }
    assert emulated == {"memory": 862.0, "bridge ports": 1.0, "neighbours": 1.0}


def test_every_limit_that_is_needed_of_is_told(tmp_path: Path) -> None:
    limits = libvirt_capacity.limits(Kernel(), root=tmp_path, networks=(), promised_mb=100.0)
    needed = libvirt_capacity.needs(MachineSize(), new=True, emulated=True)
    assert needed.keys() <= {limit.name for limit in limits}
