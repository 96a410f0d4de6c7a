"""A class of two is saved, broken, restored and reset on real machines; nobody else notices, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.machines.conftest import BOX, REPOSITORY, ClassFolder

LABS_YAML = f"""\
defaults:
  box: {BOX}
  domain: vps.claseando.es
  guest: {{ca_certificates: host}}
labs:
  hellopython:
    students: [ana, luis]
"""
# What copies lose that are not exact; and of the bake's files, one removed and a folder made anew.
MARKS = """\
set -eu
mkdir -p /srv/marks
cd /srv/marks
echo ana >hers
chown ana:ana hers
chmod 2750 hers
ln hers linked
ln -s /nowhere dangling
mkfifo pipe
mknod null c 1 3
python3 -c 'import os; os.setxattr("hers", "user.lab", b"kept")'
rm /etc/issue
rm -r /etc/skel
mkdir /etc/skel
"""
LOOK_AT_MARKS = """\
cd /srv/marks
stat --format '%n %F %U:%G %a %h %t,%T' *
readlink dangling
python3 -c 'import os; print(os.getxattr("hers", "user.lab").decode())'
ls -A /etc/skel
test -e /etc/issue || echo 'no issue'
"""
SEEN = """\
dangling symbolic link root:root 777 1 0,0
hers regular file ana:ana 2750 2 0,0
linked regular file ana:ana 2750 2 0,0
null character special file root:root 644 1 1,3
pipe fifo root:root 644 1 0,0
/nowhere
kept
no issue
"""
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def classroom(new_class: Callable[[str, str], ClassFolder]) -> ClassFolder:
    """Ana and Luis, with the snapshot `good` of both; the tests take it on from each other."""
    folder = new_class("kept", LABS_YAML)
    folder.lab("up")
    folder.root("ana", MARKS)
    folder.student("ana", "echo work >important")
    folder.lab("snapshot", "save", "good")
    return folder


@pytest.fixture
def untouched(classroom: ClassFolder) -> Callable[[], tuple[str, str]]:
    """When Luis's machine was started, and which one it is."""

    def look() -> tuple[str, str]:
        return classroom.root("luis", "stat --format %Y /proc/1"), identity(classroom, "luis")

    return look


def container(folder: ClassFolder, login: str) -> str:
    [name] = [it for it in folder.guests() if it.endswith(f"-{login}")]
    return name


