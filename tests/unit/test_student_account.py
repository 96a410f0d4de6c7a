"""`student_account` and what is added to files that students edit, run here with commands that stand in for root's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lab.classroom.shipped import shipped

STAND_INS = {
    "id": "echo 1000",
    "getent": 'echo "ana:x:1000:1000::$TEST_HOME:/bin/bash"',
    "runuser": 'shift 3; export HOME="$TEST_HOME"; exec "$@"',
    "usermod": "",
}
KEY = "ssh-ed25519 AAAA ana"
OTHER = "ssh-ed25519 BBBB ana@laptop"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for name, script in STAND_INS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    (tmp_path / "home/.ssh").mkdir(parents=True)
    return tmp_path / "home"


def run(home: Path, script: str) -> None:
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env={
            "PATH": f"{home.parent / 'bin'}:{os.environ['PATH']}",
            "TEST_HOME": str(home),
            "LAB_KIT": str(shipped("provision")),
            "LAB_LOGIN": "ana",
            "LAB_NAME": "Ana",
            "LAB_SSH_KEY": KEY,
            "LAB_PYTHON": "3.11",
        },
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, [KEY]),
        ("", [KEY]),
        (f"{OTHER}\n", [OTHER, KEY]),
        (OTHER, [OTHER, KEY]),
        (f"{KEY}\n{OTHER}", [KEY, OTHER]),
    ],
)
def test_the_key_is_a_line_of_its_own(home: Path, before: str | None, after: list[str]) -> None:
    keys = home / ".ssh/authorized_keys"
    if before is not None:
        keys.write_text(before)
    for _ in range(2):
        run(home, 'source "$LAB_KIT/student-account.sh"; student_account')
        assert keys.read_text().splitlines() == after


def test_lines_that_are_added_to_bashrc_are_not_glued_to_its_last(home: Path) -> None:
    script = shipped("provision") / "hellopython/steps/account.sh"
    (home / ".bashrc").write_text("alias ll='ls -l'")
    for _ in range(2):
        run(home, script.read_text())
        assert (home / ".bashrc").read_text().splitlines() == [
            "alias ll='ls -l'",
            "alias python=python3.11",
            "export PATH=$PATH:~/.local/bin",
        ]
