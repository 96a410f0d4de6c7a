"""A world of stub programs, a class in a folder, and `lab` as a user calls it."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from lab import cli
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun, LabRun, Run, StudentRun
from lab.errors import OK
from lab.machines import ssh
from lab.machines.boxes import lxc as boxes
from lab.machines.providers import lxc, lxc_net
from lab.machines.providers.base import Limit
from lab.system import process
from lab.system.files import LabFolder
from lab.workflow import history, pace
from tests.cli.disks import write

GUIDE = """
name: tiny
title: {en: Tiny}
profiles: {debian-12: {vars: {python: "3.11"}}}
steps:
  - {name: web, scope: class, title: {en: Web}}
  - {name: app, scope: student, title: {en: App}}
"""
CHECKS = """
import os
import pytest

def check(id, **more):
    return pytest.mark.check(id=id, step="web", title={"en": id, "es": f"{id} en español"}, **more)

@check("web.there", hint={"en": "Put it there", "es": "Ponlo"})
def test_there(host, student):
    there = host.file(f"{os.environ['LAB_STUB_WORLD']}/broken-{student.login}")
    assert not there.exists, f"{student.login} broke it"

@check("web.answers", points=3, after=["web.there"])
def test_answers(host):
    assert host.run("echo yes").stdout == "yes\\n"
"""
LABS = """
labs:
  hello:
    guide: tiny
    box: debian-12
    domain: example.org
    students: [{login: ana, name: Ana Núñez, email: ana@example.org}, luis, marta]
"""
RUNS_BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
OUTCOMES = {
    "p": (Outcome.PASSED, 1.0),
    "f": (Outcome.FAILED, 0.0),
    "u": (Outcome.UNKNOWN, None),
}
NAMES = {"ana": "Ana Núñez"}
EMAILS = {"ana": "ana@example.org"}
LXC = ("ls", "config", "create", "destroy", "stop", "info", "freeze", "unfreeze")
PROGRAMS = ("vagrant", "ssh", *(f"lxc-{name}" for name in LXC))
# What is run most goes without Python while nothing is to go wrong with it.
QUICK = {
    "lxc-ls": """\
grep -q lxc-ls "$LAB_STUB_WORLD/faults.json" && {real}
for last; do :; done
echo NAME STATE IPV4
cd "$LAB_STUB_WORLD/guests"
for name in "${{last#--filter=^}}"*; do [ ! -e "$name" ] || echo "$name $(cat "$name")"; done
exit
""",
}
SSH_KEYGEN = """\
for last; do :; done
echo private >"$last"
echo "ssh-ed25519 AAAA $6" >"$last.pub"
"""
# LXC's bridge is a matter of the host's that a test cannot make, and how much room a host has none
# that a test may depend on.
START = """
import json
import os
from pathlib import Path
from lab.cli import main
from lab.machines import ssh
from lab.machines.boxes import lxc as boxes
from lab.machines.providers import lxc, lxc_net
from lab.machines.providers.base import Limit
from lab.workflow import pace
limits = Path(os.environ["LAB_STUB_WORLD"], "limits.json")
lxc.Lxc.capacity = lambda _: tuple(Limit(**it) for it in json.loads(limits.read_text()))
pace.look_at_host = lambda: pace.Load(processors=4, load=0, free_mb=1e6)
lxc.BRIDGE = "lo"
lxc_net.answers = lambda _: True
ssh.listens = lambda *_, **__: True
boxes.PACK_GUEST = Path(os.environ["LAB_STUB_WORLD"], "bin/pack-guest")
boxes.ISOLATE = Path(os.environ["LAB_STUB_WORLD"], "bin/isolate")
main()
"""


def write_program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """All that was said, on one line and without a box's frame around it."""
        return " ".join(re.sub(r"[│╭╮╰╯─]", " ", f"{self.out}\n{self.err}").split())


