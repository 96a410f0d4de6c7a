"""The script that keeps a guest's disk and puts it back: what it does, and what cutting it off leaves."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.machines.boxes.libvirt import KEEP_DISK as LIBVIRT
from lab.machines.boxes.lxc import KEEP_DISK as LXC
from lab.machines.providers.kept_disks import KEEP_DISK

Program = Callable[[str, str], Path]
NAME = "lab-c0ffee-hello-ana"
OTHER = "lab-c0ffee-hello-luis"
# As qemu-img says it; newer ones tell of the file below, too.
INFO = """\
{
    "children": [
        {
            "info": {
                "virtual-size": 197120
            }
        }
    ],
    "backing-filename-format": "qcow2",
    "virtual-size": 8589934592,
    "full-backing-filename": "/images/base image.img",
    "format": "qcow2"
}
"""
QEMU_IMG = """\
echo "$*" >>{here}/qemu-img.calls
case $1 in
info) cat {here}/info.json ;;
create) : >"$9" ;;
esac
"""
VIRSH = """\
state=$(cat {here}/state)
case "$*" in
*domstate*) case $state in RUNNING) echo running ;; FROZEN) echo paused ;; *) echo shut off ;; esac ;;
*suspend*) echo FROZEN >{here}/state ;;
*resume*) [ "$state" != FROZEN ] || echo RUNNING >{here}/state ;;
esac
"""
# Kills the script, and all that it runs, before the command that is counted to.
KILLER = """
set -T
trap 'at=$((${at:-0} + 1)); [ "$at" != "$KILL_AT" ] || kill -9 0' DEBUG
"""


@dataclass(frozen=True)
class Guest:
    """A guest's folder, its disk, and what its provider says of it in a file."""

    root: Path
    provider: Path
    folder: Path
    disk: Path
    mark: str

    @property
    def state(self) -> str:
        return (self.root / "state").read_text().strip()

    def be(self, state: str) -> None:
        (self.root / "state").write_text(f"{state}\n")

    def leave_free(self, megabytes: int) -> None:
        """From now on the host's disk has that much free."""
        (self.root / "free").write_text(f" Avail\n{megabytes}M\n")

    def work_on(self, disk: Path) -> Path:
        """What its student has on a disk; that of a fresh clone has none, or is an empty image."""
        return disk if self.provider == LIBVIRT else disk / "home" / "work"

    def held_by(self, disk: Path) -> str:
        work = self.work_on(disk)
        return work.read_text() if work.exists() else ""

    @property
    def holds(self) -> str:
        return self.held_by(self.disk)

    def hold(self, text: str) -> None:
        work = self.work_on(self.disk)
        work.parent.mkdir(parents=True, exist_ok=True)
        work.write_text(text)

    @property
    def identity(self) -> str:
        mark = self.folder / self.mark
        return mark.read_text() if mark.exists() else ""

    def become(self, identity: str) -> None:
        (self.folder / self.mark).unlink(missing_ok=True)
        (self.folder / self.mark).write_text(identity)

    @property
    def kept(self) -> dict[str, str]:
        """What its student had in each snapshot."""
        told = self.run("list", "lab-c0ffee-").stdout.splitlines()
        names = [line.split()[1] for line in told]
        return {it: self.held_by(self.folder / "snapshots" / it / "disk") for it in names}

    @property
    def left_over(self) -> list[str]:
        """What no guest has that nobody is at work on."""
        known = {"config", "delta", self.mark, "snapshots"}
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
            ["bash", str(KEEP_DISK), str(self.provider), *words],
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
def in_container(tmp_path: Path, program: Program) -> Guest:
    """A container that runs, with its student's work on it."""
    here = shlex.quote(str(tmp_path))
    program("lxc-config", f"echo {here}/lxc")
    program("lxc-info", f"cat {here}/state")
    program("lxc-freeze", f"echo FROZEN >{here}/state")
    program("lxc-unfreeze", f'[ "$(cat {here}/state)" != FROZEN ] || echo RUNNING >{here}/state')
    program("df", f"cat {here}/free")
    folder = tmp_path / "lxc" / NAME
    folder.mkdir(parents=True)
    (folder / "config").write_text(f"lxc.rootfs.path = overlay:/root:{folder}/delta\n")
    return ready(Guest(tmp_path, LXC, folder, folder / "delta", "seeded"))


