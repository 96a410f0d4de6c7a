"""lab is killed at every point at which it writes or removes state, and the next one goes on from there."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab.errors import OK
from lab.machines.stick import read
from tests.cli.conftest import write_program

LABS = """
labs:
  hello:
    guide: tiny
    box: debian-12
    domain: example.org
    students: [ana, luis]
"""
# One process that has loaded everything, and forks itself for each `lab` that is asked for.
SERVER = """
import json, os, sys
from pathlib import Path
from lab import cli
from lab.cli import app
from lab.machines import ssh
from lab.machines.boxes import lxc as boxes
from lab.machines.providers import lxc, lxc_net
from lab.workflow import bake, lifecycle, project, stick, up
lxc.BRIDGE = "lo"
lxc_net.answers = lambda _: True
ssh.listens = lambda *_, **__: True
project.secrets.token_hex = lambda count: "c0ffee01"[: 2 * count]
boxes.PACK_GUEST = Path(os.environ["LAB_STUB_WORLD"], "bin/pack-guest")
boxes.ISOLATE = Path(os.environ["LAB_STUB_WORLD"], "bin/isolate")
stick.WORK = Path(os.environ["LAB_STUB_WORLD"], "tmp")
stick.WORK.mkdir()
for line in sys.stdin:
    words, at = json.loads(line)
    child = os.fork()
    if child == 0:
        for number, name in ((0, os.devnull), (1, "../out"), (2, "../err")):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
        os.environ["LAB_CRASH_AT"] = at
        sys.argv = ["lab", *words]
        code = 70
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

# Whoever was killed, and what it called what it was writing.
UNIQUE = re.compile(r"\d+-[0-9a-f]{8}(?=\.new)")


