"""What lab had running ends with it, even if it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.errors import HostError
from lab.system import guardian, lock, process
from lab.system.guardian import Guardian, began, live, runs

HOLDER = """
import pathlib, sys
from lab.system import lock, process
with lock.hold(pathlib.Path(sys.argv[1]), operation="up", outlived=sys.argv[3:] == ["outlived"]):
    process.run(["sh", "-c", sys.argv[2]])
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A program in a group of its own."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as child:
        yield child
        child.kill()


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text().endswith("\n")) and time.monotonic() < deadline:
        time.sleep(0.02)
    return int(path.read_text())


def ends(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not runs(pid)


@pytest.mark.parametrize(
    ("trap", "words"),
    [("", []), ("trap '' TERM;", []), ("", ["outlived"])],
    ids=["polite", "deaf", "outlived"],
)
def test_what_a_killed_lab_had_running_ends_and_the_lock_is_free_then(
    tmp_path: Path, path: Path, trap: str, words: list[str]
) -> None:
    script = f"{trap} sleep 60 & echo $! >{tmp_path}/pid; wait"
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(path), script, *words])
    grandchild = wait_for(tmp_path / "pid")
    child.kill()
    child.wait()
    waits: list[str] = []
    # Nobody has to say that it is to wait.
    with lock.hold(path, operation="verify", on_wait=waits.append):
        assert not runs(grandchild)
    for told in waits:
        assert f"pid {child.pid}: `lab up`" in told
        assert "what it had running is being ended" in told


def test_a_lab_that_is_killed_as_it_starts_a_program_leaves_none(
    tmp_path: Path, path: Path
) -> None:
    killed = """
import os, signal
from lab.system.guardian import Guardian
Guardian.watch = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""
    script = f"echo $$ >{tmp_path}/pid; sleep 60 & wait"
    done = subprocess.run([sys.executable, "-c", killed + HOLDER, str(path), script], check=False)
    assert done.returncode == -signal.SIGKILL
    with lock.hold(path, operation="verify"):
        assert ends(wait_for(tmp_path / "pid"))


def test_what_has_ended_is_left_alone(path: Path, sleeper: subprocess.Popen[bytes]) -> None:
    """Its number may be another's by now."""
    with path.open("w") as file:
        watcher = Guardian(file.fileno())
        watcher.watch(sleeper.pid)
        watcher.forget(sleeper.pid)
        watcher.forget(sleeper.pid)
        watcher.dismiss()
    assert sleeper.poll() is None


def test_what_has_not_ended_at_the_end_is_ended(
    path: Path, sleeper: subprocess.Popen[bytes]
) -> None:
    with path.open("w") as file:
        watcher = Guardian(file.fileno())
        watcher.watch(sleeper.pid)
        watcher.dismiss()
    assert sleeper.wait(20) == -signal.SIGTERM


def test_what_is_to_outlive_a_lock_goes_on_when_it_is_let_go(path: Path) -> None:
    begun, ended = threading.Event(), []

    def work(name: str) -> None:
        process.run(["sh", "-c", "echo; exec sleep 1"], on_line=lambda _: begun.set())
        ended.append(name)

    def start(name: str) -> threading.Thread:
        begun.clear()
        thread = threading.Thread(target=work, args=[name])
        thread.start()
        assert begun.wait(20)
        return thread

    with lock.hold(path.with_name("project"), operation="up"):
        threads = [start("before")]
        with lock.hold(path, operation="up", outlived=True):
            threads.append(start("in"))
        with lock.hold(path, operation="up"):
            assert len(process._guardians) == 2
            for thread in threads:
                thread.join()
    assert sorted(ended) == ["before", "in"]


def test_a_number_that_is_another_s_by_now_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    began = iter([("S", sleeper.pid, 1), ("S", sleeper.pid, 2)])
    monkeypatch.setattr(guardian, "_stat", lambda _: next(began))
    ended: list[set[int]] = []
    monkeypatch.setattr(guardian, "end", ended.append)
    monkeypatch.setattr(sys, "stdin", [f"+{sleeper.pid}\n"])
    guardian.main()
    assert ended == [set()]


def test_lab_goes_on_without_its_guardian(path: Path) -> None:
    with path.open("w") as file:
        watcher = Guardian(file.fileno())
        os.kill(watcher._pid, signal.SIGKILL)
        assert ends(watcher._pid)
        watcher.watch(1)
        watcher.forget(1)
        watcher.dismiss()
    with lock.hold(path, operation="up"):
        [ours] = process._guardians
        os.kill(ours._pid, signal.SIGKILL)
        assert ends(ours._pid)
        assert process.run(["echo", "still here"]).stdout == "still here\n"


def test_a_guardian_goes_without_being_waited_for_long(path: Path) -> None:
    with lock.hold(path, operation="up"):
        [ours] = process._guardians
        assert live({ours._pid}) == {ours._pid}
        assert os.getsid(ours._pid) == ours._pid
        process.run(["true"])
    assert process._guardians == []
    assert not Path("/proc", str(ours._pid)).exists()


def test_a_computer_that_starts_no_more_programs_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with (
        pytest.raises(HostError, match="/no/such/python"),
        lock.hold(path, operation="up"),
    ):
        pass


@pytest.mark.usefixtures("everywhere")
def test_what_runs_is_known_and_what_has_ended_is_not(sleeper: subprocess.Popen[bytes]) -> None:
    assert runs(sleeper.pid)
    assert runs(1)
    assert live({sleeper.pid, 999999999}) == {sleeper.pid}
    sleeper.kill()
    sleeper.wait()
    assert not any(map(runs, (sleeper.pid, 0, -1, 999999999, 10**30)))
    assert live({sleeper.pid}) == set()
    assert began(sleeper.pid) == 0


@pytest.mark.usefixtures("without_proc")
def test_where_nothing_tells_of_processes_what_is_left_is_ended_all_the_same(
    monkeypatch: pytest.MonkeyPatch, sleeper: subprocess.Popen[bytes]
) -> None:
    monkeypatch.setattr(guardian, "GRACE_S", 0.2)
    monkeypatch.setattr(sys, "stdin", ["?never-begun\n", f"+{sleeper.pid}\n", "?begun-just-now\n"])
    guardian.main()
    assert sleeper.wait(20) == -signal.SIGTERM
    assert began(os.getpid()) == 0


@pytest.mark.usefixtures("without_proc")
def test_what_may_not_be_signalled_is_another_user_s_process_and_no_group_to_wait_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    monkeypatch.setattr(os, "killpg", refuse)
    # macOS says so of zombies, too.
    assert (runs(7), live({7})) == (True, set())
