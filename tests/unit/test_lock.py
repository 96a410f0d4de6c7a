"""One operation at a time, and a lock that the dead do not keep."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from lab.errors import LOCKED, LabError, LockedError
from lab.system import lock

HOLDER = """
import pathlib, sys, time
from lab.system import lock
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


def test_another_s_lock_is_told_with_pid_operation_and_start(
    path: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(LockedError) as caught, lock.hold(path, operation="verify"):
        pass
    error = caught.value
    assert error.exit_code == LOCKED
    started = json.loads(path.read_text())["started"]
    assert error.details == f"pid {holder.pid}: `lab up`, since {started}"
    assert "--wait" in error.hint


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


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1}'])
def test_a_holder_that_has_not_written_yet_holds_it_all_the_same(path: Path, content: str) -> None:
    with lock.hold(path, operation="up"):
        path.write_text(content)
        with pytest.raises(LockedError) as caught, lock.hold(path, operation="verify"):
            pass
    assert str(path) in caught.value.details


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / ".lab").touch()
    with (
        pytest.raises(LabError, match=f"The folder {tmp_path}/.lab could not be made"),
        lock.hold(tmp_path / ".lab" / "lock", operation="up"),
    ):
        pass
