"""The script that keeps an LXC guest's disk and puts it back: what it does, and what cutting it off leaves."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.machines.boxes.lxc import SNAPSHOT_GUEST

Program = Callable[[str, str], Path]
NAME = "lab-c0ffee-hello-ana"
# Kills the script, and all that it runs, before the command that is counted to.
KILLER = """
set -T
trap 'at=$((${at:-0} + 1)); [ "$at" != "$KILL_AT" ] || kill -9 0' DEBUG
"""


@dataclass(frozen=True)
class Guest:
    """A guest's folder, and what LXC says of it in a file."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "lxc" / NAME

    @property
    def disk(self) -> Path:
        return self.folder / "delta"

    @property
    def state(self) -> str:
        return (self.root / "state").read_text().strip()

    def be(self, state: str) -> None:
        (self.root / "state").write_text(f"{state}\n")

    @property
    def holds(self) -> str:
        """What its student has on it; "" for a fresh clone."""
        work = self.disk / "home" / "work"
        return work.read_text() if work.exists() else ""

    def hold(self, text: str) -> None:
        (self.disk / "home").mkdir(exist_ok=True)
        (self.disk / "home" / "work").write_text(text)

    @property
    def identity(self) -> str:
        mark = self.folder / "seeded"
        return mark.read_text() if mark.exists() else ""

    @property
    def kept(self) -> dict[str, str]:
        """What its student had in each snapshot."""
        told = self.run("list", "lab-c0ffee-").stdout.splitlines()
        names = [line.split()[1] for line in told]
        works = {it: self.folder / "snapshots" / it / "disk/home/work" for it in names}
        return {it: path.read_text() if path.exists() else "" for it, path in works.items()}

    @property
    def left_over(self) -> list[str]:
        """What no guest has that nobody is at work on."""
        known = {"config", "delta", "seeded", "snapshots"}
        inside = [path.name for path in (self.folder / "snapshots").glob(".*")]
        return sorted({path.name for path in self.folder.iterdir()} - known) + sorted(
            set(inside) - {".lock"}
        )

    def run(
        self, *words: str, kill_at: int = 0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        killer = self.root / "killer"
        killer.write_text(KILLER if kill_at else "")
        done = subprocess.run(
            ["bash", str(SNAPSHOT_GUEST), *words],
            env={**os.environ, "BASH_ENV": str(killer), "KILL_AT": str(kill_at)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def killed_everywhere(self, *words: str) -> Iterator[int]:
        """Runs a command again and again, each time killed one step later, until it comes through."""
        for at in range(1, 1000):
            done = self.run(*words, kill_at=at, check=False)
            if done.returncode == 0:
                return
            assert done.returncode == -9, done.stderr
            yield at
        pytest.fail("it never came through")


@pytest.fixture
def guest(tmp_path: Path, program: Program) -> Guest:
    """A guest that runs, with its student's work on it."""
    here = shlex.quote(str(tmp_path))
    program("lxc-config", f"echo {here}/lxc")
    program("lxc-info", f"cat {here}/state")
    program("lxc-freeze", f"echo FROZEN >{here}/state")
    program("lxc-unfreeze", f'[ "$(cat {here}/state)" != FROZEN ] || echo RUNNING >{here}/state')
    made = Guest(tmp_path)
    made.disk.mkdir(parents=True)
    (made.folder / "config").write_text(f"lxc.rootfs.path = overlay:/root:{made.disk}\n")
    (made.folder / "seeded").write_text("first\n")
    made.hold("work")
    made.be("RUNNING")
    return made


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert happened()


def test_what_is_saved_comes_back_with_its_identity(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    assert guest.state == "RUNNING"
    guest.hold("broken")
    guest.be("STOPPED")
    (guest.folder / "seeded").unlink()
    (guest.folder / "seeded").write_text("second\n")
    guest.run("restore", NAME, "good", "before")
    assert (guest.holds, guest.identity) == ("work", "first\n")
    assert guest.kept == {"good": "work", "before": "broken"}
    assert (guest.folder / "snapshots/before/seeded").read_text() == "second\n"
    assert guest.left_over == []


def test_what_was_there_is_dropped_when_that_is_wanted(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    guest.hold("broken")
    guest.be("STOPPED")
    guest.run("restore", NAME, "good")
    assert (guest.holds, guest.kept, guest.left_over) == ("work", {"good": "work"}, [])


def test_a_snapshot_stays_what_it_is(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    guest.be("STOPPED")
    for text in ("one", "two"):
        guest.run("restore", NAME, "good")
        assert guest.holds == "work"
        guest.hold(text)
    assert guest.kept == {"good": "work"}


def test_a_fresh_clone_has_nothing_of_its_own_and_no_identity(guest: Guest) -> None:
    for name in ("work", "olwork"):
        (guest.folder / name).mkdir()
    guest.be("STOPPED")
    guest.run("renew", NAME, "before")
    assert (guest.holds, guest.identity, guest.kept) == ("", "", {"before": "work"})
    assert guest.disk.stat().st_mode & 0o777 == 0o755
    assert guest.left_over == []
    # Of one that was not started since there is nothing to keep.
    guest.run("renew", NAME, "again")
    assert guest.kept == {"before": "work"}


def test_what_is_saved_again_takes_the_place_of_the_first(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    guest.hold("better")
    guest.run("save", NAME, "good")
    assert (guest.kept, guest.left_over) == ({"good": "better"}, [])


def test_a_snapshot_that_is_deleted_is_gone(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    guest.run("delete", NAME, "good")
    assert (guest.kept, guest.left_over, guest.holds) == ({}, [], "work")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("restore", NAME, "good"), f"{NAME} is not stopped"),
        (("renew", NAME), f"{NAME} is not stopped"),
        (("restore", NAME, "bad"), f"{NAME} has no snapshot bad"),
        (("delete", NAME, "bad"), f"{NAME} has no snapshot bad"),
        (("save", "lab-c0ffee-hello-luis", "good"), "there is no guest lab-c0ffee-hello-luis"),
    ],
)
def test_what_cannot_be_is_refused(guest: Guest, words: tuple[str, ...], why: str) -> None:
    guest.run("save", NAME, "good")
    done = guest.run(*words, check=False)
    assert (done.returncode, done.stderr) == (1, f"snapshot-guest: {why}\n")
    assert (guest.holds, guest.kept) == ("work", {"good": "work"})


def test_a_name_that_is_taken_keeps_what_was_there(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    guest.hold("more")
    guest.be("STOPPED")
    done = guest.run("renew", NAME, "good", check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"snapshot-guest: {NAME} has a snapshot good already\n",
    )
    guest.run("mend", NAME)
    assert (guest.holds, guest.identity) == ("more", "first\n")
    assert (guest.kept, guest.left_over) == ({"good": "work"}, [])


def test_a_disk_that_is_elsewhere_is_left_alone(guest: Guest, tmp_path: Path) -> None:
    (guest.folder / "config").write_text(f"lxc.rootfs.path = overlay:/root:{tmp_path}\n")
    guest.be("STOPPED")
    done = guest.run("renew", NAME, check=False)
    assert done.returncode == 1
    assert "which lab knows nothing of" in done.stderr
    assert tmp_path.exists()


def test_a_guest_without_an_overlay_is_saved_and_restored_and_not_made_fresh(guest: Guest) -> None:
    root = guest.folder / "rootfs"
    guest.disk.rename(root)
    (guest.folder / "config").write_text(f"lxc.rootfs.path = dir:{root}\n")
    guest.be("STOPPED")
    guest.run("save", NAME, "good")
    (root / "home/work").write_text("broken")
    guest.run("restore", NAME, "good")
    assert (root / "home/work").read_text() == "work"
    done = guest.run("renew", NAME, check=False)
    assert (done.returncode, (root / "home/work").read_text()) == (1, "work")
    assert "is no clone that shares a box of lab's" in done.stderr


def test_a_guest_that_cannot_be_copied_goes_on(guest: Guest, program: Program) -> None:
    program("cp", "echo 'cp: No space left on device' >&2; exit 1")
    done = guest.run("save", NAME, "good", check=False)
    assert (done.returncode, done.stderr) == (1, "cp: No space left on device\n")
    wait_until(lambda: guest.state == "RUNNING")
    assert (guest.kept, guest.left_over) == ({}, [])


def test_a_guest_is_frozen_while_it_is_copied(guest: Guest, program: Program) -> None:
    state = shlex.quote(str(guest.root / "state"))
    program("cp", f'cat {state} >>{state}.seen; PATH=${{PATH#*:}} exec cp "$@"')
    guest.run("save", NAME, "good")
    assert (guest.root / "state.seen").read_text() == "FROZEN\n"
    assert guest.state == "RUNNING"


def test_a_save_that_is_killed_anywhere_leaves_a_guest_that_runs_and_no_half_of_a_snapshot(
    guest: Guest,
) -> None:
    guest.run("save", NAME, "good")
    guest.hold("better")
    last = 0
    for at in guest.killed_everywhere("save", NAME, "good"):
        last = at
        wait_until(lambda: guest.state == "RUNNING")
        assert set(guest.kept.values()) <= {"work", "better"}
        guest.run("mend", NAME)
        assert guest.kept in ({"good": "work"}, {"good": "better"})
        assert (guest.holds, guest.identity, guest.left_over) == ("better", "first\n", [])
    assert last > 30
    assert guest.kept == {"good": "better"}


@pytest.mark.parametrize("kept", [(), ("before",)])
def test_a_restore_that_is_killed_anywhere_is_done_or_not_done(
    guest: Guest, kept: tuple[str, ...]
) -> None:
    def become_another() -> None:
        guest.hold("mine")
        (guest.folder / "seeded").unlink()
        (guest.folder / "seeded").write_text("second\n")

    guest.run("save", NAME, "good")
    guest.be("STOPPED")
    become_another()
    seen = set()
    for _ in guest.killed_everywhere("restore", NAME, "good", *kept):
        guest.run("mend", NAME)
        seen.add(guest.holds)
        assert guest.left_over == []
        assert guest.identity == ("first\n" if guest.holds == "work" else "second\n")
        if guest.holds == "mine":
            assert guest.kept == {"good": "work"}
        else:
            assert guest.kept == {"good": "work", **dict.fromkeys(kept, "mine")}
            become_another()
            for name in kept:
                guest.run("delete", NAME, name)
    assert seen == {"mine", "work"}


def test_a_renewal_that_is_killed_anywhere_is_done_or_not_done(guest: Guest) -> None:
    guest.be("STOPPED")
    (guest.folder / "snapshots").mkdir()
    seen = set()
    for at in guest.killed_everywhere("renew", NAME, "before"):
        guest.run("mend", NAME)
        seen.add(guest.holds)
        if guest.holds:
            assert (guest.identity, guest.kept) == ("first\n", {})
        else:
            assert (guest.identity, guest.kept) == ("", {"before": "work"})
            guest.run("restore", NAME, "before")
            guest.run("delete", NAME, "before")
        assert guest.left_over == [], at
    assert seen == {"work", ""}