def on_host(*words: str) -> str:
    done = subprocess.run(["sudo", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def state(folder: ClassFolder, login: str) -> str:
    return on_host("lxc-info", "--name", container(folder, login), "--state", "--no-humanize")


def identity(folder: ClassFolder, login: str) -> str:
    return on_host(
        "cat", f"{on_host('lxc-config', 'lxc.lxcpath')}/{container(folder, login)}/seeded"
    )


def snapshots(folder: ClassFolder, login: str) -> list[str]:
    rows = folder.json("snapshot", "list", login)["snapshots"]
    assert all(row["created"] and row["size_mb"] > 0 for row in rows)
    return [row["name"] for row in rows]


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.02)


def test_who_is_saved_goes_on(classroom: ClassFolder) -> None:
    assert snapshots(classroom, "ana") == snapshots(classroom, "luis") == ["good"]
    assert [state(classroom, it) for it in ("ana", "luis")] == ["RUNNING", "RUNNING"]
    assert classroom.student("ana", "supervisorctl status").split()[1] == "RUNNING"
    assert classroom.student("ana", "cat important") == "work\n"


def test_what_is_broken_comes_back_as_it_was(
    classroom: ClassFolder, untouched: Callable[[], Any]
) -> None:
    luis, ana = untouched(), identity(classroom, "ana")
    address = classroom.json("status", "ana")["machines"][0]["ip"]
    classroom.student("ana", "rm -r webapps important; supervisorctl stop hellopython")
    classroom.root("ana", "rm -r /srv/marks; rm /etc/nginx/nginx.conf; systemctl stop nginx")
    assert classroom.outcomes("ana")["ana"] != {}

    [outcome] = classroom.json("snapshot", "restore", "good", "ana", "--discard", "--yes")[
        "machines"
    ]

    assert (outcome["ok"], outcome["ip"]) == (True, address)
    # It is not only back, but has already started all that it starts.
    assert classroom.student("ana", "supervisorctl status").split()[1] == "RUNNING"
    assert classroom.root("ana", "systemctl is-system-running") == "running\n"
    assert classroom.student("ana", "cat important") == "work\n"
    assert classroom.root("ana", LOOK_AT_MARKS) == SEEN
    assert identity(classroom, "ana") == ana
    assert snapshots(classroom, "ana") == ["good"]
    assert classroom.outcomes("ana") == {"ana": {}}
    assert [row["label"] for row in classroom.json("plan")["machines"] if row["lab"]] == ["ok"] * 2
    assert untouched() == luis


def test_a_reset_is_as_after_up_and_loses_nothing(
    classroom: ClassFolder, untouched: Callable[[], Any]
) -> None:
    luis, before = untouched(), identity(classroom, "ana")
    classroom.student("ana", "echo newest >important")

    done = classroom.lab("reset", "ana")

    assert "What was verified of hellopython/ana" in done.stderr
    assert "1 of 1 machine is ready, 1 changed" in done.stdout
    assert classroom.student("ana", "ls") == "webapps\n"
    classroom.root("ana", "test -e /etc/issue -a ! -e /srv/marks")
    assert identity(classroom, "ana") != before
    assert classroom.outcomes("ana") == {"ana": {}}
    [good, kept] = snapshots(classroom, "ana")
    assert (good, kept.startswith("before-reset-")) == ("good", True)
    assert untouched() == luis
    assert classroom.json("up")["machines"][0]["changed"] is False

    classroom.lab("snapshot", "restore", kept, "ana")
    assert classroom.student("ana", "cat important") == "newest\n"
    assert identity(classroom, "ana") == before
    assert classroom.root("ana", LOOK_AT_MARKS) == SEEN
    assert classroom.outcomes("ana") == {"ana": {}}
    classroom.lab("snapshot", "delete", "before-*", "ana", "--yes")
    assert snapshots(classroom, "ana") == ["good"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_machine_is_not_left_frozen_by_a_lab_that_is_killed(
    classroom: ClassFolder, number: signal.Signals
) -> None:
    # Long enough to be caught at it.
    classroom.root("ana", "for it in $(seq 12000); do echo $it >/srv/$it; done")
    saving = subprocess.Popen(
        [sys.executable, "-m", "lab", "snapshot", "save", "cut-off", "ana"],
        cwd=classroom.path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(
        lambda: state(classroom, "ana") == "FROZEN" or saving.poll() is not None, "it is frozen"
    )
    assert saving.poll() is None
    saving.send_signal(number)
    saving.wait()
    wait_until(lambda: state(classroom, "ana") == "RUNNING", "it goes on")
    assert snapshots(classroom, "ana") == ["good"]
    assert classroom.student("ana", "cat important") == "newest\n"
    classroom.lab("snapshot", "save", "whole", "ana", "--wait", "60s")
    assert snapshots(classroom, "ana") == ["good", "whole"]
    classroom.lab("snapshot", "delete", "whole", "ana", "--yes")


def test_a_halted_machine_is_saved_reset_and_restored_too(classroom: ClassFolder) -> None:
    classroom.lab("halt", "luis")
    classroom.lab("snapshot", "save", "halted", "luis")
    assert state(classroom, "luis") == "STOPPED"
    classroom.lab("reset", "luis", "--discard", "--yes")
    assert classroom.outcomes("luis") == {"luis": {}}
    assert snapshots(classroom, "luis") == ["good", "halted"]
    classroom.lab("snapshot", "restore", "halted", "luis")
    assert classroom.outcomes("luis") == {"luis": {}}


def test_snapshots_go_with_their_machine(classroom: ClassFolder) -> None:
    folder = f"{on_host('lxc-config', 'lxc.lxcpath')}/{container(classroom, 'luis')}"
    on_host("test", "-d", f"{folder}/snapshots/good/disk")
    classroom.lab("destroy", "luis", "--yes")
    on_host("test", "!", "-e", folder)
    assert {row["login"] for row in classroom.json("snapshot", "list")["snapshots"]} == {"ana"}
