"""The class that bench/soak.py soaks: its folder, its machines, and what of it runs on this computer."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
BOX = "debian-12"
GUIDE = "hellopython"
# In the environment of every lab that is run here, and so of all that it starts.
_MARK = "LAB_SOAK"
_COMMAND_S = 900.0


@dataclass
class SoakedClass:
    """A class of students on real guests.

    `work` is what each student has in a file of their own on their machine.
    """

    folder: Path
    students: tuple[str, ...]
    work: dict[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: secrets.token_hex(8))

    @classmethod
    def make(cls, folder: Path, count: int) -> SoakedClass:
        """A class in a folder, with a guide of its own that faults may edit."""
        soaked = cls(folder, tuple(f"s{number}" for number in range(1, count + 1)))
        folder.mkdir(parents=True, exist_ok=True)
        soaked.write_roster(soaked.students)
        guide = folder / "provision" / GUIDE
        shutil.rmtree(guide, ignore_errors=True)
        shutil.copytree(
            REPOSITORY / "provision" / GUIDE, guide, ignore=shutil.ignore_patterns("__pycache__")
        )
        return soaked

    def write_roster(self, students: Sequence[str]) -> None:
        """Put these students on the roster, and no others."""
        (self.folder / "labs.yaml").write_text(
            f"defaults: {{box: {BOX}, domain: soak.example.org, guest: {{ca_certificates: host}}}}\n"
            f"labs: {{{GUIDE}: {{students: [{', '.join(students)}]}}}}\n",
            encoding="utf-8",
        )

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start `lab`, as a shell starts a command: in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "lab", *words],
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(REPOSITORY),
                "NO_COLOR": "1",
                _MARK: self.mark,
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def lab(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `lab` to its end; another lab that still tidies up is waited for."""
        child = self.start(*words, **{"LAB_WAIT": "60s", **environment})
        try:
            out, err = child.communicate(timeout=_COMMAND_S)
        except subprocess.TimeoutExpired:
            child.kill()
            out, err = child.communicate()
        return subprocess.CompletedProcess(words, child.returncode, out, err)

    def root(self, login: str, script: str) -> None:
        """Run a script as root on a student's machine, whatever becomes of it."""
        self.lab("ssh", login, "--admin", "--", "sudo", "bash", "-c", script)

    def write_work(self, login: str) -> None:
        """Have a student write something of their own on their machine."""
        self.work[login] = f"{login} {secrets.token_hex(8)}"
        done = self.lab("ssh", login, "--", f"echo '{self.work[login]}' >own-work")
        if done.returncode:
            # Nobody can find it there, so the next look tells that it is lost.
            self.work[login] += " (never written)"

    def has_work(self, login: str) -> bool:
        """Whether a student's work is what they wrote.

        Raises:
            OSError: nobody can look.
        """
        done = self.lab("ssh", login, "--", "cat own-work || echo lost")
        if done.returncode:
            raise OSError(f"nobody can look at the work of {login}")
        return done.stdout.strip() == self.work[login]

    @property
    def id(self) -> str:
        """The mark of this project in the provider's names."""
        state = self.folder / ".lab/state/project.json"
        return str(json.loads(state.read_text(encoding="utf-8"))["id"])

    def container(self, login: str) -> str:
        """What LXC calls a student's machine."""
        return f"lab-{self.id}-{GUIDE}-{login}"

    def containers(self, *flags: str) -> list[str]:
        """What LXC has of this project, scratch machines included."""
        found = lxc("lxc-ls", "-1", *flags).stdout.split()
        return [name for name in found if f"-{self.id}-" in name]

    def processes(self) -> dict[int, str]:
        """What runs on this computer for this class, but for the machines themselves: command lines by pid."""
        ours = Path("/proc/self/ns/pid").readlink()
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            # Who has ended meanwhile runs no more.
            with suppress(OSError):
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                marked = f"{_MARK}={self.mark}".encode() in (path / "environ").read_bytes()
                state = (path / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
                if (
                    (marked or f"lab-{self.id}-" in line)
                    and not line.startswith("[lxc monitor]")
                    and (path / "ns/pid").readlink() == ours
                    and state != "Z"
                ):
                    found[int(path.name)] = line.strip()
        return found

    def mend_by_hand(self) -> None:
        """What a teacher would do after a cycle that went wrong."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for path in (self.folder / ".lab").rglob("*.json"):
            try:
                json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                path.rename(path.with_suffix(".damaged"))

    def destroy(self) -> None:
        """Leave no machine behind."""
        self.mend_by_hand()
        self.write_roster(self.students)
        self.lab("destroy", "--yes")
        self.lab("destroy", "--orphans", "--yes")
        with suppress(OSError):
            for name in self.containers():
                lxc("lxc-destroy", "--force", "--name", name)


def lxc(*argv: str) -> subprocess.CompletedProcess[str]:
    """Run one of LXC's commands, as root."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    return subprocess.run(
        [*sudo, *argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def descendants(pid: int) -> Iterator[int]:
    """The processes that a process has started, and those that they have."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = int(path.read_text(errors="replace").rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(path.parent.name))
    waiting = [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        waiting += below
        yield from below


def children_named(pid: int, name: str) -> list[int]:
    """The processes below one whose command line names a program."""
    found = []
    for child in descendants(pid):
        with suppress(OSError):
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if any(Path(word.decode(errors="replace")).name == name for word in words[:3]):
                found.append(child)
    return found


def wait_until_ended(child: subprocess.Popen[str], limit_s: float) -> Mapping[str, object]:
    """Wait for a lab that was interrupted; one that does not end is killed, and that is told."""
    started = time.monotonic()
    try:
        child.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        child.kill()
        child.communicate()
        return {"ended": False, "seconds": limit_s}
    return {"ended": True, "seconds": time.monotonic() - started, "code": child.returncode}
