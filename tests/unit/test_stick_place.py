"""Where a stick is: a folder that can be written, on no disk of this computer's own."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.errors import HostError, UsageError
from lab.machines import stick_place
from lab.machines.stick_place import (
    not_a_stick,
    require_folder,
    require_room,
    require_writable,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk")


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A disk in memory that takes little."""
    folder = tmp_path / "my usb"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    subprocess.run(words, check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_folder_that_is_there_will_do(tmp_path: Path) -> None:
    require_folder(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    require_folder(tmp_path / "link")


def test_what_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "none")
    said = {
        tmp_path / "file": f"{tmp_path}/file is a file, and no folder",
        tmp_path / "link": f"{tmp_path}/link is a file, and no folder",
        tmp_path / "file" / "usb": f"There is no folder {tmp_path}/file/usb",
        tmp_path / "none": f"There is no folder {tmp_path}/none",
        Path("/dev/null"): "/dev/null is a device, and no folder",
    }
    for path, words in said.items():
        with pytest.raises(UsageError) as caught:
            require_folder(path)
        assert caught.value.message == words
        assert "lsblk" in caught.value.hint


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_what_nobody_may_look_at_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def denied(path: Path, **_: bool) -> os.stat_result:
        raise OSError(number, os.strerror(number), str(path))

    (tmp_path / "usb").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", denied)
        for look in (require_folder, require_writable, not_a_stick):
            with pytest.raises(HostError) as caught:
                look(tmp_path / "usb")
            words = f"{tmp_path}/usb cannot be looked at: {os.strerror(number)}"
            assert caught.value.message == words
            assert f"findmnt -T {tmp_path}/usb" in caught.value.hint
        with pytest.raises(HostError, match="cannot be looked at"):
            require_room({tmp_path / "usb": 1}, hint="")


def test_a_trial_leaves_nothing(tmp_path: Path) -> None:
    require_writable(tmp_path)
    require_writable(tmp_path / "usb")
    (tmp_path / "boxes").mkdir()
    require_writable(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["boxes"]
    (tmp_path / "boxes").rmdir()
    (tmp_path / "boxes").touch()
    with pytest.raises(HostError, match=f"{tmp_path}/boxes cannot be written: Not a directory"):
        require_writable(tmp_path)


@needs_root
def test_a_disk_that_is_read_only_is_told_and_a_full_one_is_another_matter(mounted: Path) -> None:
    with suppress(OSError), (mounted / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)
    require_writable(mounted)
    assert [path.name for path in mounted.iterdir()] == ["filler"]
    subprocess.run(["mount", "-o", "remount,ro", str(mounted)], check=True)
    with pytest.raises(HostError) as caught:
        require_writable(mounted)
    assert caught.value.in_words() == (
        f"{mounted} cannot be written: Read-only file system\n"
        f"See how it is mounted, and for whom: findmnt -T '{mounted}'"
    )


@needs_root
def test_a_folder_in_memory_is_no_stick_s(mounted: Path) -> None:
    assert not_a_stick(mounted / "usb") == "in this computer's memory"


def test_places_of_this_computer_s_own_are_no_stick_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Vagrant's boxes are on it.
    assert not_a_stick(tmp_path) == "on the system's disk"
    assert not_a_stick(Path("/")) == "on the system's disk"
    monkeypatch.setattr(stick_place, "_device", lambda path: {tmp_path: 0x803}.get(path, 1))
    mounts = tmp_path / "mountinfo"
    monkeypatch.setattr(stick_place, "_MOUNTS", mounts)
    assert not_a_stick(tmp_path) == ""
    line = "36 35 8:3 / /media/usb rw,nosuid shared:1 - vfat /dev/sda3 rw\n"
    mounts.write_text(line)
    assert not_a_stick(tmp_path) == ""
    mounts.write_text(line.replace("vfat /dev/sda3", "tmpfs tmpfs"))
    assert not_a_stick(tmp_path) == "in this computer's memory"
