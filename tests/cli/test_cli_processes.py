"""Two labs at once, a lab that is interrupted, and one whose reader has gone."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab.errors import INTERRUPTED, LOCKED, NOT_ALL_WELL, OK

Lab = Callable[..., Any]
Started = Callable[..., "subprocess.Popen[str]"]
HOLDER = """
import pathlib, sys, time
from lab.system import lock
with lock.hold(pathlib.Path(sys.argv[1]), operation="provision"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""
CHANGING = (("up",), ("provision",), ("verify",), ("halt",), ("destroy", "--yes"))


@pytest.fixture
def hold(world: Any) -> Iterator[Callable[[float], subprocess.Popen[str]]]:
    """Has another process hold the project's lock for so many seconds."""
    holders: list[subprocess.Popen[str]] = []

    def start(for_s: float) -> subprocess.Popen[str]:
        lock = str(world.project / ".lab" / "lock")
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, lock, str(for_s)], stdout=subprocess.PIPE, text=True
        )
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        holders.append(holder)
        return holder

    yield start
    for holder in holders:
        holder.kill()
        holder.communicate()


def test_another_lab_at_work_is_told_with_pid_operation_and_start(
    lab: Lab, world: Any, hold: Callable[[float], subprocess.Popen[str]]
) -> None:
    lab("up", "ana")
    holder = hold(60)
    since = json.loads((world.project / ".lab" / "lock").read_text())["started"]
    for words in CHANGING:
        ran = lab(*words)
        assert (ran.code, ran.out) == (LOCKED, "")
        assert f"pid {holder.pid}: `lab provision`, since {since}" in ran.said
        assert "--wait" in ran.err
    assert world.guests == {"hello-ana": "RUNNING"}
    for words in (("status",), ("validate",), ("logs",)):
        assert lab(*words).code == OK


def test_lab_waits_when_it_is_told_to(
    lab: Lab, world: Any, hold: Callable[[float], subprocess.Popen[str]]
) -> None:
    hold(0.5)
    assert lab("up", "ana", "--wait", "30s").code == OK
    assert world.guests == {"hello-ana": "RUNNING"}