@pytest.fixture
def in_vm(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> Guest:
    """A full machine that runs, with its student's work on its image."""
    here = shlex.quote(str(tmp_path))
    monkeypatch.setenv("LAB_LIBVIRT_FOLDER", str(tmp_path / "libvirt"))
    program("virsh", VIRSH.format(here=here))
    program("qemu-img", QEMU_IMG.format(here=here))
    program("df", f"cat {here}/free")
    (tmp_path / "info.json").write_text(INFO)
    folder = tmp_path / "libvirt/guests" / NAME
    disk = tmp_path / "libvirt/images" / f"{NAME}.img"
    for path in (folder, disk.parent):
        path.mkdir(parents=True)
    return ready(Guest(tmp_path, LIBVIRT, folder, disk, "identity"))


def ready(guest: Guest) -> Guest:
    guest.leave_free(10_000)
    guest.become("first\n")
    guest.hold("work")
    guest.be("RUNNING")
    return guest


@pytest.fixture(params=["in_container", "in_vm"])
def guest(request: pytest.FixtureRequest) -> Guest:
    """One of either kind."""
    made = request.getfixturevalue(request.param)
    assert isinstance(made, Guest)
    return made


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert happened()


def test_what_is_saved_comes_back_with_its_identity(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    assert guest.state == "RUNNING"
    guest.hold("broken")
    guest.be("STOPPED")
    guest.become("second\n")
    guest.run("restore", NAME, "good", "before")
    assert (guest.holds, guest.identity) == ("work", "first\n")
    assert guest.kept == {"good": "work", "before": "broken"}
    assert (guest.folder / "snapshots/before" / guest.mark).read_text() == "second\n"
    assert guest.left_over == []


def test_what_was_there_is_dropped_when_that_is_wanted(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    guest.hold("broken")
    guest.be("STOPPED")
    guest.run("restore", NAME, "good")
    assert (guest.holds, guest.kept, guest.left_over) == ("work", {"good": "work"}, [])


@pytest.fixture
def unremovable(guest: Guest, program: Program) -> Path:
    """What was there is not to be removed while this file is there."""
    stuck = guest.root / "stuck"
    refuse = "echo 'rm: cannot remove: Operation not permitted' >&2; exit 1"
    script = f'[ ! -e {stuck} ] || case "$*" in *gone*) {refuse} ;; esac'
    program("rm", f'{script}\nPATH=${{PATH#*:}} exec rm "$@"')
    program("chattr", f'echo "$*" >>{guest.root}/chattr.calls')
    guest.run("save", NAME, "good")
    guest.hold("broken")
    guest.be("STOPPED")
    stuck.touch()
    return stuck


def test_what_root_in_a_guest_made_immutable_is_removed(
    guest: Guest, unremovable: Path, program: Program
) -> None:
    program("chattr", f'echo "$*" >>{guest.root}/chattr.calls; /bin/rm {unremovable}')
    done = guest.run("restore", NAME, "good")
    assert (guest.holds, guest.left_over, done.stderr) == ("work", [], "")
    calls = (guest.root / "chattr.calls").read_text()
    assert re.fullmatch(rf"-R -f -i -a -- {guest.folder}/gone\.\w+\n", calls)


def test_what_cannot_be_removed_wedges_nothing(guest: Guest, unremovable: Path) -> None:
    done = guest.run("restore", NAME, "good")
    assert guest.holds == "work"
    assert f"keep-disk: not all of this could be removed: {guest.folder}/gone." in done.stderr
    for words in (("mend", NAME), ("renew", NAME, "kept"), ("restore", NAME, "kept")):
        assert "Operation not permitted" in guest.run(*words).stderr
    assert (guest.holds, len(guest.left_over)) == ("work", 2)
    unremovable.unlink()
    guest.run("mend", NAME)
    assert (guest.holds, guest.left_over) == ("work", [])


def test_a_snapshot_stays_what_it_is(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    guest.be("STOPPED")
    for text in ("one", "two"):
        guest.run("restore", NAME, "good")
        assert guest.holds == "work"
        guest.hold(text)
    assert guest.kept == {"good": "work"}


def test_a_fresh_clone_has_nothing_of_its_own_and_is_another(guest: Guest) -> None:
    guest.be("STOPPED")
    guest.run("renew", NAME, "before")
    assert (guest.holds, guest.kept) == ("", {"before": "work"})
    assert guest.identity != "first\n"
    assert guest.left_over == []
    # Of one that was not started since there is nothing to keep.
    guest.run("renew", NAME, "again")
    assert guest.kept == {"before": "work"}


def test_a_fresh_container_is_seeded_at_its_next_start(in_container: Guest) -> None:
    for name in ("work", "olwork"):
        (in_container.folder / name).mkdir()
    in_container.be("STOPPED")
    in_container.run("renew", NAME)
    assert (in_container.identity, in_container.left_over) == ("", [])
    assert in_container.disk.stat().st_mode & 0o777 == 0o755


def test_what_was_kept_comes_back_to_a_container_that_was_not_started_since(
    in_container: Guest,
) -> None:
    in_container.be("STOPPED")
    in_container.run("renew", NAME, "before")
    in_container.run("restore", NAME, "before", "again")
    assert (in_container.holds, in_container.identity) == ("work", "first\n")
    # Of what was there there is nothing to keep.
    assert (in_container.kept, in_container.left_over) == ({"before": "work"}, [])


def test_a_fresh_image_is_as_large_and_of_the_same_base(in_vm: Guest) -> None:
    in_vm.be("STOPPED")
    in_vm.run("renew", NAME)
    calls = (in_vm.root / "qemu-img.calls").read_text().splitlines()
    new = in_vm.folder / "next.part/disk"
    assert [line for line in calls if line.startswith("create")] == [
        f"create -q -f qcow2 -F qcow2 -b /images/base image.img {new} 8589934592"
    ]
    assert len(in_vm.identity) == 37
    assert in_vm.disk.stat().st_mode & 0o777 == 0o600


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
        (("restore", NAME, "good"), f"{NAME} is not stopped. Next: lab halt, and the same again"),
        (("renew", NAME), f"{NAME} is not stopped. Next: lab halt, and the same again"),
        (("restore", NAME, "bad"), f"{NAME} has no snapshot bad"),
        (("delete", NAME, "bad"), f"{NAME} has no snapshot bad"),
        (("save", OTHER, "good"), f"there is no guest {OTHER}"),
    ],
)
def test_what_cannot_be_is_refused(guest: Guest, words: tuple[str, ...], why: str) -> None:
    guest.run("save", NAME, "good")
    done = guest.run(*words, check=False)
    assert (done.returncode, done.stderr) == (1, f"keep-disk: {why}\n")
    assert (guest.holds, guest.kept) == ("work", {"good": "work"})


def test_a_name_that_is_taken_keeps_what_was_there(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    guest.hold("more")
    guest.be("STOPPED")
    done = guest.run("renew", NAME, "good", check=False)
    assert (done.returncode, done.stderr) == (
        1,
        f"keep-disk: {NAME} has a snapshot good already\n",
    )
    guest.run("mend", NAME)
    assert (guest.holds, guest.identity) == ("more", "first\n")
    assert (guest.kept, guest.left_over) == ({"good": "work"}, [])


def test_a_disk_that_is_elsewhere_is_left_alone(in_container: Guest, tmp_path: Path) -> None:
    guest = in_container
    (guest.folder / "config").write_text(f"lxc.rootfs.path = overlay:/root:{tmp_path}\n")
    guest.be("STOPPED")
    done = guest.run("renew", NAME, check=False)
    assert done.returncode == 1
    assert "which lab knows nothing of" in done.stderr
    assert guest.holds == "work"


def test_a_guest_without_an_overlay_is_saved_and_restored_and_not_made_fresh(
    in_container: Guest,
) -> None:
    guest = in_container
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


def test_who_cannot_be_made_fresh_is_known_while_it_runs(guest: Guest) -> None:
    assert guest.run("bound", NAME).stdout == ""
    (guest.folder / "config").write_text(f"lxc.rootfs.path = {guest.disk}\n")
    (guest.root / "info.json").write_text("{}")
    told = guest.run("bound", NAME).stdout
    assert told.startswith(f"{NAME} {NAME} is no clone ")
    assert told.endswith(": only making it anew makes it fresh\n")
    assert (guest.state, guest.left_over) == ("RUNNING", [])
    assert not (guest.folder / "snapshots").exists()


def test_a_guest_that_cannot_be_copied_goes_on(guest: Guest, program: Program) -> None:
    program("cp", "echo 'cp: No space left on device' >&2; exit 1")
    done = guest.run("save", NAME, "good", check=False)
    assert (done.returncode, done.stderr) == (1, "cp: No space left on device\n")
    wait_until(lambda: guest.state == "RUNNING")
    assert (guest.kept, guest.left_over) == ({}, [])


def test_nothing_is_copied_where_too_little_would_stay_free(guest: Guest) -> None:
    guest.run("save", NAME, "good")
    guest.hold("more")
    # There is room for the copy, and for little else.
    guest.leave_free(4096)
    done = guest.run("save", NAME, "better", check=False)
    assert done.returncode == 1
    assert re.fullmatch(
        r"keep-disk: No space left for a copy of \d MB: 4096 MB are free, of which 4096 MB stay so\n",
        done.stderr,
    )
    assert guest.state == "RUNNING"
    guest.be("STOPPED")
    done = guest.run("restore", NAME, "good", "before", check=False)
    assert (done.returncode, "No space left" in done.stderr) == (1, True)
    assert (guest.holds, guest.kept, guest.left_over) == ("more", {"good": "work"}, [])
    # Nothing is copied to make it fresh.
    guest.run("renew", NAME, "before")
    assert guest.kept == {"good": "work", "before": "more"}


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


def test_no_guest_is_frozen_before_somebody_is_there_to_thaw_it(
    guest: Guest, program: Program
) -> None:
    # On a busy computer.
    program("setsid", 'sleep 0.3; exec "$(PATH=${PATH#*:}; command -v setsid)" "$@"')
    for _ in guest.killed_everywhere("save", NAME, "good"):
        wait_until(lambda: guest.state == "RUNNING")
    assert guest.kept == {"good": "work"}


def test_no_container_is_frozen_after_it_was_thawed(in_container: Guest, program: Program) -> None:
    # In a group of its own, by `timeout`, it outlives the script.
    state = shlex.quote(str(in_container.root / "state"))
    script = "$(ps -o ppid= -p $PPID | tr -d ' ')"
    program("lxc-freeze", f"kill -9 -{script}; sleep 0.5; echo FROZEN >{state}; touch {state}.was")
    assert in_container.run("save", NAME, "good", check=False).returncode == -9
    wait_until((in_container.root / "state.was").exists)
    wait_until(lambda: in_container.state == "RUNNING")
    in_container.run("mend", NAME)
    assert (in_container.kept, in_container.left_over) == ({}, [])


@pytest.mark.parametrize("kept", [(), ("before",)])
def test_a_restore_that_is_killed_anywhere_is_done_or_not_done(
    guest: Guest, kept: tuple[str, ...]
) -> None:
    def become_another() -> None:
        guest.hold("mine")
        guest.become("second\n")

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
            assert guest.kept == {"before": "work"}
            assert guest.identity != "first\n"
            guest.run("restore", NAME, "before")
            guest.run("delete", NAME, "before")
        assert guest.left_over == [], at
    assert seen == {"work", ""}
