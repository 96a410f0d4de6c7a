"""Programs are tried, and not only looked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.machines.boxes.profiles import PROFILES
from lab.machines.health import Health, Verdict
from lab.machines.probes import programs
from lab.machines.providers import lxc
from tests.unit.conftest import Program

RUNS = {
    "vagrant": (programs.vagrant, "echo Vagrant 2.3.4", "Vagrant 2.3.4"),
    "ssh": (programs.ssh, "exit 0", "takes lab's settings"),
    "ssh-keygen": (programs.ssh_keygen, "exit 0", "makes a key"),
    "dnsmasq": (programs.dnsmasq, "exit 0", "dnsmasq runs"),
}


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.shutil, "which", lambda *_, **__: None)


@pytest.mark.parametrize("name", RUNS)
def test_a_program_that_does_its_work_is_well(program: Program, name: str) -> None:
    look, script, found = RUNS[name]
    program(name, script)
    verdict = look()
    assert (verdict.outcome, verdict.found) == (Health.OK, found)


@pytest.mark.parametrize("name", RUNS)
def test_a_program_that_is_there_and_broken_is_a_problem(program: Program, name: str) -> None:
    look = RUNS[name][0]
    program(name, "echo 'cannot load libruby.so' >&2; exit 127")
    verdict = look()
    assert verdict.outcome is Health.PROBLEM
    assert "cannot load libruby.so" in verdict.found
    assert "--reinstall" in verdict.fix


@pytest.mark.parametrize("look", [look for look, _, _ in RUNS.values()] + [programs.container])
@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_program_is_told_with_its_package(look: Callable[[], Verdict]) -> None:
    verdict = look()
    assert verdict.outcome is Health.PROBLEM
    assert "is not installed" in verdict.found
    assert verdict.fix.startswith("sudo apt-get install --no-install-recommends ")


def test_root_s_rights(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.os, "geteuid", lambda: 1000)
    program("sudo", "echo 0")
    assert programs.root_rights().found == "sudo asks for no password"
    program("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    verdict = programs.root_rights()
    assert (verdict.outcome, verdict.found) == (Health.PROBLEM, "sudo: a password is required")
    assert "visudo" in verdict.fix


def test_a_vagrant_without_its_plugin(program: Program) -> None:
    program("vagrant", '[ "$1" = validate ] && grep -q "provider \'lxc\'" Vagrantfile')
    assert programs.vagrant_lxc().outcome is Health.OK
    program("vagrant", "echo \"The provider 'lxc' could not be found\" >&2; exit 1")
    verdict = programs.vagrant_lxc()
    assert verdict.outcome is Health.PROBLEM
    assert "could not be found" in verdict.found
    assert verdict.fix.endswith(" vagrant-lxc")


def test_nobody_blames_the_plugin_for_a_damaged_list(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("vagrant", "exit 1")
    monkeypatch.setattr(programs, "is_damaged", lambda: True)
    verdict = programs.vagrant_lxc()
    assert verdict.outcome is Health.UNKNOWN
    assert "vagrant.index" in verdict.found


def test_a_container_that_starts(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lxc, "BRIDGE", "somebr0")
    # It has the name that it was given, and is on the bridge.
    program(
        "lxc-execute",
        'config=${3#--rcfile=}; grep -q "link = somebr0" "$config" && sed -n "s/lxc.uts.name = //p" "$config"',
    )
    verdict = programs.container()
    assert (verdict.outcome, verdict.found) == (Health.OK, "a container starts, on somebr0")


def test_a_container_that_does_not_start(program: Program) -> None:
    program("lxc-execute", "echo 'Failed to mount cgroup' >&2; exit 1")
    verdict = programs.container()
    assert (verdict.outcome, verdict.found) == (Health.PROBLEM, "Failed to mount cgroup")
    program("lxc-execute", 'echo "bridge interface doesn\'t exist" >&2; exit 1')
    assert programs.container().outcome is Health.UNKNOWN


def test_a_box_that_can_be_built(program: Program, tmp_path: Path) -> None:
    program("debootstrap", "echo debootstrap 1.0")
    profile = replace(PROFILES["debian-12"], keyring=str(tmp_path / "keys.gpg"))
    missing = programs.debootstrap(profile, box_is_there=False)
    assert missing.outcome is Health.PROBLEM
    assert "debian-archive-keyring" in missing.fix
    # Who has the box needs nothing to build it with.
    assert programs.debootstrap(profile, box_is_there=True).outcome is Health.NOTE
