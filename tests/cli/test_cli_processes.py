"""Two labs at once, a lab that is interrupted, and one whose reader has gone."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if stat.rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_ctrl_c_ends_what_runs_and_leaves_what_is_done(
    lab: Lab, world: Any, started: Started
) -> None:
    lab("up", "ana")
    world.fault(vagrant__up={"hang": True, "stdout": "==> hello-luis: Importing base box...\n"})
    child = started("up", "--no-bake")
    vagrant = int(wait_for(world.root / "hanging"))
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=15)
    assert child.returncode == INTERRUPTED
    assert "Traceback" not in err
    for login in ("luis", "marta"):
        assert f"hello/{login}: it was interrupted" in out
        assert f"retry: lab up hello/{login}" in out
    assert gone(vagrant)
    world.fault()
    assert lab("up", "--format", "json").code == OK
    assert set(world.guests.values()) == {"RUNNING"}


def test_an_interruption_is_told_with_what_stands(world: Any, started: Started) -> None:
    world.fault(vagrant__up={"hang": True})
    child = started("up", "--no-bake")
    wait_for(world.root / "hanging")
    child.send_signal(signal.SIGINT)
    assert "the same command goes on from there" in child.communicate(timeout=15)[1]


def test_a_lab_that_is_killed_leaves_a_state_that_the_next_one_takes_up(
    lab: Lab, world: Any, started: Started
) -> None:
    world.fault(vagrant__up={"hang": True})
    child = started("up", "--no-bake")
    vagrant = int(wait_for(world.root / "hanging"))
    child.kill()
    child.communicate()
    os.kill(vagrant, signal.SIGKILL)
    world.fault()
    assert lab("up").code == OK
    for path in (world.project / ".lab" / "state").rglob("*.json"):
        json.loads(path.read_text())
    assert list((world.project / ".lab").rglob(".*.json.*")) == []


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
