"""scripts/host.sh: what is taken away again of what it started, with a stub `virsh`."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.conftest import Program

REPOSITORY = Path(__file__).parents[2]
# As after `start_libvirt` and `note_what_libvirt_has`, where there was no network of lab's.
STOP = """
source scripts/host.sh
libvirt_started=systemd libvirt_had=' default ' libvirt_had_pool=' lab '
stop_libvirt_if_started
"""


@pytest.fixture
def calls(program: Program, tmp_path: Path) -> Path:
    """What was called, a line each; nothing of this computer's own is touched."""
    path = tmp_path / "calls"
    for name in ("sudo", "virsh", "systemctl", "rm"):
        run = 'exec "$@"' if name == "sudo" else f'echo {name} "$@" >>{path}'
        program(name, run)
    return path


def stopped() -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", STOP],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )


def asks(program: Program, calls: Path, answer: str) -> None:
    program(
        "virsh",
        f"""echo virsh "$@" >>{calls}
case "$*" in *'list --all --name') {answer} ;; esac""",
    )


def test_what_was_started_is_stopped(program: Program, calls: Path) -> None:
    asks(program, calls, "echo windows")
    stopped()
    said = calls.read_text().splitlines()
    assert said[-1] == "systemctl stop libvirtd"
    assert sum("net-destroy lab" in line for line in said) == 8
    assert sum("net-undefine lab" in line for line in said) == 4


def test_what_others_have_begun_to_use_stays(program: Program, calls: Path) -> None:
    asks(program, calls, "printf 'windows\\nlab-c0ffee-hello-ana\\n\\n'")
    done = stopped()
    assert calls.read_text() == "virsh --quiet --connect qemu:///system list --all --name\n"
    assert done.stderr.startswith("libvirt has machines of lab's")


def test_of_a_libvirt_that_does_not_answer_only_its_daemon_is_stopped(
    program: Program, calls: Path
) -> None:
    asks(program, calls, "exit 1")
    stopped()
    assert calls.read_text().splitlines()[1:] == ["systemctl stop libvirtd"]