def test_a_dead_holder_holds_nothing(
    lab: Lab, hold: Callable[[float], subprocess.Popen[str]]
) -> None:
    holder = hold(60)
    holder.kill()
    holder.wait()
    assert lab("up", "ana").code == OK


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 15
    while not (path.exists() and path.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return path.read_text()


def of_world(world: Any) -> dict[int, str]:
    """The command lines of all that runs for this test, by pid: lab, and what it has started."""
    found = {}
    mark = f"LAB_STUB_WORLD={world.root}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        # It may end as it is looked at; and a zombie has no environment.
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_text(errors="replace")
    return found


def orphans(world: Any) -> dict[int, str]:
    """What still runs when lab has ended, and does not end in the time that killing takes."""
    deadline = time.monotonic() + 20
    while (left := of_world(world)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def check_state(world: Any) -> None:
    """Every file of lab's is whole."""
    for path in (world.project / ".lab").rglob("*.json"):
        json.loads(path.read_text())
    json.loads((world.project / ".lab" / "lock").read_text())


@pytest.fixture
def hanging(world: Any, started: Started) -> Callable[..., subprocess.Popen[str]]:
    """Starts `lab up` with a vagrant that hangs, and waits until it does."""

    def start(**more: bool) -> subprocess.Popen[str]:
        line = "==> hello-luis: Importing base box...\n"
        world.fault(vagrant__up={"hang": True, "stdout": line, **more})
        child = started("up", "--no-bake")
        assert int(wait_for(world.root / "hanging")) in of_world(world)
        return child

    return start


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_ends_what_runs_and_leaves_what_is_done(
    lab: Lab, world: Any, hanging: Callable[..., subprocess.Popen[str]], number: signal.Signals
) -> None:
    lab("up", "ana")
    child = hanging()
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert child.returncode == INTERRUPTED
    assert "Traceback" not in err
    for login in ("luis", "marta"):
        assert f"hello/{login}: it was interrupted" in out
        assert f"retry: lab up hello/{login}" in out
    assert orphans(world) == {}
    assert len(world.boots) == 2
    check_state(world)
    world.fault()
    assert lab("up", "--format", "json").code == OK
    assert set(world.guests.values()) == {"RUNNING"}


def test_an_interruption_is_told_with_what_stands(
    hanging: Callable[..., subprocess.Popen[str]],
) -> None:
    child = hanging()
    child.send_signal(signal.SIGINT)
    assert "where none is, the same command again" in child.communicate(timeout=30)[1]


@pytest.mark.usefixtures("up")
@pytest.mark.parametrize(
    ("words", "goes_on"),
    [
        (("reset", "ana", "luis", "--yes"), "lab up"),
        (("snapshot", "restore", "good", "ana", "luis", "--yes"), "lab up --no-provision"),
    ],
    ids=["reset", "restore"],
)
def test_what_is_put_back_and_interrupted_is_told_with_how_it_goes_on_and_its_undo(
    lab: Lab, world: Any, started: Started, words: tuple[str, ...], goes_on: str
) -> None:
    lab("snapshot", "save", "good")
    world.fault(vagrant__up={"hang": True})
    child = started(*words)
    wait_for(world.root / "hanging")
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == INTERRUPTED
    for login in ("ana", "luis"):
        assert f"hello/{login}: it was interrupted" in out
        assert f"retry: {goes_on} hello/{login}\n" in out
    assert "What they had: lab snapshot restore before-" in err


@pytest.mark.usefixtures("up")
def test_a_save_that_is_interrupted_says_who_is_saved_and_goes_on_with_the_others(
    lab: Lab, world: Any, started: Started
) -> None:
    hello_ana = world.disk("hello-ana").parent.name
    # Of Luis's machine nothing is heard any more.
    (world.root / "bin" / "lxc-freeze").write_text(
        f'#!/bin/sh\n[ "$2" = {hello_ana} ] && exit\necho $$ >{world.root}/hanging\nexec sleep 60\n'
    )
    child = started("snapshot", "save", "good", "--jobs", "1")
    wait_for(world.root / "hanging")
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == INTERRUPTED
    assert "Saved 1 of 3 machines; not these: hello-luis, hello-marta" in err
    assert "Try those again: lab snapshot save good hello/luis hello/marta\n" in err
    assert "the same command" not in err
    (world.root / "bin" / "lxc-freeze").write_text("#!/bin/sh\n")
    assert lab("snapshot", "save", "good", "hello/luis", "hello/marta").code == OK


@pytest.mark.usefixtures("up")
def test_who_waits_for_services_and_is_interrupted_is_told_what_has_booted(
    lab: Lab, world: Any, started: Started
) -> None:
    lab("snapshot", "save", "good")
    world.fault(ssh={"hang": True})
    child = started("snapshot", "restore", "good", "ana", "--discard", "--yes")
    wait_for(world.root / "hanging")
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=30)
    assert child.returncode == INTERRUPTED
    assert "hello/ana: it was interrupted" in out
    assert "retry: lab up --no-provision hello/ana" in out
    assert world.guests["hello-ana"] == "RUNNING"


def test_nohup_has_lab_go_on_when_the_terminal_is_closed(world: Any, started: Started) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        child = started("up", "ana", "--no-bake")
    finally:
        signal.signal(signal.SIGHUP, before)
    deadline = time.monotonic() + 20
    while not world.calls("vagrant") and time.monotonic() < deadline:
        time.sleep(0.02)
    child.send_signal(signal.SIGHUP)
    child.communicate(timeout=60)
    assert child.returncode == OK


def test_failures_are_seen_though_the_parent_ignores_that_children_end(
    world: Any, started: Started
) -> None:
    world.fault(vagrant__up={"code": 1, "stderr": "That is all.\n"})
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        child = started("up", "ana", "--no-bake")
    finally:
        signal.signal(signal.SIGCHLD, before)
    out, err = child.communicate(timeout=60)
    assert child.returncode == NOT_ALL_WELL
    assert "That is all." in out
    assert "Traceback" not in err


def test_a_doctor_that_is_killed_leaves_no_vagrant_at_work(
    world: Any, started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it leaves is for the next doctor, and not for the one of who runs the tests.
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    world.fault(vagrant__up={"hang": True})
    child = started("doctor")
    assert int(wait_for(world.root / "hanging")) in of_world(world)
    child.kill()
    child.communicate()
    assert orphans(world) == {}


def test_a_vagrant_without_ears_is_killed_after_a_grace(
    lab: Lab, world: Any, hanging: Callable[..., subprocess.Popen[str]]
) -> None:
    child = hanging(deaf=True)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=30)
    assert child.returncode == INTERRUPTED
    assert orphans(world) == {}
    check_state(world)


def test_a_second_ctrl_c_kills_all_that_runs(
    lab: Lab, world: Any, hanging: Callable[..., subprocess.Popen[str]]
) -> None:
    child = hanging(deaf=True)
    child.send_signal(signal.SIGINT)
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=30)
    assert child.returncode == INTERRUPTED
    assert "Traceback" not in err
    assert orphans(world) == {}
    check_state(world)
    world.fault()
    assert lab("up").code == OK
    assert set(world.guests.values()) == {"RUNNING"}


