"""One operation at a time, and a lock that the dead do not keep."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LOCKED, LabError, LockedError
from lab.system import lock, process
from lab.system.lock import Holder

HOLDER = """
import pathlib, sys, time
from lab.system import lock, process
with lock.hold(pathlib.Path(sys.argv[1]), operation="up"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".lab" / "lock"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_the_lock_says_who_holds_it(path: Path) -> None:
    with lock.hold(path, operation="verify"):
        data = json.loads(path.read_text())
        assert (data["pid"], data["operation"]) == (os.getpid(), "verify")
        started = datetime.fromisoformat(data["started"])
        assert abs((datetime.now().astimezone() - started).total_seconds()) < 60
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_lock_is_free_again_afterwards(path: Path) -> None:
    for operation in ("a very long operation", "up"):
        with lock.hold(path, operation=operation):
            assert json.loads(path.read_text())["operation"] == operation


def test_the_lock_is_free_after_a_failure(path: Path) -> None:
    with pytest.raises(KeyError), lock.hold(path, operation="up"):
        raise KeyError
    with lock.hold(path, operation="up"):
        pass


@pytest.mark.usefixtures("everywhere")
def test_another_s_lock_is_told_with_pid_operation_and_start(
    path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(LockedError) as caught, lock.hold(path, operation="verify"):
        pass
    error = caught.value
    assert error.exit_code == LOCKED
    started = json.loads(path.read_text())["started"]
    assert error.message == "Another lab is at work on this project"
    who = rf"pid {holder.pid}: `lab up`, since {re.escape(started)}, for \d+ s"
    assert re.fullmatch(who, error.details)
    assert "--wait" in error.hint


@pytest.mark.usefixtures("everywhere")
def test_a_dead_holder_holds_nothing(path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with lock.hold(path, operation="verify"):
        assert json.loads(path.read_text())["operation"] == "verify"


def test_waiting_ends_when_the_other_does(path: Path) -> None:
    held = threading.Event()
    release = threading.Event()

    def other() -> None:
        with lock.hold(path, operation="up"):
            held.set()
            release.wait(5)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(5)
    threading.Timer(0.3, release.set).start()
    with lock.hold(path, operation="verify", wait_s=5):
        assert json.loads(path.read_text())["operation"] == "verify"
    thread.join()


def test_waiting_ends_when_time_is_up(path: Path) -> None:
    with lock.hold(path, operation="up"):
        started = time.monotonic()
        with pytest.raises(LockedError), lock.hold(path, operation="verify", wait_s=0.3):
            pass
        assert 0.3 <= time.monotonic() - started < 2


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"pid": 1}', b"[1]", b"\xff\0", b'{"pid": 1e999, "operation": 1}']
)
def test_a_holder_that_has_not_written_yet_holds_it_all_the_same(
    path: Path, content: bytes
) -> None:
    with lock.hold(path, operation="up"):
        path.write_bytes(content)
        with pytest.raises(LockedError) as caught, lock.hold(path, operation="verify"):
            pass
    assert str(path) in caught.value.details


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (timedelta(seconds=-5), "for 0 s"),
        (timedelta(seconds=59), "for 59 s"),
        (timedelta(minutes=4, seconds=10), "for 4 min 10 s"),
        (timedelta(hours=26, minutes=5, seconds=3), "for 26 h 5 min"),
    ],
)
def test_a_holder_says_for_how_long(ago: timedelta, words: str) -> None:
    holder = Holder(pid=7, operation="up", started=datetime.now().astimezone() - ago)
    assert str(holder).endswith(words)


@pytest.mark.usefixtures("everywhere")
def test_the_holder_can_be_asked_for(path: Path) -> None:
    assert lock.holder_of(path) is None
    with lock.hold(path, operation="up"):
        holder = lock.holder_of(path)
    assert holder is not None
    assert (holder.pid, holder.operation, holder.is_alive) == (os.getpid(), "up", True)
    assert not Holder(pid=0, operation="up", started=holder.started).is_alive


