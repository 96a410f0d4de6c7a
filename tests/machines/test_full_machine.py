"""Full machines of libvirt's: one through the whole guide, one beside it; and nothing is left of them."""

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
labs:
  hellopython: {{students: [ana]}}
  tiny: {{students: [luis]}}
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
    """Two machines with all steps done; their boxes are in a home of their own, where nobody waits for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAGRANT_HOME", str(tmp_path_factory.mktemp("home")))
        yield from ana_and_luis(tmp_path_factory.mktemp("full"))


def ana_and_luis(path: Path) -> Iterator[ClassFolder]:
    subprocess.run(
        [sys.executable, "-m", "lab", "box", "build", BOX, "--provider", "libvirt"],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        timeout=1800,
        check=True,
    )
    folder = ClassFolder(path, timeout_s=3600)
    (folder.path / "labs.yaml").write_text(LABS_YAML, encoding="utf-8")
    folder.add_tiny_guide()
    try:
        folder.lab("up")
        yield folder
    finally:
        folder.lab("destroy", "--yes", exit_code=None)


def mark_of(folder: ClassFolder) -> str:
    project = json.loads((folder.path / ".lab/state/project.json").read_text())
    return str(project["id"])


def test_the_whole_guide_holds(full: ClassFolder) -> None:
    [ana] = full.json("verify", "ana", exit_code=None)["labs"][0]["students"]
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


def reached(folder: ClassFolder, *, exit_code: int) -> dict[str, set[str]]:
    """Whom each machine reaches; all have been tried."""
    rows = folder.json("verify", "--isolation", exit_code=exit_code)["isolation"]
    assert [it for row in rows for it in row["unknown"]] == []
    found = {row["machine"]: {it["machine"] for it in row["reaches"]} for row in rows}
    kept = {row["machine"]: set(row["kept_from"]) for row in rows}
    assert all(found[name] | kept[name] == found.keys() - {name} for name in found)
    return found


def test_they_are_kept_apart_and_the_proof_fails_where_they_are_not(full: ClassFolder) -> None:
    ana, luis = "hellopython-ana", "tiny-luis"
    assert reached(full, exit_code=0) == {ana: set(), luis: set()}
    ports = [virsh("domiflist", f"lab-{mark_of(full)}-{name}").split()[0] for name in (ana, luis)]
    isolated = ["sudo", "bridge", "link", "set", "dev"]
    for port in ports:
        subprocess.run([*isolated, port, "isolated", "off"], check=True)
    try:
        assert reached(full, exit_code=1) == {ana: {luis}, luis: {ana}}
    finally:
        for port in ports:
            subprocess.run([*isolated, port, "isolated", "on"], check=True)


def test_what_was_lost_comes_back_and_a_reset_is_fresh(full: ClassFolder) -> None:
    full.student("luis", "echo work >~/important")
    full.lab("snapshot", "save", "good", "luis")
    full.student("luis", "rm ~/important; echo broken >~/broken")
    full.lab("snapshot", "restore", "good", "luis", "--discard", "--yes")
    assert full.student("luis", "cd; ls; cat important") == "important\nwork\n"
    assert full.root("luis", "systemctl is-system-running") == "running\n"

    full.lab("reset", "luis")
    assert full.student("luis", "ls ~") == ""
    [good, kept] = full.json("snapshot", "list", "luis")["snapshots"]
    assert (good["name"], kept["name"][:13]) == ("good", "before-reset-")


def test_it_keeps_its_address_and_its_work_when_it_stops_and_starts(full: ClassFolder) -> None:
    (row,) = full.json("status", "ana")["machines"]
    full.student("ana", "echo mine >~/mine")
    full.lab("halt", "ana")
    (stopped,) = full.json("status", "ana")["machines"]
    full.lab("up", "ana")
    (again,) = full.json("status", "ana")["machines"]
    assert (row["state"], stopped["state"], again["state"]) == ("running", "stopped", "running")
    assert again["ip"] == row["ip"]
    assert full.student("ana", "cat ~/mine") == "mine\n"


def test_nothing_is_left_of_a_machine_that_is_destroyed(full: ClassFolder) -> None:
    mark = mark_of(full)
    assert left_of(mark) != []
    full.lab("destroy", "--yes")
    assert left_of(mark) == []
