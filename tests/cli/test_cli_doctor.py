"""`lab doctor` as a user calls it: what it says, what it exits with, and what it leaves alone."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HOST, OK
from lab.machines.health import ok
from lab.machines.kvm import Kvm, KvmTrial
from lab.machines.probes import bridge, kernel, programs, surroundings, vagrant_index
from lab.machines.providers import lxc_net
from lab.machines.ssh import Answer
from lab.system import lock
from lab.workflow.doctor import leftovers, machine
from tests.cli.conftest import SSH_KEYGEN, write_program

Lab = Callable[..., Any]
KEYS = ["id", "title", "outcome", "found", "fix", "safe", "fixed"]


class Inside:
    """A machine in which everything is well."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def run(self, command: str, **_: object) -> Answer:
        said = {"date +%s": f"{time.time():.0f}"}.get(command, "deb.example.org")
        return Answer(exit_code=0, stdout=said.encode(), stderr=b"")

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def host(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer that lacks nothing, beside the world of stubs."""
    world.limit(memory=1e6, disk=1000)
    for name, script in {
        "lxc-execute": 'sed -n "s/lxc.uts.name = //p" "${3#--rcfile=}"',
        "dnsmasq": "exit 0",
        "ssh-keygen": f"umask 077\n{SSH_KEYGEN}",
    }.items():
        write_program(world.root / "bin" / name, script)
    # What asks the real kernel, the network or the real `ssh` has tests of its own.
    (tmp_path / "ip_forward").write_text("1\n")
    monkeypatch.setattr(bridge, "_FORWARDING", tmp_path / "ip_forward")
    monkeypatch.setattr(lxc_net, "_SYSTEMD", tmp_path)
    monkeypatch.setattr(lxc_net, "_RUN", tmp_path)
    monkeypatch.setattr(bridge, "_dhcp_range", lambda: None)
    monkeypatch.setattr(kernel, "try_kvm", lambda **_: KvmTrial(kvm=Kvm.WORKS, why="it boots"))
    monkeypatch.setattr(surroundings, "host_mirror", lambda _: None)
    monkeypatch.setattr(leftovers, "BUILDS", tmp_path)
    monkeypatch.setattr(vagrant_index, "_A_WRITE_S", 0.0)
    monkeypatch.setattr(machine.ssh, "Shell", Inside)
    monkeypatch.setattr(machine, "index_url", lambda _: "https://index.example.org/simple")
    monkeypatch.setattr(programs, "ssh", lambda: ok("takes lab's settings"))
    monkeypatch.setattr(programs, "debootstrap", lambda *_, **__: ok("can build it"))
    return tmp_path


@pytest.fixture
def index() -> Path:
    path = vagrant_index.index_path()
    path.parent.mkdir(parents=True)
    path.write_text('{"version":1,"machines":{"abc":{"na')
    return path


def outcomes(ran: Any) -> dict[str, str]:
    return {check["id"]: check["outcome"] for check in ran.json["checks"]}


def check(ran: Any, id_: str) -> dict[str, Any]:
    [found] = [check for check in ran.json["checks"] if check["id"] == id_]
    return found


def test_a_computer_that_lacks_nothing(lab: Lab, world: Any) -> None:
    ran = lab("doctor", "--format", "json")
    assert {id_ for id_, outcome in outcomes(ran).items() if outcome != "ok"} == {
        # The stubs have no DHCP server, no archive, no limits of a kernel and no other provider.
        "bridge.addresses",
        "clock.archive",
        "limits.kernel",
        "providers.libvirt",
        "providers.virtualbox",
    }
    assert ran.code == OK
    assert ran.json["version"] == 1
    assert all(list(check) == KEYS for check in ran.json["checks"])


def test_nothing_is_left_and_nothing_is_written(lab: Lab, world: Any, host: Path) -> None:
    assert lab("doctor").code == OK
    assert world.guests == {}
    assert world.below() == []
    assert [call[0] for call in world.calls("vagrant")].count("up") == 1
    assert not vagrant_index.index_path().exists()


def test_a_class_is_looked_at_and_left_as_it_is(lab: Lab, world: Any) -> None:
    lab("up", "--no-bake")
    before = world.below()
    ran = lab("doctor", "--format", "json")
    assert ran.code == OK
    assert check(ran, "class.machines")["outcome"] == "ok"
    assert check(ran, "class.keys")["outcome"] == "ok"
    assert world.below() == before
    assert list(world.guests) == ["hello-ana", "hello-luis", "hello-marta"]


def test_without_a_class(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    ran = lab("doctor", "--format", "json")
    assert ran.code == OK
    assert not [id_ for id_ in outcomes(ran) if id_.startswith("class.")]
    assert list((tmp_path / "empty").iterdir()) == []


def test_with_a_broken_labs_yaml_the_rest_is_tried_all_the_same(lab: Lab, world: Any) -> None:
    (world.project / "labs.yaml").write_text("labs: {hello: {studnets: [ana]}}\n")
    ran = lab("doctor", "--format", "json")
    assert ran.code == HOST
    assert [id_ for id_, it in outcomes(ran).items() if it == "problem"] == ["class.labs-yaml"]
    assert "did you mean `students`" in check(ran, "class.labs-yaml")["found"]
    assert outcomes(ran)["machine.boots"] == "ok"


def test_a_computer_without_vagrant(lab: Lab, world: Any) -> None:
    (world.root / "bin/vagrant").write_text("no program\n")
    (world.root / "bin/vagrant").chmod(0o755)
    ran = lab("doctor", "--format", "json")
    assert ran.code == HOST
    assert outcomes(ran)["programs.vagrant"] == "problem"
    assert outcomes(ran)["programs.lxc"] == "ok"
    assert outcomes(ran)["machine.names"] == "unknown"


def test_a_bridge_that_is_down(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge.lxc, "BRIDGE", "nobridge0")
    ran = lab("doctor")
    assert ran.code == HOST
    assert "fix: sudo systemctl start lxc-net" in ran.out
    assert "Next: lab doctor --fix" in ran.out
    document = lab("doctor", "--format", "json")
    assert check(document, "bridge.up")["safe"]
    boots = check(document, "machine.boots")
    assert (boots["outcome"], "nobridge0" in boots["found"]) == ("unknown", True)
    assert check(document, "machine.names")["found"] == "No machine came up to try it from"


def test_a_damaged_list_of_vagrant_s_is_told_and_then_moved_aside(
    lab: Lab, index: Path, world: Any
) -> None:
    ran = lab("doctor", "--format", "json")
    assert ran.code == HOST
    assert check(ran, "vagrant.index")["outcome"] == "problem"
    # Read-only without --fix.
    assert [path.name for path in index.parent.iterdir()] == ["index"]

    ran = lab("doctor", "--fix", "--format", "json")
    assert ran.code == OK
    mended = check(ran, "vagrant.index")
    assert (mended["outcome"], mended["fixed"], mended["safe"]) == ("ok", True, True)
    assert f"running: {mended['fix']}" in ran.err
    [kept] = index.parent.iterdir()
    assert kept.name.startswith("index.damaged-")
    # What came after the fix was tried with it.
    assert outcomes(ran)["machine.boots"] == "ok"


def test_a_fix_that_fails_is_said_so(lab: Lab, host: Path, world: Any) -> None:
    (host / "ip_forward").write_text("0\n")
    write_program(world.root / "bin/sysctl", "echo 'permission denied' >&2; exit 1")
    ran = lab("doctor", "--fix", "--format", "json")
    assert ran.code == HOST
    found = check(ran, "bridge.forwarding")
    assert (found["outcome"], found["fixed"]) == ("problem", False)
    assert "The fix failed" in found["found"]
    assert "permission denied" in found["found"]


def test_what_a_dead_lab_has_left_is_removed_and_no_student_s_machine(lab: Lab, world: Any) -> None:
    lab("up", "--no-bake")
    project = json.loads((world.project / ".lab/state/project.json").read_text())["id"]
    left = world.root / "guests" / f"labbake-{project}-abc"
    left.write_text("RUNNING 10.0.3.9")
    with subprocess.Popen(["true"]) as dead:
        pass
    half = world.project / f".lab/state/.project.json.{dead.pid}-0a1b2c3d.new"
    half.touch()

    with lock.hold(world.project / ".lab/lock", operation="up"):
        ran = lab("doctor", "--fix", "--format", "json")
        assert ran.code == OK
        assert check(ran, "class.lock")["outcome"] == "note"
        assert left.exists()
        assert half.exists()

    assert lab("doctor").code == HOST
    ran = lab("doctor", "--fix", "--format", "json")
    assert ran.code == OK
    fixed = {check["id"] for check in ran.json["checks"] if check["fixed"]}
    assert fixed == {"leftovers.machines", "leftovers.files"}
    assert not half.exists()
    assert list(world.guests) == ["hello-ana", "hello-luis", "hello-marta"]


def test_a_check_that_blows_up_is_nobody_else_s_end(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blow_up(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(kernel, "try_kvm", blow_up)
    monkeypatch.setattr(leftovers, "_command_lines", blow_up)
    monkeypatch.setattr(machine, "write_settings", blow_up)
    ran = lab("doctor", "--format", "json")
    assert ran.code == OK
    found = {id_ for id_, outcome in outcomes(ran).items() if outcome == "unknown"}
    assert found >= {"kvm", "leftovers.builds", "machine.boots"}
    assert "RuntimeError: boom" in check(ran, "kvm")["found"]
    assert outcomes(ran)["programs.vagrant"] == "ok"


def test_the_whole_class_does_not_fit(lab: Lab, world: Any) -> None:
    world.limit(memory=1000, disk=1000)
    ran = lab("doctor", "--format", "json")
    assert ran.code == HOST
    found = check(ran, "limits.class")
    assert found["found"] == (
        "memory: 3 machines need 1536 MB, 1000 MB are free beside what running machines may still take"
    )
    assert found["fix"] == "raise memory"


def test_no_box_yet(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "vagrant.d/boxes").rename(tmp_path / "elsewhere")
    ran = lab("doctor", "--format", "json")
    assert outcomes(ran)["machine.boots"] == "unknown"
    assert check(ran, "machine.boots")["fix"] == "lab box build debian-12"