@dataclass(frozen=True)
class World:
    """The stub programs' folder, and the class's."""

    root: Path
    project: Path

    def fault(self, **faults: Any) -> None:
        """From now on these things go wrong; see machinery.py."""
        text = json.dumps({name.replace("__", " "): what for name, what in faults.items()})
        (self.root / "faults.json").write_text(text)

    def limit(self, **limits: float) -> None:
        """From now on the host has no more than this free of what machines need; else it is endless."""
        rows = [
            {
                "name": name.replace("__", " "),
                "unit": {"memory": "MB", "disk": "GB"}.get(name, ""),
                "free": free,
                "of": free,
                "hint": f"raise {name}",
                "promised": name == "memory",
            }
            for name, free in limits.items()
        ]
        (self.root / "limits.json").write_text(json.dumps(rows))

    def calls(self, program: str) -> list[list[str]]:
        """The words of each call of a program."""
        path = self.root / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call[1:] for call in map(json.loads, lines) if call[0] == program]

    @property
    def boots(self) -> list[list[str]]:
        """The words of each `vagrant up`, but for the scratch machines of bakes."""
        ups = [call[1:] for call in self.calls("vagrant") if call[0] == "up"]
        return [words for words in ups if not words[0].startswith("labbake-")]

    @property
    def guests(self) -> dict[str, str]:
        """The state of each guest, by its machine's name."""
        return {
            re.sub("^lab-[0-9a-f]+-", "", path.name): path.read_text().split()[0]
            for path in sorted((self.root / "guests").iterdir())
        }

    def lose(self, machine: str) -> None:
        """Remove a guest behind lab's back."""
        guest = next((self.root / "guests").glob(f"lab-*-{machine}"))
        shutil.rmtree(self.root / "lxc" / guest.name)
        guest.unlink()

    def disk(self, machine: str) -> Path:
        """What is a guest's own of its disk."""
        return next((self.root / "lxc").glob(f"lab-*-{machine}")) / "delta"

    def edit(self, old: str, new: str) -> None:
        """Write something else into labs.yaml."""
        path = self.project / "labs.yaml"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def add_check(self, text: str, *, name: str = "more") -> None:
        """Give the guide another file of checks."""
        head = CHECKS.partition("@check")[0]
        path = self.project / f"provision/tiny/checks/test_{name}.py"
        path.write_text(head + text, encoding="utf-8")

    def below(self) -> list[str]:
        """Every file and folder beside labs.yaml, the guide's left out."""
        paths = (path.relative_to(self.project) for path in self.project.rglob("*"))
        return sorted(
            str(path) for path in paths if path.parts[0] not in {"provision", "labs.yaml"}
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path / "world", tmp_path / "class")
    for folder in ("guests", "steps", "bin", "lxc"):
        (world.root / folder).mkdir(parents=True)
    for name in PROGRAMS:
        # The program knows by its name what it is; a link keeps the name.
        link = world.root / name
        link.symlink_to(Path(__file__).parent / "machinery.py")
        real = f'exec {shlex.quote(sys.executable)} -S -E {shlex.quote(str(link))} "$@"'
        write_program(world.root / "bin" / name, QUICK.get(name, "").format(real=real) + real)
    write_program(world.root / "bin" / "sudo", 'shift\nexec "$@"')
    write_program(world.root / "bin" / "ssh-keygen", SSH_KEYGEN)
    write_program(world.root / "bin" / "pack-guest", 'mkdir -p "$LAB_STUB_WORLD/lxc/.lab-roots/$2"')
    write_program(world.root / "bin" / "isolate", "exit 0")
    write_program(world.root / "bin" / "nft", "exit 0")
    write_program(world.root / "bin" / "df", "echo 1000000M")
    world.fault()
    world.limit()
    box = tmp_path / "vagrant.d" / "boxes" / "lab-VAGRANTSLASH-debian-12" / "0" / "lxc"
    box.mkdir(parents=True)
    (box / "metadata.json").write_text('{"provider": "lxc", "lab_recipe": "c0ffee"}')
    guide = world.project / "provision" / "tiny"
    for path, text in {
        "guide.yaml": GUIDE,
        "steps/web.sh": "echo web\n",
        "steps/app.sh": "echo app\n",
        "checks/test_web.py": CHECKS,
    }.items():
        (guide / path).parent.mkdir(parents=True, exist_ok=True)
        (guide / path).write_text(text)
    (world.project / "labs.yaml").write_text(LABS, encoding="utf-8")
    monkeypatch.setenv("PATH", f"{world.root / 'bin'}{os.pathsep}{os.environ['PATH']}")
    # Whoever runs the tests may have options of `lab` in their environment.
    theirs = [name for name in os.environ if name.startswith("LAB_")]
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", *theirs):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAB_STUB_WORLD", str(world.root))
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant.d"))
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(world.project)
    monkeypatch.setattr(lxc, "BRIDGE", "lo")
    monkeypatch.setattr(lxc_net, "answers", lambda _: True)
    limits = world.root / "limits.json"
    monkeypatch.setattr(
        lxc.Lxc,
        "capacity",
        lambda _: tuple(Limit(**it) for it in json.loads(limits.read_text())),
    )
    monkeypatch.setattr(pace, "look_at_host", lambda: pace.Load(processors=4, load=0, free_mb=1e6))
    monkeypatch.setattr(ssh, "listens", lambda *_, **__: True)
    monkeypatch.setattr(boxes, "PACK_GUEST", world.root / "bin" / "pack-guest")
    monkeypatch.setattr(boxes, "ISOLATE", world.root / "bin" / "isolate")
    return world


