"""A disk that is full or read-only, wherever lab writes: the old file is intact, and the path is named."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lab.errors import NOT_ALL_WELL, OK

Lab = Callable[..., Any]
Disk = Callable[[Path], None]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk to fill")


class Mounts:
    """Disks of a test's own, gone at its end."""

    def __init__(self) -> None:
        self._made: list[Path] = []

    def mount(self, folder: Path, *words: str) -> None:
        subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, check=True)
        self._made.append(folder)

    def small(self, folder: Path) -> None:
        """Put a folder, with what is in it, on a disk that has no room left."""
        found = {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }
        folders = [path.relative_to(folder) for path in folder.rglob("*") if path.is_dir()]
        self.mount(folder, "-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs")
        for name in folders:
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, content in found.items():
            (folder / name).write_bytes(content)
        for size in (4096, 1):
            with suppress(OSError), (folder / ".filler").open("ab", buffering=0) as filler:
                while True:
                    filler.write(b"x" * size)

    def read_only(self, folder: Path) -> None:
        """Make a folder a disk that takes nothing."""
        self.mount(folder, "--bind", str(folder))
        self.mount(folder, "-o", "remount,bind,ro")
        self._made.pop()

    def bind(self, source: Path, folder: Path) -> None:
        """Have a folder show another one, as it is where that one is."""
        self.mount(folder, "--bind", str(source))

    def undo(self) -> None:
        for folder in reversed(self._made):
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def mounts() -> Iterator[Mounts]:
    made = Mounts()
    yield made
    made.undo()


@pytest.fixture(params=["full", "read-only"])
def trouble(request: pytest.FixtureRequest, mounts: Mounts) -> tuple[Disk, str]:
    """A way to spoil a folder, and what the system calls it."""
    kinds = {"full": (mounts.small, errno.ENOSPC), "read-only": (mounts.read_only, errno.EROFS)}
    spoil, number = kinds[request.param]
    return spoil, os.strerror(number)


def contents(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".filler"
    }


@needs_root
def test_state_that_cannot_be_written_stays_as_it_was(
    lab: Lab, world: Any, trouble: tuple[Disk, str]
) -> None:
    spoil, why = trouble
    lab("up")
    state = world.project / ".lab/state"
    before = contents(state)
    spoil(state)
    world.fault(steps={"hello-luis": "app"})

    ran = lab("provision", "--force")

    assert ran.code == NOT_ALL_WELL
    assert f"{state}/machines/hello-" in ran.said
    assert why in ran.said
    assert "intact" in ran.said
    assert contents(state) == before
    assert lab("status").code == OK


@needs_root
def test_a_new_class_on_a_bad_disk_is_not_begun(
    lab: Lab, world: Any, trouble: tuple[Disk, str]
) -> None:
    spoil, why = trouble
    state = world.project / ".lab/state"
    state.mkdir(parents=True)
    spoil(state)

    ran = lab("up")

    assert ran.code == NOT_ALL_WELL
    assert f"{state}/project.json could not be written: {why}" in ran.said
    assert world.guests == {}
    assert world.calls("vagrant") == []


@needs_root
def test_a_vagrantfile_that_cannot_be_written_stays_as_it_was(
    lab: Lab,
    world: Any,
    trouble: tuple[Disk, str],
    mounts: Mounts,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoil, why = trouble
    lab("up")
    before = (world.project / "Vagrantfile").read_text()
    world.edit("marta]", "marta, eva]")
    # What lab keeps is on a good disk, so that nothing but the Vagrantfile cannot be written.
    shutil.copytree(world.project / ".lab", tmp_path / "kept")
    spoil(world.project)
    mounts.bind(tmp_path / "kept", world.project / ".lab")
    monkeypatch.chdir(world.project)

    ran = lab("up", "--no-bake")

    assert ran.code == NOT_ALL_WELL
    assert f"{world.project}/Vagrantfile could not be written: {why}" in ran.said
    assert (world.project / "Vagrantfile").read_text() == before
    assert set(world.guests) == {"hello-ana", "hello-luis", "hello-marta"}


@needs_root
def test_a_verify_that_cannot_be_kept_leaves_the_earlier_ones(
    lab: Lab, world: Any, trouble: tuple[Disk, str]
) -> None:
    spoil, why = trouble
    lab("up", "ana")
    lab("verify", "ana")
    runs = world.project / ".lab/runs"
    before = contents(runs)
    spoil(runs)

    ran = lab("verify", "ana")

    assert ran.code == NOT_ALL_WELL
    assert f"{runs}/" in ran.said
    assert why in ran.said
    assert contents(runs) == before
    # What was found is shown all the same.
    assert "Ana Núñez" in ran.out


@needs_root
def test_a_report_that_cannot_be_written_leaves_the_earlier_one(
    lab: Lab, world: Any, trouble: tuple[Disk, str]
) -> None:
    spoil, why = trouble
    lab("up", "ana")
    pages = world.project / "pages"
    pages.mkdir()
    assert lab("verify", "ana", "--output", "pages/report.html").code == OK
    before = contents(pages)
    spoil(pages)

    for command in ("report", "verify"):
        ran = lab(command, "ana", "--output", "pages/report.html")

        assert (ran.code, ran.out) == (NOT_ALL_WELL, "")
        assert f"{pages}/report.html could not be written: {why}" in ran.said
        assert contents(pages) == before
    attempts = lab("history", "ana", "--format", "json").json["labs"][0]["attempts"]
    assert len(attempts) == 2


@pytest.mark.parametrize("log", ["hello-ana.log", "vagrant.log", "verify.log"])
def test_a_log_on_a_full_disk_is_named(lab: Lab, world: Any, log: str) -> None:
    lab("up", "luis")
    path = world.project / ".lab/logs" / log
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/full")
    world.add_check('print("said while it is read")\n')
    if log == "vagrant.log":
        # Else the machine may be ready before anybody notices.
        world.fault(vagrant__up={"stderr": "Bringing machine up\n"})

    ran = lab("verify", "luis") if log == "verify.log" else lab("up", "ana")

    assert ran.code == NOT_ALL_WELL
    assert f"The log {path} could not be written: No space left on device" in ran.said
    for record in (world.project / ".lab/state").rglob("*.json"):
        json.loads(record.read_text())
    path.unlink()
    world.fault()
    assert lab("up", "ana").code == OK
