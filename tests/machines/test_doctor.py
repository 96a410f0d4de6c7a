"""`lab doctor` on a real computer, with a real machine to look from."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.machines.boxes.catalog import vagrant_home
from tests.machines.conftest import BOX, REPOSITORY, ClassFolder

INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
# Of what is only noted, or may be: KVM and other providers, for which LXC has no use, and how this bridge lends addresses.
NO_MATTER = {
    "kvm",
    "bridge.addresses",
    "clock.archive",
    "providers.libvirt",
    "providers.virtualbox",
}


def labs(students: list[str], *, guest: str = "{ca_certificates: host}") -> str:
    return (
        f"defaults: {{box: {BOX}, domain: example.org, machine: {{memory: 128MB}}, guest: {guest}}}\n"
        f"labs: {{hellopython: {{students: [{', '.join(students)}]}}}}\n"
    )


@pytest.fixture
def classroom(tmp_path: Path, box: str) -> ClassFolder:
    """A class of three whose machines nobody makes."""
    (tmp_path / "labs.yaml").write_text(labs(["ana", "luis", "marta"]))
    return ClassFolder(tmp_path)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, box: str) -> Iterator[Path]:
    """A home of Vagrant's that is this test's own, with this computer's boxes."""
    home = tmp_path / "vagrant-home"
    home.mkdir()
    (home / "boxes").symlink_to(vagrant_home() / "boxes")
    monkeypatch.setenv("VAGRANT_HOME", str(home))
    yield home
    (home / "boxes").unlink()
    shutil.rmtree(home)


@pytest.fixture
def inotify() -> Iterator[Callable[[int], None]]:
    """Sets the kernel's limit; it is put back at the end."""
    before = INOTIFY.read_text()

    def set_to(instances: int) -> None:
        subprocess.run(
            ["sudo", "sysctl", "-qw", f"fs.inotify.max_user_instances={instances}"], check=True
        )

    yield set_to
    set_to(int(before))


def checks(document: Any) -> dict[str, dict[str, Any]]:
    return {check["id"]: check for check in document["checks"]}


def scratch_machines() -> list[str]:
    done = subprocess.run(["sudo", "lxc-ls", "-1"], capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split() if name.startswith("labdoctor-")]


def test_this_computer_has_all_that_matters(classroom: ClassFolder) -> None:
    found = checks(classroom.json("doctor"))
    wrong = {id_: it for id_, it in found.items() if it["outcome"] != "ok" and id_ not in NO_MATTER}
    assert wrong == {}
    assert scratch_machines() == []
    assert [path.name for path in classroom.path.iterdir()] == ["labs.yaml"]


def test_a_machine_without_this_computer_s_certificates(classroom: ClassFolder) -> None:
    """Whether that matters is this computer's network's business; what is told must fit."""
    (classroom.path / "labs.yaml").write_text(labs(["ana"], guest="{}"))
    found = checks(classroom.json("doctor", exit_code=None))["machine.index"]
    if found["outcome"] == "problem":
        assert "does not trust the certificate" in found["found"]
        assert found["fix"].startswith("guest: {ca_certificates: host}")
    assert scratch_machines() == []


def test_a_list_of_vagrant_s_that_is_cut_off(classroom: ClassFolder, own_home: Path) -> None:
    index = own_home / "data/machine-index/index"
    index.parent.mkdir(parents=True)
    index.write_text('{"version":1,"machines":{"abc":{"na')
    # Vagrant itself does nothing with it.
    refused = subprocess.run(["vagrant", "global-status"], capture_output=True, check=False)
    assert refused.returncode != 0

    found = checks(classroom.json("doctor", exit_code=3))
    assert found["vagrant.index"]["outcome"] == "problem"
    assert found["machine.boots"]["outcome"] == "unknown"

    found = checks(classroom.json("doctor", "--fix"))
    assert found["vagrant.index"]["fixed"]
    assert found["machine.boots"]["outcome"] == "ok"
    [kept] = index.parent.glob("index.damaged-*")
    assert kept.read_text() == '{"version":1,"machines":{"abc":{"na'
    # The scratch machine was never a machine to Vagrant's memory.
    assert json.loads(index.read_text())["machines"] == {}


def test_a_limit_of_the_kernel_that_is_too_low_for_the_class(
    classroom: ClassFolder, inotify: Callable[[int], None]
) -> None:
    (classroom.path / "labs.yaml").write_text(labs([f"s{number}" for number in range(30)]))
    inotify(128)
    found = checks(classroom.json("doctor", exit_code=3))["limits.kernel"]
    assert found["outcome"] == "problem"
    assert found["fix"].startswith("sudo sysctl -w fs.inotify.max_user_instances=")
    assert int(INOTIFY.read_text()) == 128

    found = checks(classroom.json("doctor", "--fix", exit_code=None))["limits.kernel"]
    assert (found["outcome"], found["fixed"]) == ("ok", True)
    assert int(INOTIFY.read_text()) >= 1024


@pytest.fixture
def silent_name_server() -> Iterator[None]:
    """The bridge's server for DHCP and DNS says nothing until the end."""
    pid = Path("/run/lxc/dnsmasq.pid").read_text().strip()
    subprocess.run(["sudo", "kill", "-STOP", pid], check=True)
    yield
    subprocess.run(["sudo", "kill", "-CONT", pid], check=True)


@pytest.mark.usefixtures("silent_name_server")
def test_a_name_server_that_does_not_answer(classroom: ClassFolder) -> None:
    found = checks(classroom.json("doctor", exit_code=3))
    assert found["bridge.dns"]["outcome"] == "problem"
    assert "lxc-net" in found["bridge.dns"]["fix"]
    assert found["machine.boots"]["outcome"] == "unknown"
    assert "does not answer" in found["machine.boots"]["found"]
    # No machine is made that could install nothing.
    for command in ("up", "bake"):
        refused = classroom.lab(command, exit_code=3)
        assert "The DHCP and DNS server of lxcbr0 does not answer" in refused.stderr
        assert "lxc-net" in refused.stderr
    assert classroom.guests() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_doctor_that_is_stopped_leaves_no_machine(
    classroom: ClassFolder, number: signal.Signals
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "lab", "doctor"],
        cwd=classroom.path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    mine = f"labdoctor-{child.pid}-"
    deadline = time.monotonic() + 120
    while not any(name.startswith(mine) for name in scratch_machines()):
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    child.send_signal(number)
    child.wait(60)
    if number == signal.SIGKILL:
        # Nobody was left to tidy up: the next one does.
        assert any(name.startswith(mine) for name in scratch_machines())
        classroom.lab("doctor", exit_code=None)
    assert not any(name.startswith(mine) for name in scratch_machines())
