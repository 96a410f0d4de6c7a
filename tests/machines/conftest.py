"""Real classes: labs.yaml in a folder of its own, machines booted by Vagrant, and none left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

BOX = "debian-12"
REPOSITORY = Path(__file__).parents[2]
TINY_YAML = """\
name: tiny
title: {en: Tiny}
steps: [{name: account, scope: student, title: {en: Account}}]
"""
TINY_STEP = """\
set -euo pipefail
source "$LAB_KIT/student-account.sh"
student_account
"""


@dataclass(frozen=True)
class ClassFolder:
    """A folder with a labs.yaml, and `lab` run in it as a teacher would."""

    path: Path
    timeout_s: float = 1800

    def lab(self, *arguments: str, exit_code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run `lab`; `exit_code` is the one to expect, None for whichever."""
        done = subprocess.run(
            [sys.executable, "-m", "lab", *arguments],
            cwd=self.path,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "120", "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.timeout_s,
            check=False,
        )
        told = (
            f"lab {' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        assert exit_code is None or done.returncode == exit_code, told
        return done

    def json(self, *arguments: str, exit_code: int | None = 0) -> Any:
        """What `lab ... --format json` prints."""
        return json.loads(self.lab(*arguments, "--format", "json", exit_code=exit_code).stdout)

    def root(self, target: str, script: str, exit_code: int | None = 0) -> str:
        """Run a script as root on a student's machine."""
        done = self.lab(
            "ssh", target, "--admin", "--", "sudo", "bash", "-c", script, exit_code=exit_code
        )
        return done.stdout

    def student(self, target: str, script: str, exit_code: int | None = 0) -> str:
        """Run a script as the student."""
        return self.lab("ssh", target, "--", "bash", "-c", script, exit_code=exit_code).stdout

    def add_tiny_guide(self) -> None:
        """The guide `tiny`: the student's account and nothing else, and no checks."""
        guide = self.path / "provision/tiny"
        (guide / "steps").mkdir(parents=True)
        (guide / "checks").mkdir()
        (guide / "guide.yaml").write_text(TINY_YAML)
        (guide / "steps/account.sh").write_text(TINY_STEP)

    def vagrant(self, *arguments: str) -> str:
        """Run plain Vagrant beside the generated Vagrantfile."""
        done = subprocess.run(
            ["vagrant", *arguments],
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert done.returncode == 0, f"vagrant {arguments}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def guests(self) -> list[str]:
        """What the provider has of this project, its scratch machines included."""
        project = json.loads((self.path / ".lab/state/project.json").read_text())
        done = subprocess.run(["sudo", "lxc-ls", "-1"], capture_output=True, text=True, check=True)
        return [name for name in done.stdout.split() if f"-{project['id']}-" in f"-{name}-"]

    def outcomes(self, *targets: str) -> dict[str, dict[str, str]]:
        """Each student's checks that did not pass: the outcome by id."""
        document = self.json("verify", *targets, exit_code=None)
        return {
            student["login"]: {
                check["id"]: check["outcome"]
                for check in student["checks"]
                if check["outcome"] != "passed"
            }
            for lab in document["labs"]
            for student in lab["students"]
        }


@pytest.fixture(scope="session")
def box() -> str:
    """The box that the machines are clones of, built once on this host."""
    subprocess.run(
        [sys.executable, "-m", "lab", "box", "build", BOX],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        timeout=1800,
        check=True,
    )
    return BOX


@pytest.fixture(scope="module")
def new_class(
    tmp_path_factory: pytest.TempPathFactory, box: str
) -> Iterator[Callable[[str, str], ClassFolder]]:
    """Makes class folders; after each file of tests their machines are destroyed, orphans too."""

    def destroy(folder: ClassFolder) -> None:
        folder.lab("destroy", "--yes")
        folder.lab("destroy", "--orphans", "--yes")
        assert folder.guests() == [], "machines are left behind"

    # One class that cannot be destroyed leaves no other behind.
    with ExitStack() as made:

        def make(name: str, labs_yaml: str) -> ClassFolder:
            folder = ClassFolder(tmp_path_factory.mktemp(name))
            (folder.path / "labs.yaml").write_text(labs_yaml, encoding="utf-8")
            made.callback(destroy, folder)
            return folder

        yield make
