"""A stick: what is on it, how it is written so that it never looks whole by mistake, and what is wrong with it."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.machines import stick
from lab.machines.bakes import Need
from lab.machines.stick import read
from lab.machines.stick_list import Entry, StickFile

NEED = Need(guide="tiny", provider="lxc", box="lab/debian-12", identity="root-1", steps="c0ffee")


def entry(source: Path, name: str = "lab/debian-12", **more: object) -> Entry:
    given = {
        "provider": "lxc",
        "identity": "root-1",
        "recipe": "c0ffee",
        "needed_by": ("abc123/hello",),
    }
    files = stick.parts_of(source, name=name, provider="lxc", identity="root-1")
    return Entry(name=name, files=files, **(given | more))  # type: ignore[arg-type]


def write(folder: Path, *entries: tuple[Path, Entry]) -> None:
    stick.open_for_writing(folder)
    for source, it in entries:
        stick.copy_parts(source, folder, it.files)
    stick.finish(folder, [it for _, it in entries], lab_version="0.1.0")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "lab.box"
    path.write_bytes(os.urandom(10_000))
    return path


@pytest.fixture
def usb(tmp_path: Path, source: Path) -> Path:
    folder = tmp_path / "my stick"
    write(folder, (source, entry(source, serves=(NEED,), wheels=("flask-3.1.3-py3-none-any.whl",))))
    return folder


def box_on(folder: Path) -> Path:
    (path,) = (folder / "boxes").iterdir()
    return path


def why_not(folder: Path) -> str:
    with pytest.raises(LabError) as caught:
        read(folder)
    return caught.value.in_words()


def sign(folder: Path) -> None:
    """Make the checksums fit what is there, as somebody would who has a purpose."""
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS"
    )
    (folder / "SHA256SUMS").write_text(
        "".join(
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n"
            for path in paths
        )
    )


def edit(folder: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    document = json.loads((folder / "manifest.json").read_text())
    change(document)
    (folder / "manifest.json").write_text(json.dumps(document))
    sign(folder)


def test_what_was_written_is_read_again(usb: Path, source: Path) -> None:
    (found,) = read(usb)
    assert found == entry(source, serves=(NEED,), wheels=("flask-3.1.3-py3-none-any.whl",))
    assert box_on(usb).read_bytes() == source.read_bytes()
    assert stick.begun(usb) == {("lab/debian-12", "lxc"): found}
    assert stick.holds(usb, found)


def test_anybody_can_check_it_without_lab(usb: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=usb, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert [line.endswith(": OK") for line in done.stdout.splitlines()] == [True, True]


def test_it_is_written_where_nobody_but_the_owner_may_say_modes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_the_owner(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    # As on FAT that somebody else has mounted.
    for call in ("chmod", "fchmod"):
        monkeypatch.setattr(os, call, not_the_owner)
    it = entry(source)
    write(tmp_path / "usb", (source, it))
    assert read(tmp_path / "usb") == (it,)


def test_names_fit_any_file_system(source: Path) -> None:
    names = [
        file.path
        for name in ("lab/debian-12", "Lab/Debian-12", "own/ñandú?*:-1a2b", "..", "x" * 300)
        for file in entry(source, name=name).files
    ]
    assert all(re.fullmatch("boxes/[a-z0-9][-a-z0-9.]{0,120}", name) for name in names)
    # FAT takes Debian and debian for the same name.
    assert len(set(names)) == len(names)


def test_a_large_box_goes_in_parts(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stick, "PART_BYTES", 4096)
    it = entry(source)
    assert [file.size for file in it.files] == [4096, 4096, 1808]
    folder = tmp_path / "usb"
    write(folder, (source, it))
    parts = sorted((folder / "boxes").iterdir())
    assert b"".join(path.read_bytes() for path in parts) == source.read_bytes()
    assert read(folder) == (it,)


def test_parts_become_one_box_again_only_if_each_is_what_was_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stick, "PART_BYTES", 4096)
    it = entry(source)
    write(tmp_path / "usb", (source, it))
    stick.put_together(tmp_path / "usb", it.files, tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == source.read_bytes()
    (tmp_path / "usb" / it.files[1].path).write_bytes(b"x" * 4096)
    with pytest.raises(LabError, match="gives other bytes each time"):
        stick.put_together(tmp_path / "usb", it.files, tmp_path / "another")


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file may become larger in the block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_takes_no_more_is_not_taken_for_a_stick_that_cannot_be_read(
    usb: Path, source: Path, tmp_path: Path
) -> None:
    (it,) = read(usb)
    with files_end_at(4096), pytest.raises(LabError) as caught:
        stick.put_together(usb, it.files, tmp_path / "whole")
    assert caught.value.message == f"{tmp_path / 'whole'} could not be written: File too large"
    assert "Free some space there" in caught.value.hint
    box_on(usb).unlink()
    with files_end_at(4096), pytest.raises(LabError) as caught:
        stick.copy_parts(source, usb, it.files)
    assert caught.value.message == f"{usb / it.files[0].path} could not be written: File too large"
    assert list((usb / "boxes").iterdir()) == []


def test_a_part_that_cannot_be_read_is_named(usb: Path, tmp_path: Path) -> None:
    (it,) = read(usb)
    box_on(usb).unlink()
    (usb / it.files[0].path).mkdir()
    with pytest.raises(LabError) as caught:
        stick.put_together(usb, it.files, tmp_path / "whole")
    assert caught.value.message == f"{usb / it.files[0].path} could not be read: Is a directory"


def deny(monkeypatch: pytest.MonkeyPatch, below: Path, number: int) -> None:
    """From now on the system lets nobody look at what is in a folder."""
    look = Path.stat

    def denied(path: Path, **more: bool) -> os.stat_result:
        if below in path.parents:
            raise OSError(number, os.strerror(number), str(path))
        return look(path, **more)

    monkeypatch.setattr(Path, "stat", denied)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_stick_that_lets_nobody_look_is_told(
    usb: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    (it,) = read(usb)
    boxes = stick.not_needed(usb, [])
    deny(monkeypatch, usb, number)
    words = os.strerror(number)
    assert why_not(usb).startswith(f"{usb}/SHA256SUMS could not be read: {words}\nSee that")
    assert not stick.holds(usb, it)
    assert not stick.has_file(usb, it.files[0])
    with pytest.raises(LabError, match=f"{boxes[0].name} could not be read: {words}"):
        stick.bytes_of(boxes)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_box_that_lets_nobody_look_is_named(
    usb: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    deny(monkeypatch, usb / "boxes", number)
    assert f".box: it cannot be read: {os.strerror(number)}" in why_not(usb)


def test_a_stick_that_fails_while_it_is_written_is_told(
    usb: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (it,) = read(usb)

    def read_only(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    # As where the kernel gives up on it: nothing can be tidied up either.
    monkeypatch.setattr(Path, "replace", read_only)
    monkeypatch.setattr(Path, "unlink", read_only)
    with pytest.raises(LabError, match="could not be written: Read-only file system"):
        stick.copy_parts(source, usb, it.files)


def test_an_empty_folder_and_none_are_no_sticks(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        assert (
            why_not(folder).splitlines()[0]
            == f"{folder} is no finished stick: it has no SHA256SUMS"
        )
        assert "lab box export" in why_not(folder)


def test_while_it_is_written_it_is_not_whole(usb: Path, source: Path) -> None:
    stick.open_for_writing(usb)
    assert "Copying to it was interrupted." in why_not(usb)


def test_a_copy_that_is_cut_off_leaves_nothing_under_its_name(usb: Path, source: Path) -> None:
    it = entry(source)
    box_on(usb).unlink()
    source.write_bytes(b"x" * 9_999)
    with pytest.raises(LabError, match="has changed while it was copied"):
        stick.copy_parts(source, usb, it.files)
    assert list((usb / "boxes").iterdir()) == []


def test_what_a_killed_lab_left_goes_and_what_is_somebody_s_stays(usb: Path, source: Path) -> None:
    left = usb / "boxes/.lab-x.box.999999999-0123abcd.new"
    left.write_text("half")
    theirs = [usb / "holiday.jpg", usb / "boxes/notes.txt"]
    old = usb / "boxes/lab-old-lxc-0123456789ab.box"
    for path in (*theirs, old):
        path.write_text("x")
    (it,) = read(usb)
    stick.sweep_stick(usb)
    assert stick.not_needed(usb, [file.path for file in it.files]) == [old]
    assert not left.exists()
    assert all(path.exists() for path in theirs)
    assert stick.holds(usb, it)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit is flipped": (lambda usb: flip(box_on(usb)), ": it is not what was written"),
    "it is cut off": (lambda usb: os.truncate(box_on(usb), 4096), ": it is not what was written"),
    "it is longer": (
        lambda usb: append(box_on(usb), "x"),
        ": it is not what was written",
    ),
    "it is missing": (lambda usb: box_on(usb).unlink(), ": it is not there"),
    "the list is missing": (
        lambda usb: (usb / "manifest.json").unlink(),
        "manifest.json: it is not there",
    ),
    "the list is edited": (
        lambda usb: append(usb / "manifest.json", " "),
        "manifest.json: it is not what was written",
    ),
    "the sums are half": (
        lambda usb: os.truncate(usb / "SHA256SUMS", 40),
        "SHA256SUMS: line 1 is no checksum",
    ),
    "the sums are none": (
        lambda usb: (usb / "SHA256SUMS").write_bytes(b"\xff\x00\n"),
        "is no checksum",
    ),
    "the sums are empty": (
        lambda usb: (usb / "SHA256SUMS").write_text(""),
        "it is not in SHA256SUMS",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_named(usb: Path, damage: str) -> None:
    harm, said = DAMAGES[damage]
    harm(usb)
    told = why_not(usb)
    assert said in told
    assert "lab box export" in told


def test_all_damages_are_told_at_once(usb: Path) -> None:
    flip(box_on(usb))
    (usb / "manifest.json").unlink()
    assert (
        len([line for line in why_not(usb).splitlines() if line.startswith(("boxes/", "manifest"))])
        == 2
    )


@pytest.mark.parametrize(
    "path",
    ["../secret", "/etc/passwd", "boxes/../../secret", "boxes/./x", "a/b/c", ".x", "bo xes/x", ""],
)
def test_a_path_that_leads_out_is_refused(usb: Path, path: str) -> None:
    (usb.parent / "secret").write_text("x")
    digest = hashlib.sha256(b"x").hexdigest()
    with (usb / "SHA256SUMS").open("a") as sums:
        sums.write(f"{digest}  {path}\n")
    told = why_not(usb)
    assert "leads out of the folder" in told or "is no checksum" in told


def test_a_link_that_leads_out_is_refused(usb: Path, tmp_path: Path) -> None:
    box = box_on(usb)
    box.rename(tmp_path / "elsewhere.box")
    box.symlink_to(tmp_path / "elsewhere.box")
    assert "it is a link" in why_not(usb)


def test_a_folder_that_is_a_link_is_refused(usb: Path, tmp_path: Path) -> None:
    (usb / "boxes").rename(tmp_path / "boxes")
    (usb / "boxes").symlink_to(tmp_path / "boxes")
    assert "it is a link" in why_not(usb)


@pytest.mark.parametrize(
    "change",
    [
        lambda it: it["boxes"][0]["files"][0].update(path="../../x"),
        lambda it: it["boxes"][0]["files"][0].update(sha256="0" * 64),
        lambda it: it["boxes"][0].update(files=[]),
        lambda it: it["boxes"][0].update(name="--force"),
        lambda it: it["boxes"][0].update(name="../x"),
        lambda it: it["boxes"][0].update(provider="../x"),
        lambda it: it["boxes"][0].pop("recipe"),
        lambda it: it["boxes"][0].update(serves=[{"guide": "x"}]),
        lambda it: it.update(boxes=7),
    ],
)
def test_a_list_that_was_written_by_somebody_else_is_refused(
    usb: Path, change: Callable[[dict], None]
) -> None:  # type: ignore[type-arg]
    edit(usb, change)
    assert "is damaged" in why_not(usb)


def test_a_stick_of_a_later_lab_is_told(usb: Path) -> None:
    edit(usb, lambda it: it.update(version=2))
    assert why_not(usb) == (
        "This version of lab does not read such sticks (version 2)\n"
        "Use the same version of lab on both computers."
    )


def test_what_is_to_be_written_holds_nothing_where_there_is_no_list(tmp_path: Path) -> None:
    assert stick.begun(tmp_path) == {}
    assert stick.begun(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda path: os.truncate(path, 20), "manifest.json on the stick is damaged\nJSONDecode"),
        (lambda path: path.write_text('{"version": 2}'), "does not read such sticks (version 2)"),
        (
            lambda path: path.write_text(
                path.read_text().replace('"size": 10000', '"size": 1e999')
            ),
            "manifest.json on the stick is damaged\nOverflowError",
        ),
        (lambda path: (path.unlink(), path.mkdir()), "could not be read: Is a directory"),
    ],
    ids=["cut off", "later", "absurd", "a folder"],
)
def test_a_list_that_nobody_understands_is_not_taken_for_none(
    usb: Path, harm: Callable[[Path], object], why: str
) -> None:
    harm(usb / "manifest.json")
    with pytest.raises(LabError) as caught:
        stick.begun(usb)
    error = caught.value
    assert (
        error.message
        == f"What {usb} holds for other classes cannot be told; nothing there was touched"
    )
    assert why in error.details
    assert f"rm '{usb}/manifest.json'" in error.hint


def test_the_first_part_that_is_not_whole_is_named(usb: Path) -> None:
    (it,) = read(usb)
    assert stick.problem_with(usb, it) == ""
    box_on(usb).unlink()
    assert stick.problem_with(usb, it) == f"{it.files[0].path}: it is not there"


def test_only_a_file_that_is_the_same_is_not_copied_again(usb: Path, source: Path) -> None:
    (file,) = entry(source).files
    assert stick.has_file(usb, file)
    flip(box_on(usb))
    assert not stick.has_file(usb, file)
    assert not stick.has_file(usb, StickFile(path="boxes/none", size=1, sha256="0" * 64))


def test_a_stick_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LabError, match="could not be written: Not a directory") as caught:
        stick.open_for_writing(tmp_path / "file" / "usb")
    assert "See that the stick is mounted" in caught.value.hint