def test_who_waits_is_told_once_for_whom(path: Path, holder: subprocess.Popen[str]) -> None:
    told: list[str] = []
    with (
        pytest.raises(LockedError),
        lock.hold(path, operation="up", wait_s=0.5, on_wait=told.append, what="the boxes"),
    ):
        pass
    [words] = told
    assert words.startswith(f"waiting for another lab at work on the boxes (pid {holder.pid}: ")


def test_who_does_not_wait_is_told_nothing(path: Path) -> None:
    told: list[str] = []
    with (
        lock.hold(path, operation="up", on_wait=told.append, wait_s=5),
        pytest.raises(LockedError),
        lock.hold(path, operation="up", on_wait=told.append),
    ):
        pass
    assert told == []


def quietly(path: Path, *, alone: bool = False, wait_s: float = 0.0) -> Any:
    return lock.share(path, alone=alone, wait_s=wait_s, on_wait=lambda _: None, what="an up")


def test_a_shared_lock_is_had_by_many_and_by_nobody_who_wants_it_alone(path: Path) -> None:
    with quietly(path), quietly(path):
        with pytest.raises(LockedError, match="Another lab is still at work: an up") as caught:
            quietly(path, alone=True).__enter__()
        assert caught.value.details == f"Who it is: fuser -v {path}"
    with quietly(path, alone=True), pytest.raises(LockedError):
        quietly(path).__enter__()
    with quietly(path):
        assert path.read_bytes() == b""


def test_who_wants_a_shared_lock_alone_waits_for_all(path: Path) -> None:
    told: list[str] = []
    ended: list[str] = []
    held = threading.Event()

    def other() -> None:
        with quietly(path):
            held.set()
            while not told:
                time.sleep(0.01)
            ended.append("up")

    thread = threading.Thread(target=other)
    thread.start()
    held.wait(15)
    with lock.share(path, alone=True, wait_s=15, on_wait=told.append, what="an up"):
        assert ended == ["up"]
    thread.join()
    assert told == ["waiting for an up"]


@pytest.mark.parametrize("how", ["alone", "shared"])
def test_an_interruption_ends_the_waiting(path: Path, how: str) -> None:
    def interrupt(_: str) -> None:
        process.stop_all()

    waiting = (
        lock.hold(path, operation="up", wait_s=15, on_wait=interrupt)
        if how == "alone"
        else lock.share(path, wait_s=15, on_wait=interrupt, what="an up")
    )
    try:
        with lock.hold(path, operation="up"), pytest.raises(process.Interrupted):
            waiting.__enter__()
    finally:
        process.allow_again()


def test_a_longer_note_leaves_no_rest(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("x" * 500)
    with lock.hold(path, operation="up"):
        assert json.loads(path.read_text())["operation"] == "up"


def test_a_full_disk_keeps_nobody_from_freeing_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path.parent.mkdir()
    path.write_text('{"pid": 1}')
    monkeypatch.setattr(lock.os, "pwrite", full)
    with lock.hold(path, operation="destroy"):
        # Better nothing than somebody else's name.
        assert path.read_text() == ""


def test_a_folder_in_the_lock_s_place_is_told(path: Path) -> None:
    path.mkdir(parents=True)
    with (
        pytest.raises(LabError, match=f"The lock {path} could not be opened: Is a directory") as it,
        lock.hold(path, operation="up"),
    ):
        pass
    assert "Move away what is in its place" in it.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write any file")
def test_a_lock_that_may_not_be_written_is_told(path: Path) -> None:
    path.parent.mkdir()
    path.touch(mode=0o400)
    with (
        pytest.raises(LabError, match="could not be opened: Permission denied"),
        lock.hold(path, operation="up"),
    ):
        pass


def test_a_disk_that_knows_no_locks_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    with (
        pytest.raises(LabError, match=f"{path} could not be locked: No locks available"),
        lock.hold(path, operation="up"),
    ):
        pass


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / ".lab").touch()
    with (
        pytest.raises(LabError, match=f"The folder {tmp_path}/.lab could not be made"),
        lock.hold(tmp_path / ".lab" / "lock", operation="up"),
    ):
        pass
