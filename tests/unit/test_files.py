"""Files that are whole or not there, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.errors import LabError
from lab.system import files
from lab.system.files import (
    LabFolder,
    make_private_folder,
    read_json,
    write_atomically,
    write_if_changed,
    write_json,
    write_private,
)


def test_a_file_is_written_with_its_folders_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "ñ.txt"
    write_atomically(path, "año\n", mode=0o600)
    assert path.read_bytes() == "año\n".encode()
    assert path.stat().st_mode & 0o777 == 0o600
    write_atomically(path, "new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in path.parent.iterdir()] == ["ñ.txt"]


def test_only_what_has_changed_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    assert write_if_changed(path, "one")
    before = path.stat()
    assert not write_if_changed(path, "one")
    assert path.stat() == before
    assert write_if_changed(path, "two")
    assert path.read_text() == "two"


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_what_is_on_its_way_is_nobody_elses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    modes = []
    sync = os.fsync

    def look(file: int) -> None:
        modes.append(os.fstat(file).st_mode & 0o777)
        sync(file)

    opened = os.open

    def open_and_look(*words: Any, **more: Any) -> int:
        file = opened(*words, **more)
        modes.append(os.fstat(file).st_mode & 0o777)
        return file

    monkeypatch.setattr(files.os, "fsync", look)
    monkeypatch.setattr(files.os, "open", open_and_look)
    before = os.umask(0)
    try:
        write_atomically(tmp_path / "a.txt", "one", mode=mode)
    finally:
        os.umask(before)
    assert modes == [0o600, mode]


def test_where_nobody_may_say_a_mode_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_the_owner(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    for call in ("chmod", "fchmod"):
        monkeypatch.setattr(files.os, call, not_the_owner)
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a.txt", "one", mode=None)
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").read_text() == "one"
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_private_file_is_written_once_and_closed_where_it_was_open(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    write_private(path, b"\xff")
    before = path.stat()
    write_private(path, b"\xff")
    assert path.stat() == before
    path.chmod(0o640)
    write_private(path, b"\xff")
    assert path.stat().st_mode & 0o777 == 0o600
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    write_private(path, "new")
    assert not path.is_symlink()
    assert not (tmp_path / "elsewhere").exists()


def test_a_private_folder_is_closed_and_no_matter_of_gits(tmp_path: Path) -> None:
    path = tmp_path / "handouts" / "hello"
    path.mkdir(parents=True, mode=0o777)
    make_private_folder(path)
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / ".gitignore").read_text() == "*\n"


def test_what_is_no_utf8_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "Vagrantfile"
    path.write_bytes(b"# a\xf1o\n")
    assert write_if_changed(path, "one")


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_a_full_disk_leaves_the_old_file_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, call, full)
    with pytest.raises(LabError) as caught:
        write_atomically(path, "new")
    assert caught.value.message == f"{path} could not be written: No space left on device"
    assert "intact" in caught.value.hint
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_text_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    with pytest.raises(LabError, match="surrogates not allowed") as caught:
        write_atomically(path, "name: a\udcf1o")
    assert str(path) in caught.value.message
    assert caught.value.details == r"After 'name: a' comes '\udcf1'."
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_in_the_place_of_lab_s_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / ".lab").touch()
    with pytest.raises(LabError, match=f"The folder {tmp_path}/.lab could not be made"):
        LabFolder(tmp_path).create()
    with pytest.raises(LabError, match=f"{tmp_path}/.lab/a.json could not be read"):
        read_json(tmp_path / ".lab" / "a.json")


def test_a_path_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "state.json"
    with pytest.raises(LabError) as caught:
        write_atomically(path, "new")
    assert str(path) in caught.value.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into any folder")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(LabError) as caught:
            write_atomically(path, "new")
    finally:
        tmp_path.chmod(0o700)
    assert caught.value.message == f"{path} could not be written: Permission denied"
    assert path.read_text() == "old"


def test_a_crash_before_the_renaming_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"old": True})
    script = (
        "import os, pathlib, sys\n"
        "from lab.system.files import write_json\n"
        "pathlib.Path.replace = lambda *_: os._exit(9)\n"
        "write_json(pathlib.Path(sys.argv[1]), {'new': True})\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert done.returncode == 9
    assert read_json(path) == {"old": True}
    write_json(path, {"newer": True})
    assert read_json(path) == {"newer": True}


@pytest.mark.usefixtures("everywhere")
def test_what_a_killed_lab_left_half_written_is_swept(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path)
    folder.sweep()
    folder.create()
    with subprocess.Popen(["true"]) as dead:
        pass
    left = [
        folder.state / f".project.json.{dead.pid}-0a1b2c3d.new",
        folder.ssh / f".admin.{dead.pid}-0a1b2c3d.new.pub",
        tmp_path / f".Vagrantfile.{dead.pid}-0a1b2c3d.new",
    ]
    others = [
        # Somebody's own, and what a lab is writing just now.
        tmp_path / ".vimrc.new",
        tmp_path / "deeper" / f".Vagrantfile.{dead.pid}-0a1b2c3d.new",
        folder.ssh / f".config.{os.getpid()}-0a1b2c3d.new",
    ]
    for path in (*left, *others):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    folder.sweep()
    assert [path for path in (*left, *others) if path.exists()] == others


def test_what_is_removed_need_not_be_there(tmp_path: Path) -> None:
    (tmp_path / "keys" / "deep").mkdir(parents=True)
    (tmp_path / "keys" / "deep" / "a").touch()
    (tmp_path / "keys" / "link").symlink_to(tmp_path / "other")
    (tmp_path / "other").mkdir()
    for _ in range(2):
        files.remove_tree(tmp_path / "keys")
        files.remove(tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == [tmp_path / "other"]
    with pytest.raises(LabError, match=f"{tmp_path}/other could not be removed"):
        files.remove(tmp_path / "other")


def test_json_is_written_for_people_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"name": "Núñez", "steps": [1]})
    assert path.read_text() == '{\n  "name": "Núñez",\n  "steps": [\n    1\n  ]\n}\n'
    assert read_json(path) == {"name": "Núñez", "steps": [1]}


def test_no_file_holds_nothing(tmp_path: Path) -> None:
    assert read_json(tmp_path / "none.json") == {}


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"[1]", b"null", b"\xff\xfe", b"\0\0\0\0"])
def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(LabError) as caught:
        read_json(path)
    assert caught.value.message.startswith(f"{path} is damaged: ")
    assert f"mv {path} {path}.damaged" in caught.value.hint
    assert path.read_bytes() == content


def test_the_folder_is_closed_to_others_and_to_git(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path)
    for _ in range(2):
        folder.create()
    assert sorted(path.name for path in folder.root.iterdir()) == [
        ".gitignore",
        "logs",
        "runs",
        "ssh",
        "state",
    ]
    assert (folder.root / ".gitignore").read_text() == "*\n"
    for path in (folder.root, folder.state, folder.logs, folder.runs, folder.ssh):
        assert path.stat().st_mode & 0o777 == 0o700
    assert folder.machine_state("a-b") == tmp_path / ".lab/state/machines/a-b.json"
    assert folder.log_of("a-b") == tmp_path / ".lab/logs/a-b.log"
    assert folder.lock == tmp_path / ".lab/lock"
