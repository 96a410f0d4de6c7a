"""What dies in the middle of `lab up` on real machines, and the next `lab up` that makes it good."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.machines.conftest import BOX, REPOSITORY, ClassFolder

Start = Callable[..., "subprocess.Popen[str]"]
LOGINS = ("ana", "luis", "marta")
LABS_YAML = f"""\
defaults: {{box: {BOX}, domain: example.org}}
labs: {{school: {{students: [{", ".join(LOGINS)}]}}}}
"""
GUIDE_YAML = """\
name: school
title: {en: School}
steps:
  - {name: first, scope: student, title: {en: First}}
  - {name: slow, scope: student, title: {en: Slow}}
  - {name: last, scope: student, title: {en: Last}}
"""
# What a step has done is noted at its end; two that do it at once are noted too.
SLOW = """\
mkdir /run/slow || echo overlap >>/srv/runs
trap 'rmdir /run/slow' EXIT
echo "slow begins"
sleep 2
echo slow >>/srv/runs
"""
PATIENCE_S = 30.0


def new_school(new_class: Callable[[str, str], ClassFolder], name: str) -> ClassFolder:
    folder = new_class(name, LABS_YAML)
    steps = folder.path / "provision/school/steps"
    steps.mkdir(parents=True)
    (steps.parent / "guide.yaml").write_text(GUIDE_YAML)
    for step, script in {
        "first": "echo first >>/srv/runs\n",
        "slow": SLOW,
        "last": "echo last >>/srv/runs\n",
    }.items():
        (steps / f"{step}.sh").write_text(f"set -euo pipefail\n{script}")
    return folder


@pytest.fixture(scope="module")
def school(new_class: Callable[[str, str], ClassFolder]) -> ClassFolder:
    """Three students; the tests take the class on from each other, as a year does."""
    return new_school(new_class, "school")


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `lab`, to be killed; whatever a test leaves running goes with its children."""
    started: list[subprocess.Popen[str]] = []

    def run(folder: ClassFolder, *words: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-m", "lab", *words],
            cwd=folder.path,
            env={**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(child)
        return child

    yield run
    for child in started:
        if child.poll() is None:
            kill_all(child)
        child.communicate()


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def edit_slow(folder: ClassFolder) -> None:
    """Have `slow` run again on every machine, with what follows it."""
    with (folder.path / "provision/school/steps/slow.sh").open("a") as script:
        script.write("# edited\n")


def log_of(folder: ClassFolder, login: str) -> Path:
    return folder.path / f".lab/logs/school-{login}.log"


def forget_logs(folder: ClassFolder) -> None:
    for login in LOGINS:
        log_of(folder, login).unlink(missing_ok=True)


def is_in_slow(folder: ClassFolder, login: str) -> bool:
    log = log_of(folder, login)
    return log.exists() and "slow begins" in log.read_text(errors="replace")


def container(folder: ClassFolder, login: str) -> str:
    [name] = [name for name in folder.guests() if name.endswith(f"-school-{login}")]
    return name


def kill_guest(name: str) -> None:
    subprocess.run(["sudo", "lxc-stop", "--kill", "--name", name], check=True, timeout=60)


def running(folder: ClassFolder) -> list[str]:
    listed = ["sudo", "lxc-ls", "-1", "--running"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in folder.guests() if name in names]


def below(pid: int) -> dict[int, list[str]]:
    """The words of every process that a process has begun, and those that these have."""
    parents: dict[int, list[int]] = {}
    words = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((path / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
            parents.setdefault(parent, []).append(int(path.name))
            words[int(path.name)] = (path / "cmdline").read_text(errors="replace").split("\0")
    found: dict[int, list[str]] = {}
    waiting = [pid]
    while waiting:
        children = [it for it in parents.get(waiting.pop(), []) if it in words]
        found |= {it: words[it] for it in children}
        waiting += children
    return found


def kill_all(child: subprocess.Popen[str]) -> None:
    """Kill lab and all that it has begun, at once."""
    for pid in (child.pid, *below(child.pid)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    child.communicate()


def vagrants(pid: int) -> dict[int, list[str]]:
    """The words of each `vagrant up` below a process."""
    return {
        child: words
        for child, words in below(pid).items()
        if any(Path(word).name == "vagrant" for word in words[:2]) and "up" in words
    }


def machines_in(words: list[str]) -> set[str]:
    return {word for word in words if word.startswith("school-")}


def runs(folder: ClassFolder) -> dict[str, list[str]]:
    """What each machine's steps have noted, in order."""
    return {login: folder.root(login, "cat /srv/runs").split() for login in LOGINS}


def assert_all_well(folder: ClassFolder) -> None:
    """`lab up` gets everybody there, leaves nothing behind, and then has nothing more to do."""
    folder.lab("up", "--wait", "30s")
    rows = folder.json("up")["machines"]
    assert [(row["login"], row["ok"], row["changed"]) for row in rows] == [
        (login, True, False) for login in LOGINS
    ]
    assert sorted(folder.guests()) == sorted(container(folder, login) for login in LOGINS)
    for path in (folder.path / ".lab").rglob("*.json"):
        json.loads(path.read_text())


def ended(child: subprocess.Popen[str]) -> tuple[int, Any]:
    """The exit code of `lab up --format json`, and what it says of each student."""
    out, err = child.communicate(timeout=180)
    assert out, err
    return child.returncode, {row["login"]: row for row in json.loads(out)["machines"]}


def test_the_machines_of_a_vagrant_that_is_killed_come_up_all_the_same(
    school: ClassFolder, start: Start
) -> None:
    child = start(school, "up", "--format", "json")

    def vagrants_of_all() -> list[int]:
        wanted = {f"school-{login}" for login in LOGINS}
        return [pid for pid, words in vagrants(child.pid).items() if machines_in(words) == wanted]

    wait_until(lambda: vagrants_of_all() and running(school), "a machine boots")
    for pid in vagrants_of_all():
        os.kill(pid, signal.SIGKILL)
    # Whom Vagrant died of is not known: each machine has a Vagrant of its own then.
    wait_until(
        lambda: {"school-luis"} in [machines_in(words) for words in vagrants(child.pid).values()],
        "there is a Vagrant for one machine",
    )
    code, rows = ended(child)

    assert code == 0
    assert {login: row["ok"] for login, row in rows.items()} == dict.fromkeys(LOGINS, True)
    assert_all_well(school)
    assert runs(school) == {login: ["first", "slow", "last"] for login in LOGINS}


def test_a_lab_that_is_killed_while_steps_run_is_taken_up_by_the_next(
    school: ClassFolder, start: Start
) -> None:
    edit_slow(school)
    forget_logs(school)
    child = start(school, "up")
    wait_until(lambda: all(is_in_slow(school, login) for login in LOGINS), "all are in `slow`")
    child.kill()
    child.communicate()

    assert_all_well(school)
    assert runs(school) == {login: ["first", "slow", "last", "slow", "last"] for login in LOGINS}


def test_a_guest_that_is_killed_in_a_step_fails_alone(school: ClassFolder, start: Start) -> None:
    before = runs(school)
    edit_slow(school)
    forget_logs(school)
    child = start(school, "up", "--format", "json")
    wait_until(lambda: is_in_slow(school, "luis"), "luis is in `slow`")
    kill_guest(container(school, "luis"))
    code, rows = ended(child)

    assert code == 1
    assert {login: row["ok"] for login, row in rows.items()} == {
        "ana": True,
        "luis": False,
        "marta": True,
    }
    assert rows["luis"]["message"] == "No SSH connection to school-luis"
    assert rows["luis"]["retry"] == "lab up school/luis"
    school.lab("up", "luis")
    assert runs(school) == {login: [*before[login], "slow", "last"] for login in LOGINS}
    assert_all_well(school)


def test_after_a_power_cut_everybody_comes_back(school: ClassFolder, start: Start) -> None:
    before = runs(school)
    edit_slow(school)
    forget_logs(school)
    kill_guest(container(school, "ana"))
    child = start(school, "up")
    wait_until(lambda: any(is_in_slow(school, login) for login in LOGINS), "somebody is in `slow`")
    kill_all(child)
    for name in running(school):
        kill_guest(name)

    assert_all_well(school)
    assert runs(school) == {login: [*before[login], "slow", "last"] for login in LOGINS}


def test_two_classes_come_up_at_once_on_one_host(
    school: ClassFolder, start: Start, new_class: Callable[[str, str], ClassFolder]
) -> None:
    school.lab("destroy", "--yes")
    other = new_school(new_class, "other")
    children = [start(folder, "up", "--format", "json") for folder in (school, other)]
    both = [ended(child) for child in children]

    assert [code for code, _ in both] == [0, 0]
    addresses = [row["ip"] for _, rows in both for row in rows.values()]
    assert len(set(addresses)) == len(addresses) == 2 * len(LOGINS)
    for folder in (school, other):
        assert runs(folder) == {login: ["first", "slow", "last"] for login in LOGINS}
