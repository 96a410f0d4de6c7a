"""What unit tests share: stub programs, a class on paper, a provider that only pretends."""

from __future__ import annotations

import fcntl
import os
import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.classroom.classes import MachineSize
from lab.classroom.config import load_classroom
from lab.classroom.guide import load_guide
from lab.errors import HostError, ProcessError
from lab.machines.fleet import build_machine
from lab.machines.health import Command
from lab.machines.keys import read_keys
from lab.machines.probes import locks
from lab.machines.providers.base import Addresses, Guest, Limit, Wanted
from lab.machines.steps import read_contents
from lab.system import guardian
from lab.system.files import LabFolder
from lab.workflow.project import Project

GUIDE = """
name: tiny
title: {en: Tiny}
profiles:
  debian-12: {vars: {python: "3.11"}}
steps:
  - {name: base, scope: class, title: {en: Base}, files: [data]}
  - {name: web, scope: class, title: {en: Web}}
  - {name: account, scope: student, title: {en: Account}}
  - {name: app, scope: student, title: {en: App}, files: [data]}
"""
LABS = """
labs:
  hello:
    guide: tiny
    box: debian-12
    domain: example.org
    students: [ana, {login: luis, name: Luis Núñez, email: luis@example.org}, marta]
"""

WANTED = Wanted(
    name="lab-c0ffee-hello-ana",
    box="lab/debian-12",
    size=MachineSize(),
    address="",
    keys=Path("keys"),
    isolated=True,
    internet=True,
)

Program = Callable[[str, str], Path]


@dataclass
class FakeProvider:
    """A provider whose guests are what a test says they are."""

    name: str = "lxc"
    found: dict[str, Guest] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    stubborn: set[str] = field(default_factory=set)
    limits: tuple[Limit, ...] = ()
    one_by_one: bool = False
    addresses_any_box: bool = False
    before_pack: str = ""
    boot_weight: int = 8
    boot_memory_mb: int = 128
    patience: float = 1.0
    said: tuple[str, ...] = ()
    cleared: list[str] = field(default_factory=list)
    unprepared: dict[str, str] = field(default_factory=dict)
    impossible: HostError | None = None
    kept_apart: list[str] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    ports: dict[str, dict[int, int]] = field(default_factory=dict)

    def require(self) -> None:
        """It always works."""

    def require_for(self, wanted: Sequence[Wanted]) -> None:
        if self.impossible is not None:
            raise self.impossible

    def guests(self, prefix: str) -> dict[str, Guest]:
        return {name: guest for name, guest in self.found.items() if name.startswith(prefix)}

    def settings(self, wanted: Wanted) -> tuple[tuple[str, str], ...]:
        share = (("memory", f"{wanted.size.memory_mb}M"), ("cpus", str(wanted.size.cpus)))
        return (*share, ("address", wanted.address)) if wanted.address else share

    def remarks(self) -> tuple[str, ...]:
        return self.said

    def keep_apart(self, wanted: Sequence[Wanted], *, log: Path) -> None:
        self.kept_apart = [it.name for it in wanted]

    def prepare(
        self, wanted: Sequence[Wanted], *, new: Collection[str], log: Path
    ) -> dict[str, str]:
        """Nothing is asked of the host."""
        return self.unprepared

    def allot_addresses(self, guests: Sequence[Wanted]) -> Addresses:
        names = [it.name for it in guests]
        given = {it: self.addresses[it] for it in names if it in self.addresses}
        ports = {it: self.ports[it] for it in names if it in self.ports}
        return Addresses(gateway="10.0.3.1", of=given, ports=ports)

    def remove(self, guest: str) -> None:
        if guest in self.stubborn:
            raise ProcessError(f"{guest} could not be removed")
        self.removed.append(guest)
        self.found.pop(guest, None)

    def removal(self, guest: str) -> Command:
        return Command(argv=("lxc-destroy", "--force", "--name", guest), as_root=True)

    def clear(self, guests: Collection[str]) -> None:
        self.cleared += guests

    def seed_disc(self, guest: str) -> str:
        return ""

    def root_of(self, box: object) -> str:
        return ""

    def roots(self) -> dict[str, bool]:
        return {}

    def halt(self, guest: str) -> None:
        if guest in self.stubborn:
            raise ProcessError(f"{guest} could not be stopped")
        self.add(guest, state="stopped")

    def pack(self, guest: str, *, root_id: str, recipe: str, work: Path, log: Path) -> Path:
        raise NotImplementedError

    def capacity(self) -> tuple[Limit, ...]:
        return self.limits

    def needs(self, size: MachineSize, *, new: bool) -> dict[str, float]:
        """A machine takes its memory, one of anything else, and no address twice."""
        needs = {limit.name: 1.0 for limit in self.limits if new or limit.name != "addresses"}
        return needs | {"memory": float(size.memory_mb)}

    def add(
        self, name: str, *, state: str = "running", ip: str = "10.0.0.9", started: bool = True
    ) -> None:
        ip = ip if state == "running" else ""
        identity = f"fake:{name}" if started else ""
        self.found[name] = Guest(name=name, state=state, ip=ip, started=started, identity=identity)


