"""A full machine of libvirt's through all that a student's container goes through; and nothing is left of it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.conftest import BOX, REPOSITORY, ClassFolder

LABS_YAML = f"""\
defaults: {{provider: libvirt, box: {BOX}, domain: example.org, guest: {{ca_certificates: host}}}}
labs: {{hellopython: {{students: [ana]}}}}
"""


def virsh(*words: str) -> str:
    done = subprocess.run(
        ["sudo", "virsh", "--quiet", "--connect", "qemu:///system", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def listening() -> set[str]:
    """The addresses at which libvirt, or what it starts, listens; other tests may run beside these."""
    done = subprocess.run(["sudo", "ss", "-Hltnup"], capture_output=True, text=True, check=True)
    programs = ('"libvirt', '"virt', '"qemu', '"dnsmasq')
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[4] for row in rows if any(program in row[-1] for program in programs)}


def left_of(mark: str) -> list[str]:
    """What there is of a project in libvirt: guests, volumes, addresses that are kept, folders."""
    networks = virsh("net-list", "--name").split()
    said = [virsh("list", "--all", "--name"), virsh("vol-list", "lab")]
    said += [virsh("net-dumpxml", network) for network in networks]
    said.append(
        subprocess.run(
            ["sudo", "ls", "/var/lib/libvirt/lab/guests"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    return [line.strip() for text in said for line in text.splitlines() if f"lab-{mark}-" in line]


@pytest.fixture(scope="module")
def before() -> set[str]:
    """Where somebody listened before there was a machine."""
    return listening()


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, before: set[str]) -> Iterator[ClassFolder]:
    """Ana's machine, with all steps done; its boxes are in a home of their own, where nobody waits for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAGRANT_HOME", str(tmp_path_factory.mktemp("home")))
        yield from ana(tmp_path_factory.mktemp("full"))


def ana(path: Path) -> Iterator[ClassFolder]:
    subprocess.run(
        [sys.executable, "-m", "lab", "box", "build", BOX, "--provider", "libvirt"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        timeout=1800,
        check=True,
    )
    folder = ClassFolder(path, timeout_s=3600)
    (folder.path / "labs.yaml").write_text(LABS_YAML, encoding="utf-8")
    try:
        folder.lab("up")
        yield folder
    finally:
        folder.lab("destroy", "--yes", exit_code=None)


def mark_of(folder: ClassFolder) -> str:
    project = json.loads((folder.path / ".lab/state/project.json").read_text())
    return str(project["id"])


def test_the_whole_guide_holds(full: ClassFolder) -> None:
    [ana] = full.json("verify", exit_code=None)["labs"][0]["students"]
    assert {it["id"]: it["outcome"] for it in ana["checks"] if it["outcome"] != "passed"} == {}
    assert ana["checks"] != []


def test_nobody_else_can_reach_what_listens_for_it(full: ClassFolder, before: set[str]) -> None:
    now = listening()
    assert [it for it in now if it.endswith(":53")], "its name server was not seen either"
    new = {it for it in now - before if not it.startswith(("127.0.0.1:", "[::1]:"))}
    bridges = [it.name for it in Path("/sys/class/net").glob("virbr*")]
    gateways = [
        line.split()[3].partition("/")[0]
        for bridge in bridges
        for line in subprocess.run(
            ["ip", "-o", "-4", "addr", "show", "dev", bridge],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    ]
    allowed = tuple([f"{it}:" for it in gateways] + [f"0.0.0.0%{it}:67" for it in bridges])
    assert [it for it in new if not it.startswith(allowed)] == []
    assert "<graphics" not in virsh("dumpxml", f"lab-{mark_of(full)}-hellopython-ana")


def test_it_keeps_its_address_and_its_work_when_it_stops_and_starts(full: ClassFolder) -> None:
    (row,) = full.json("status")["machines"]
    full.student("ana", "echo mine >~/mine")
    full.lab("halt")
    (stopped,) = full.json("status")["machines"]
    full.lab("up")
    (again,) = full.json("status")["machines"]
    assert (row["state"], stopped["state"], again["state"]) == ("running", "stopped", "running")
    assert again["ip"] == row["ip"]
    assert full.student("ana", "cat ~/mine") == "mine\n"


def test_nothing_is_left_of_a_machine_that_is_destroyed(full: ClassFolder) -> None:
    mark = mark_of(full)
    assert left_of(mark) != []
    full.lab("destroy", "--yes")
    assert left_of(mark) == []