@pytest.mark.parametrize("deaf", [False, True])
def test_a_lab_that_is_killed_leaves_nothing_that_the_next_one_could_meet(
    lab: Lab, world: Any, hanging: Callable[..., subprocess.Popen[str]], deaf: bool
) -> None:
    child = hanging(deaf=deaf)
    vagrant = int((world.root / "hanging").read_text())
    child.kill()
    child.communicate()
    world.fault()
    # It waits by itself for what the other had running.
    assert lab("up").code == OK
    assert vagrant not in of_world(world)
    assert orphans(world) == {}
    assert set(world.guests.values()) == {"RUNNING"}
    check_state(world)
    assert list(world.project.rglob(".*.new")) == []


def test_the_machines_of_a_vagrant_that_is_killed_are_each_booted_by_one_of_their_own(
    lab: Lab, world: Any, hanging: Callable[..., subprocess.Popen[str]]
) -> None:
    lab("up", "ana")
    child = hanging()
    before = len(world.boots)
    # It has read of its own fault: those that come after it have none.
    world.fault()
    os.kill(int((world.root / "hanging").read_text()), signal.SIGKILL)
    child.communicate(timeout=60)
    assert child.returncode == OK
    assert [words[:-3] for words in world.boots[before:]] == [["hello-luis"], ["hello-marta"]]
    assert set(world.guests.values()) == {"RUNNING"}
    assert orphans(world) == {}
    check_state(world)


def test_a_vagrant_that_says_a_gigabyte_takes_neither_memory_nor_disk(
    world: Any, started: Started
) -> None:
    world.fault(vagrant__up={"flood_mb": 1000, "stderr": "That is all.\n"})
    # What the kernel says of a child is at least what its parent had as it was forked.
    own_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    child = started("up", "ana", "--no-bake", "--format", "json")
    assert child.stdout is not None
    said = json.load(child.stdout)
    used_mb = os.wait4(child.pid, 0)[2].ru_maxrss / 1024
    child.returncode = NOT_ALL_WELL
    child.communicate()
    assert said["machines"][0]["tail"][-1] == "That is all."
    assert used_mb < max(300, own_mb)
    [log] = (world.project / ".lab" / "logs").glob("vagrant.log")
    assert log.stat().st_size < 100_000_000


def test_a_vagrant_that_floods_us_is_survived(lab: Lab, world: Any) -> None:
    flood = "==> hello-ana: \N{REPLACEMENT CHARACTER} x\n" * 20_000
    world.fault(vagrant__up={"stdout": flood, "stderr": "That is all.\n"})
    ran = lab("up", "ana", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    assert ran.json["machines"][0]["tail"] == ["That is all."]


def test_a_reader_that_has_gone_is_told_nothing(world: Any, started: Started) -> None:
    child = started("status", "--format", "json")
    assert child.stdout is not None
    child.stdout.close()
    assert child.stderr is not None
    said = child.stderr.read()
    child.stderr.close()
    assert (child.wait(15), said) == (NOT_ALL_WELL, "")


def test_progress_goes_to_stderr_a_line_a_completion(lab: Lab) -> None:
    ran = lab("up", "--no-bake", "--format", "json")
    lines = [line for line in ran.err.splitlines() if re.match(r"\[\d/3\] ok hello-", line)]
    assert len(lines) == 3
    assert json.loads(ran.out)