@dataclass
class Witness:
    """An observer that remembers what it was told."""

    told: list[tuple[object, ...]] = field(default_factory=list)

    def started(self, total: int, what: str) -> None:
        self.told.append(("started", total, what))

    def machine(self, name: str, activity: str) -> None:
        self.told.append(("machine", name, activity))

    def done(self, name: str, ok: bool, summary: str) -> None:
        self.told.append(("done", name, ok, summary))

    def note(self, text: str) -> None:
        self.told.append(("note", text))

    def finished(self) -> None:
        self.told.append(("finished",))

    def of_kind(self, kind: str) -> list[tuple[object, ...]]:
        return [event[1:] for event in self.told if event[0] == kind]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Writes a shell script that goes before every other program of its name."""
    folder = tmp_path / "stub-bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def local_guest(program: Program, tmp_path: Path) -> Path:
    """Makes this computer the guest: `ssh` runs the command here, and `sudo` is no more than a word.

    The scripts that lab sends go through sed first, so that nothing is written outside of the test's folder, and so
    that commands in the "guest" find the test's stub programs. A file `down` in the folder makes ssh refuse.
    """
    guest = tmp_path / "guest"
    guest.mkdir()
    here, stubs = shlex.quote(str(guest)), shlex.quote(str(tmp_path / "stub-bin"))
    program(
        "ssh",
        f"""[ ! -e {here}/down ] || {{ echo 'ssh: connect to host 10.0.0.9 port 22: No route to host' >&2; exit 255; }}
for last; do :; done
exec sh -c "${{last#/usr/bin/}}" """,
    )
    program(
        "sudo",
        f"""while [ "${{1#-}}" != "$1" ]; do shift; done
[ "$1 $2" = "/bin/bash -c" ] || exec "$@"
script=$(printf '%s' "$3" | sed -e 's#/run/lab#'{here}'/run#g' -e 's#PATH=#PATH='{stubs}':#')
exec bash -c "$script" """,
    )
    program(
        "runuser",
        """[ "$1 $3" = "--login --command" ] || exit 99
USER=$2 exec sh -c "$4" """,
    )
    return guest


@pytest.fixture(autouse=True)
def _vagrant_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests has boxes of their own."""
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant.d"))


@pytest.fixture
def without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    """No system that tells of processes, as on macOS."""
    monkeypatch.setattr(guardian, "_PROC", "/nowhere")
    monkeypatch.setattr(locks, "_LOCKS", Path("/nowhere/locks"))


@pytest.fixture(params=["with /proc", "without /proc"])
def everywhere(request: pytest.FixtureRequest) -> None:
    """Both kinds of system: those that tell of processes, and others."""
    if request.param == "without /proc":
        request.getfixturevalue("without_proc")


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def witness() -> Witness:
    return Witness()


def is_held(path: Path) -> bool:
    """Whether somebody holds a lock."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def write_guide(folder: Path, text: str = GUIDE, *, name: str = "tiny") -> Path:
    guide = folder / "provision" / name
    (guide / "steps").mkdir(parents=True)
    (guide / "data").mkdir()
    (guide / "data" / "words.txt").write_text("words\n")
    (guide / "guide.yaml").write_text(text)
    for step in ("base", "web", "account", "app"):
        (guide / "steps" / f"{step}.sh").write_text(f"echo {step}\n")
    return guide


@pytest.fixture
def classroom(tmp_path: Path, provider: FakeProvider) -> Callable[..., Project]:
    """Makes a project of a labs.yaml, with a tiny guide, fixed keys and the id `c0ffee`."""

    def make(labs: str = LABS) -> Project:
        path = tmp_path / "class" / "labs.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(labs, encoding="utf-8")
        if not (path.parent / "provision").exists():
            write_guide(path.parent)
        folder = LabFolder(path.parent)
        folder.create()
        read = load_classroom(path)
        machines = []
        for lab in read.labs:
            guide = load_guide(lab.guide, project=path.parent)
            for student in lab.students:
                keys = folder.ssh / student.machine_name
                keys.mkdir(exist_ok=True)
                for kind in ("admin", "host", "student"):
                    (keys / f"{kind}.pub").write_text(
                        f"ssh-ed25519 AAAA{kind} {student.machine_name} ({kind})\n"
                    )
                machines.append(
                    build_machine(
                        lab,
                        student,
                        guide,
                        project_id="c0ffee",
                        provider=provider,
                        keys=read_keys(keys),
                        contents=read_contents(guide),
                    )
                )
        return Project(
            id="c0ffee",
            classroom=read,
            folder=folder,
            provider=provider,
            machines=tuple(machines),
        )

    return make


@pytest.fixture
def project(classroom: Callable[..., Project]) -> Project:
    """Ana, Luis and Marta, each with the tiny guide."""
    return classroom()
