"""KVM is told by a kernel that boots, and not by a device that is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.checks.fixtures import wait_until
from lab.machines import kvm
from lab.machines.health import Health
from lab.machines.kvm import Kvm, KvmTrial, try_kvm
from lab.machines.probes import kernel
from tests.unit.conftest import Program

CONSOLE = "for word; do case $word in file:*) console=${word#file:};; esac; done; "


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program) -> Path:
    """A computer with the device and two kernels, on which QEMU is a stub."""
    monkeypatch.setattr(kvm, "DEVICE", tmp_path / "kvm")
    monkeypatch.setattr(kvm, "_BOOT", tmp_path / "boot")
    (tmp_path / "kvm").touch()
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinuz-6.1").touch()
    program("sudo", 'shift; exec "$@"')
    program(kvm.QEMU, CONSOLE + "echo '[    0.000000] Linux version 6.1' >\"$console\"")
    return tmp_path


@pytest.mark.usefixtures("host")
def test_a_kernel_that_says_its_version_has_booted() -> None:
    assert try_kvm().kvm is Kvm.WORKS
    assert kernel.kvm(roots=[], provider="lxc").outcome is Health.OK


@pytest.mark.usefixtures("host")
def test_a_kernel_that_hangs_before_its_first_word(program: Program) -> None:
    program(kvm.QEMU, CONSOLE + "echo 'Probing EDD' >\"$console\"; sleep 60")
    trial = try_kvm(timeout_s=0.5)
    assert trial.kvm is Kvm.USELESS
    assert "said nothing" in trial.why


def test_a_hypervisor_of_root_s_that_hangs_is_ended_by_root(
    host: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lab may not signal what sudo has started; here it is in a session that lab knows nothing of.
    monkeypatch.setattr(kvm.process, "as_root", lambda argv: ["sudo", "-n", *argv])
    monkeypatch.setattr(kvm, "_KILL_S", 0.2)
    program("sudo", 'shift; exec setsid --wait sh -c \'"$@"; exit $?\' sh "$@"')
    program(kvm.QEMU, f"echo $$ >{host}/pid; trap '' TERM; while :; do sleep 0.1; done")
    trial = try_kvm(timeout_s=0.5)
    assert (trial.kvm, "said nothing" in trial.why) == (Kvm.USELESS, True)
    pid = (host / "pid").read_text().strip()
    assert wait_until(lambda: not Path(f"/proc/{pid}/cmdline").exists(), timeout_s=5)


@pytest.mark.usefixtures("host")
def test_what_the_kernel_says_is_in_a_file_that_lab_may_read(program: Program) -> None:
    # QEMU empties a file that is there, and whose it was it stays.
    program(kvm.QEMU, CONSOLE + 'test -e "$console" && echo \'Linux version 6.1\' >"$console"')
    assert try_kvm().kvm is Kvm.WORKS


@pytest.mark.usefixtures("host")
def test_a_kernel_that_lives_and_does_not_end_works_all_the_same(program: Program) -> None:
    program(kvm.QEMU, CONSOLE + "echo 'Linux version 6.1' >\"$console\"; sleep 60")
    assert try_kvm(timeout_s=0.5).kvm is Kvm.WORKS


@pytest.mark.usefixtures("host")
def test_a_device_that_may_not_be_used(program: Program) -> None:
    program(kvm.QEMU, "echo 'Could not access KVM kernel module' >&2; exit 1")
    verdict = kernel.kvm(roots=[], provider="lxc")
    assert verdict.outcome is Health.NOTE
    assert "Could not access KVM kernel module" in verdict.found
    assert "lxc does without" in verdict.found


def test_no_device(host: Path) -> None:
    (host / "kvm").unlink()
    assert try_kvm().kvm is Kvm.MISSING
    assert kernel.kvm(roots=[], provider="lxc").outcome is Health.NOTE


def test_nothing_to_try_it_with(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (host / "boot/vmlinuz-6.1").unlink()
    trial = try_kvm()
    assert (trial.kvm, "no kernel" in trial.why) == (Kvm.UNTRIED, True)
    monkeypatch.setattr(kvm.shutil, "which", lambda _: None)
    trial = try_kvm()
    assert (trial.kvm, "qemu-system-x86" in trial.fix) == (Kvm.UNTRIED, True)
    assert kernel.kvm(roots=[], provider="lxc").outcome is Health.UNKNOWN


@pytest.mark.usefixtures("host")
def test_a_computer_that_asks_for_a_password_is_no_verdict_on_kvm(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kvm.process, "as_root", lambda argv: ["sudo", "-n", *argv])
    program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    trial = kvm.remembered_trial()
    assert trial.kvm is Kvm.UNTRIED
    assert "sudo: a password is required" in trial.why
    assert not (tmp_path / "vagrant.d" / "lab-kvm.json").exists()


def test_what_hindered_kvm_may_pass(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Kvm.USELESS, Kvm.WORKS, Kvm.USELESS]
    monkeypatch.setattr(kvm, "try_kvm", lambda **_: KvmTrial(kvm=found.pop(0), why="tried"))
    assert [kvm.remembered_trial().kvm, kvm.remembered_trial().kvm] == [Kvm.USELESS] * 2
    noted = host / "vagrant.d" / "lab-kvm.json"
    verdict = json.loads(noted.read_text())
    noted.write_text(json.dumps({**verdict, "tried_s": verdict["tried_s"] - 3601}))
    assert [kvm.remembered_trial().kvm, kvm.remembered_trial().kvm] == [Kvm.WORKS] * 2
    # `lab doctor` always tries, and what it sees counts from then on.
    monkeypatch.setattr(kernel, "try_kvm", kvm.try_kvm)
    assert kernel.kvm(roots=[], provider="libvirt").outcome is Health.NOTE
    assert kvm.remembered_trial().kvm is Kvm.USELESS


def test_a_guest_s_kernel_serves_where_the_host_has_none(host: Path) -> None:
    (host / "boot").rename(host / "root-boot")
    (host / "root").mkdir()
    (host / "root-boot").rename(host / "root/boot")
    assert try_kvm(roots=[host / "root"]).kvm is Kvm.WORKS