@pytest.fixture
def _parser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets Typer read the commands' signatures once instead of at every call of `lab`."""
    monkeypatch.setattr(typer.main, "get_command", _command)


_command = functools.cache(typer.main.get_command)


@pytest.fixture
def lab(
    world: World,
    _parser: None,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Callable[..., Ran]:
    """Runs `lab` with these words."""
    del world

    def run(*words: str) -> Ran:
        capfd.readouterr()
        # Each call stands for a process of its own: that the one before was interrupted is over.
        process.allow_again()
        monkeypatch.setattr(sys, "argv", ["lab", *words])
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        assert isinstance(code, int)
        said = capfd.readouterr()
        return Ran(code, said.out, said.err)

    return run


@pytest.fixture
def up(lab: Callable[..., Ran], world: World) -> None:
    """Ana, Luis and Marta have machines, with work of their own on them."""
    assert lab("up").code == OK
    for login in ("ana", "luis", "marta"):
        write(world, login, "work")


@pytest.fixture
def started(world: World) -> Callable[..., subprocess.Popen[str]]:
    """Starts `lab` as a process of its own."""

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", START, *words],
            cwd=world.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def checks(letters: str) -> tuple[CheckRun, ...]:
    return tuple(
        CheckRun(
            id=f"web.{number}",
            step="web",
            title={"en": f"Check {number}", "es": f"Comprobación {number}"},
            outcome=OUTCOMES[letter.lower()][0],
            points=OUTCOMES[letter.lower()][1],
            max_points=1.0,
            hidden=letter.isupper(),
        )
        for number, letter in enumerate(letters, 1)
    )


@pytest.fixture
def keep(world: World) -> Callable[..., Path]:
    """Keeps a run of which each student's outcomes are letters; a capital is a hidden check."""

    def run(
        hour: float = 0, *, lab: str = "hello", identity: str = "lxc:0001", **students: str
    ) -> Path:
        return history.keep(
            LabFolder(world.project),
            Run(
                at=RUNS_BEGIN + timedelta(hours=hour),
                labs=(
                    LabRun(
                        lab=lab,
                        steps={"web": {"en": "Web"}},
                        students=tuple(
                            StudentRun(
                                login=login,
                                name=NAMES.get(login, login),
                                email=EMAILS.get(login, ""),
                                machine=f"{lab}-{login}",
                                identity=identity,
                                checks=checks(letters),
                            )
                            for login, letters in students.items()
                        ),
                    ),
                ),
            ),
        )

    return run
