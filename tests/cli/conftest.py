"""A world of stub programs, a class in a folder, and `lab` as a user calls it."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import cli
from lab.machines.providers import lxc

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
PROGRAMS = ("vagrant", "lxc-ls", "lxc-config", "lxc-create", "lxc-destroy", "ssh")
# LXC's bridge is a matter of the host's that a test cannot make.
START = (
    "import lab.machines.providers.lxc as lxc; lxc.BRIDGE = 'lo'; from lab.cli import main; main()"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Until `process.run` closes its pipes (tests/unit/test_process.py: test_pipes_are_closed).
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"))


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

    def calls(self, program: str) -> list[list[str]]:
        """The words of each call of a program."""
        path = self.root / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        return [call[1:] for call in map(json.loads, lines) if call[0] == program]

    @property
    def guests(self) -> dict[str, str]:
        """The state of each guest, by its machine's name."""
        return {
            path.name.split("-", 2)[2]: path.read_text().split()[0]
            for path in sorted((self.root / "guests").iterdir())
        }

    def below(self) -> list[str]:
        """Every file and folder beside labs.yaml, the guide's left out."""
        paths = (path.relative_to(self.project) for path in self.project.rglob("*"))
        return sorted(str(path) for path in paths if path.parts[0] not in {"provision", "labs.yaml"})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(tmp_path / "world", tmp_path / "class")
    for folder in ("guests", "steps", "bin"):
        (world.root / folder).mkdir(parents=True)
    machinery = shlex.quote(str(Path(__file__).parent / "machinery.py"))
    python = shlex.quote(sys.executable)
    for name in PROGRAMS:
        # Through `exec -a` the program knows by which name it was called.
        link = world.root / "bin" / f".{name}" / name
        link.parent.mkdir()
        link.symlink_to(Path(__file__).parent / "machinery.py")
        stub = world.root / "bin" / name
        stub.write_text(f"#!/bin/sh\nexec {python} -S -E {shlex.quote(str(link))} \"$@\"\n")
        stub.chmod(0o755)
    assert machinery
    sudo = world.root / "bin" / "sudo"
    sudo.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    sudo.chmod(0o755)
    world.fault()
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
    monkeypatch.setenv("LAB_STUB_WORLD", str(world.root))
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "vagrant.d"))
    monkeypatch.setenv("COLUMNS", "160")
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "LAB_FILE", "LAB_YES", "LAB_FORMAT", "LAB_JOBS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(world.project)
    monkeypatch.setattr(lxc, "BRIDGE", "lo")
    return world


@pytest.fixture
def lab(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., Ran]:
    """Runs `lab` with these words."""
    del world

    def run(*words: str) -> Ran:
        capfd.readouterr()
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