class Sandbox:
    """A world that is put back as it was after each crash, with a server that runs `lab` in it."""

    def __init__(self, world: Any, root: Path) -> None:
        self.root = root
        self.project = root / "class"
        self.world = type(world)(root / "world", self.project)
        self._parts = [root / name for name in ("world", "class", "vagrant.d")]
        for part in self._parts:
            shutil.copytree(world.root.parent / part.name, part, symlinks=True)
        self._server = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            cwd=self.project,
            env={
                **os.environ,
                "LAB_STUB_WORLD": str(root / "world"),
                "VAGRANT_HOME": str(root / "vagrant.d"),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def lab(self, *words: str, at: str = "") -> int:
        """Runs `lab` with these words, to be killed at a point; its exit code."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps([words, at]) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())

    def close(self) -> None:
        self._server.communicate()

    @property
    def said(self) -> str:
        return "".join((self.root / name).read_text() for name in ("out", "err"))

    def keep(self) -> None:
        """From now on, this is how the world was."""
        for part in self._parts:
            shutil.copytree(part, self.root / "kept" / part.name, symlinks=True)

    def restore(self) -> None:
        for part in self._parts:
            # In their places: processes work in them.
            for path in part.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            kept = self.root / "kept" / part.name
            shutil.copytree(kept, part, symlinks=True, dirs_exist_ok=True)

    def state(self) -> dict[str, bytes]:
        """All there is, wherever and whenever it is; what only grows is left out."""
        here = str(self.root).encode()
        return {
            UNIQUE.sub("", str(path.relative_to(self.root))): path.read_bytes().replace(here, b"")
            for part in self._parts
            for path in part.rglob("*")
            if path.is_file()
            and path.suffix not in {".log", ".lock"}
            and path.name not in {"calls", "lock", ".lab-addresses"}
        }


class Crashes:
    """A command is killed at each of its points in turn, and what it leaves is mended by the same command, or another.

    Two sandboxes take turns at the points. What is mended already, wherever lab was killed, is not mended again.
    """

    def __init__(
        self, sandboxes: list[Sandbox], words: tuple[str, ...], *, mend: tuple[str, ...] = ()
    ) -> None:
        self._sandboxes = sandboxes
        self._words = words
        self._mend_by = mend or words
        self._mended: list[dict[str, bytes]] = []
        self._checked: list[dict[str, bytes]] = []
        self.points: dict[int, str] = {}

    def all(self, check: Callable[[Sandbox], None]) -> None:
        """Crashes everywhere, until the command comes through; `check` sees what was mended."""
        count = len(self._sandboxes)
        with ThreadPoolExecutor(count) as pool:
            runs = [
                pool.submit(self._some, sandbox, range(first, 10_000, count), check)
                for first, sandbox in enumerate(self._sandboxes, start=1)
            ]
        for run in runs:
            run.result()

    def _some(
        self, sandbox: Sandbox, points: Iterable[int], check: Callable[[Sandbox], None]
    ) -> None:
        sandbox.keep()
        for at in points:
            code = sandbox.lab(*self._words, at=str(at))
            if code == OK:
                return
            assert code == -signal.SIGKILL, sandbox.said
            self.points[at] = sandbox.said.partition(f"LAB_CRASH_AT={at}: ")[2].strip()
            self._mend(sandbox, self.points[at], check)
            sandbox.restore()

    def _mend(self, sandbox: Sandbox, where: str, check: Callable[[Sandbox], None]) -> None:
        before = sandbox.state()
        for path, content in before.items():
            if path.startswith("class/.lab/") and not path.endswith(".new"):
                # But for the box that a bake is packed into, whose root is elsewhere.
                assert content or path.startswith("class/.lab/bake/"), f"{path}, {where}"
                assert not path.endswith(".json") or json.loads(content), f"{path}, {where}"
        noted = (sandbox.project / ".lab" / "lock").read_text()
        assert not noted or json.loads(noted), where
        if before in self._mended:
            return
        self._mended.append(before)
        assert sandbox.lab(*self._mend_by) == OK, f"{sandbox.said}, {where}"
        after = sandbox.state()
        for path, content in after.items():
            # What is half written is the beginning of what it is to be.
            if path.startswith("class/"):
                begun = before.get(path, content)
                assert begun == content or not content.startswith(begun), f"{path}, {where}"
        assert [path for path in after if ".new" in path] == [], where
        if after not in self._checked:
            self._checked.append(after)
            check(sandbox)


@pytest.fixture
def sandboxes(world: Any, tmp_path: Path) -> Iterator[list[Sandbox]]:
    (world.project / "labs.yaml").write_text(LABS)
    # Asked often, and never killed.
    write_program(world.root / "bin" / "lxc-config", 'echo "$LAB_STUB_WORLD/lxc"')
    both = [Sandbox(world, tmp_path / name) for name in ("left", "right")]
    yield both
    for sandbox in both:
        sandbox.close()


def is_as_wanted(sandbox: Sandbox) -> None:
    assert sandbox.world.guests == {"hello-ana": "RUNNING", "hello-luis": "RUNNING"}
    assert sandbox.lab("up", "--format", "json") == OK
    machines = json.loads((sandbox.root / "out").read_text())["machines"]
    assert [machine["changed"] for machine in machines] == [False, False]


def is_empty(sandbox: Sandbox) -> None:
    assert sandbox.world.guests == {}
    assert list((sandbox.project / ".lab" / "state" / "machines").iterdir()) == []


def test_up_goes_on_after_a_crash_at_any_point(sandboxes: list[Sandbox]) -> None:
    crashes = Crashes(sandboxes, ("up",))
    crashes.all(is_as_wanted)
    assert sorted(crashes.points) == list(range(1, len(crashes.points) + 1))
    assert len(crashes.points) > 100
    assert all(crashes.points.values())


def test_destroy_goes_on_after_a_crash_at_any_point(sandboxes: list[Sandbox]) -> None:
    for sandbox in sandboxes:
        assert sandbox.lab("up") == OK, sandbox.said
    crashes = Crashes(sandboxes, ("destroy", "--yes"))
    crashes.all(is_empty)
    assert sorted(crashes.points) == list(range(1, len(crashes.points) + 1))
    assert len(crashes.points) > 20


@pytest.mark.parametrize(
    "words",
    [
        ("reset", "ana"),
        ("snapshot", "restore", "good", "ana"),
        ("snapshot", "restore", "good", "ana", "--discard", "--yes"),
    ],
    ids=" ".join,
)
def test_up_goes_on_after_a_crash_of_what_puts_a_machine_back(
    sandboxes: list[Sandbox], words: tuple[str, ...]
) -> None:
    for sandbox in sandboxes:
        assert sandbox.lab("up") == OK, sandbox.said
        (sandbox.world.disk("hello-ana") / "work").write_text("good")
        assert sandbox.lab("snapshot", "save", "good", "ana") == OK, sandbox.said
        (sandbox.world.disk("hello-ana") / "work").write_text("newest")
    found = set()

    def nothing_is_lost(sandbox: Sandbox) -> None:
        is_as_wanted(sandbox)
        disk = sandbox.world.disk("hello-ana")
        work = disk / "work"
        now = work.read_text() if work.exists() else ""
        kept = {path.read_text() for path in disk.parent.glob("snapshots/*/disk/work")}
        found.add(now)
        assert kept == {"good", *([] if now == "newest" or "--discard" in words else ["newest"])}
        assert [path.name for path in disk.parent.glob("snapshots/.*")] == [".lock"]

    crashes = Crashes(sandboxes, words, mend=("up",))
    crashes.all(nothing_is_lost)
    assert len(crashes.points) > 20
    # It is as it was, or as it was to be.
    assert found == {"newest", "" if words[0] == "reset" else "good"}


def test_a_stick_is_whole_after_a_crash_at_any_point_of_its_export(
    sandboxes: list[Sandbox],
) -> None:
    for sandbox in sandboxes:
        (sandbox.project / "usb").mkdir()
        assert sandbox.lab("box", "export", "usb") == OK, sandbox.said
        # The bakes stay; one box is to be copied beside another that is to go.
        (sandbox.project / "usb/manifest.json").unlink()
        next(sandbox.project.glob("usb/boxes/lab-bake-*")).unlink()
        (sandbox.project / "usb/boxes/lab-old-lxc-0123456789ab.box").touch()

    def is_whole(sandbox: Sandbox) -> None:
        assert len(read(sandbox.project / "usb")) == 2
        assert len(list((sandbox.project / "usb/boxes").iterdir())) == 2
        assert list((sandbox.world.root / "tmp").iterdir()) == []

    crashes = Crashes(sandboxes, ("box", "export", "usb"))
    crashes.all(is_whole)
    assert len(crashes.points) > 15
    assert any(".box is written under another name" in where for where in crashes.points.values())
