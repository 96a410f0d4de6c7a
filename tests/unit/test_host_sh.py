"""scripts/host.sh: what it starts, and takes away again, with stubs of what it calls."""

from __future__ import annotations

import os
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


BRIDGE = """
source scripts/host.sh
interfaces=$1/net lxc_run=$1/run
lxc_net() { echo "lxc-net $1"; }
as_root() { "$@"; }
start_bridge
stop_bridge_if_started
"""


def bridge(host: Path) -> list[str]:
    """What of the bridge's was started, restarted and stopped."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", BRIDGE, "bash", str(host)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in done.stdout.splitlines() if line.startswith("lxc-net ")]


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "run").mkdir()
    return tmp_path


def test_a_bridge_that_is_started_is_stopped(host: Path) -> None:
    assert bridge(host) == ["lxc-net start", "lxc-net stop"]
    # Its mark is of a bridge that somebody took away.
    (host / "run/network_up").touch()
    assert bridge(host) == ["lxc-net restart", "lxc-net stop"]


def test_a_bridge_whose_name_server_has_ended_is_restarted_and_stays(host: Path) -> None:
    (host / "net/lxcbr0").mkdir()
    # Somebody else's, who sees to it.
    assert bridge(host) == []
    (host / "run/network_up").touch()
    assert bridge(host) == []
    server = host / "dnsmasq"
    server.write_text("#!/bin/sh\nread line\n")
    server.chmod(0o755)
    number = host / "run/dnsmasq.pid"
    with subprocess.Popen([server], stdin=subprocess.PIPE) as runs:
        number.write_text(f"{runs.pid}\n")
        assert bridge(host) == []
    assert bridge(host) == ["lxc-net restart"]
    assert not number.exists()


def test_who_has_the_number_of_a_name_server_that_has_ended_lives_on(host: Path) -> None:
    (host / "net/lxcbr0").mkdir()
    (host / "run/network_up").touch()
    number = host / "run/dnsmasq.pid"
    number.write_text(f"{os.getpid()}\n")
    assert bridge(host) == ["lxc-net restart"]
    # lxc-net would have killed us.
    assert not number.exists()
