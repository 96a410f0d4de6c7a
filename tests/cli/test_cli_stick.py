"""`lab box export`, `lab box import` and `--offline`, between two computers of stub programs."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HOST, NOT_ALL_WELL, OK, USAGE
from lab.machines import stick as stick_files
from lab.machines import stick_place
from lab.workflow import stick
from lab.workflow.scratch import own_name

Lab = Callable[..., Any]


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    folder = tmp_path / "my stick"
    folder.mkdir()
    return folder


def on(usb: Path) -> dict[str, Any]:
    """What is on the stick, by the name of each box without its digest."""
    boxes = json.loads((usb / "manifest.json").read_text())["boxes"]
    return {box["name"].rpartition("-")[0] if box["serves"] else box["name"]: box for box in boxes}


def inodes(usb: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in (usb / "boxes").iterdir()}


def another_computer(world: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From now on this is one that has never seen the class: no boxes, no roots, other certificates."""
    shutil.rmtree(world.root / "lxc" / ".lab-roots", ignore_errors=True)
    shutil.rmtree(world.project / ".lab")
    home = world.root.parent / "other-vagrant.d"
    monkeypatch.setenv("VAGRANT_HOME", str(home))
    bundle = world.root.parent / "other.crt"
    bundle.write_text("another school's\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    return home


@pytest.fixture
def certified(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world.edit("    domain:", "    guest: {ca_certificates: host}\n    domain:")
    bundle = world.root.parent / "ca.crt"
    bundle.write_text("this school's\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))


@pytest.mark.usefixtures("certified")
def test_a_class_goes_to_a_computer_without_internet(
    lab: Lab, world: Any, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = lab("box", "export", str(usb))
    assert ran.code == OK, ran.err
    assert "The stick is whole." in ran.err
    boxes = on(usb)
    assert list(boxes) == ["lab/debian-12", "lab-bake/tiny"]
    assert boxes["lab-bake/tiny"]["serves"][0]["guide"] == "tiny"

    home = another_computer(world, monkeypatch)
    refused = lab("up", "--offline")
    assert refused.code == HOST
    assert "the box debian-12 for lxc: `lab box build debian-12` builds it" in refused.said
    assert "a bake of tiny for hello-ana, hello-luis, hello-marta" in refused.said
    assert "lab box import FOLDER" in refused.said
    assert world.guests == {}

    imported = lab("box", "import", str(usb))
    assert imported.code == OK, imported.err
    assert imported.err.count("Imported ") == 2
    names = [path.name.replace("-VAGRANTSLASH-", "/") for path in (home / "boxes").iterdir()]
    assert sorted(name.rpartition("-")[0] for name in names) == ["lab-bake/tiny", "lab/debian"]
    before = len(world.calls("vagrant"))
    again = lab("box", "import", str(usb))
    assert again.err.count(": there already.") == 2
    assert len(world.calls("vagrant")) == before

    up = lab("up", "--offline")
    assert up.code == OK, up.err
    # Machines are clones of the bake, and none was baked on.
    assert [words for words in world.calls("vagrant")[before:] if words[:2] == ["box", "add"]] == []
    assert (world.project / "Vagrantfile").read_text().count("box: 'lab-bake/tiny-") == 3
    assert (world.project / ".lab/guest/hello/offline").exists()
    # With internet again they are the same machines, and their packages come from there.
    assert lab("up").code == OK
    assert not (world.project / ".lab/guest/hello/offline").exists()


def test_a_second_copy_copies_only_what_has_changed(lab: Lab, world: Any, usb: Path) -> None:
    assert lab("box", "export", str(usb)).code == OK
    first = inodes(usb)
    again = lab("box", "export", str(usb))
    assert (again.code, again.err.count(": there already.")) == (OK, 2)
    assert inodes(usb) == first

    (world.project / "provision/tiny/steps/web.sh").write_text("echo other\n")
    changed = lab("box", "export", str(usb))
    assert changed.err.count(": there already.") == 1
    assert changed.err.count("Copied ") == 1
    # The bake of the old steps is gone from the stick.
    assert len(inodes(usb)) == 2
    assert len(inodes(usb).items() & first.items()) == 1
    assert stick_files.read(usb)


def test_what_is_damaged_there_is_copied_again(lab: Lab, world: Any, usb: Path) -> None:
    assert lab("box", "export", str(usb)).code == OK
    (bake,) = (usb / "boxes").glob("lab-bake-*")
    os.truncate(bake, 100)
    ran = lab("box", "export", str(usb))
    assert (ran.code, ran.err.count("Copied ")) == (OK, 1)
    assert stick_files.read(usb)


def test_what_other_classes_need_stays(lab: Lab, world: Any, usb: Path) -> None:
    assert lab("box", "export", str(usb)).code == OK
    (bake,) = (usb / "boxes").glob("lab-bake-*")
    another_class(world)
    assert lab("box", "export", str(usb)).code == OK
    assert bake.exists()
    assert len(inodes(usb)) == 3
    both = on(usb)["lab/debian-12"]["needed_by"]
    assert len({it.partition("/")[0] for it in both}) == 2
    assert {it.partition("/")[2] for it in both} == {"hello"}


def another_class(world: Any) -> None:
    """From now on this is a class of its own, with another bake."""
    shutil.rmtree(world.project / ".lab")
    (world.project / "provision/tiny/steps/web.sh").write_text("echo another class\n")


@pytest.mark.parametrize("harm", [lambda path: os.truncate(path, 100), Path.unlink])
def test_what_another_class_has_lost_there_is_told(
    lab: Lab, world: Any, usb: Path, harm: Callable[[Path], None]
) -> None:
    assert lab("box", "export", str(usb)).code == OK
    lost = on(usb)["lab-bake/tiny"]
    another_class(world)
    (bake,) = (usb / "boxes").glob("lab-bake-*")
    harm(bake)
    ran = lab("box", "export", str(usb))
    assert ran.code == OK
    assert f"{lost['name']} for lxc is lost on the stick" in ran.said
    assert f"It was needed by {lost['needed_by'][0]}: `lab box export {usb}` in the" in ran.said
    assert len(stick_files.read(usb)) == 2
    assert "is lost on the stick" not in lab("box", "export", str(usb)).said


@pytest.mark.parametrize("text", ["", '{"version": 2, "boxes": []}'], ids=["cut off", "later"])
def test_a_stick_of_which_nobody_knows_what_it_holds_is_left_as_it_is(
    lab: Lab, world: Any, usb: Path, text: str
) -> None:
    assert lab("box", "export", str(usb)).code == OK
    another_class(world)
    (usb / "manifest.json").write_text(text)
    before = inodes(usb)
    calls = len(world.calls("vagrant"))
    ran = lab("box", "export", str(usb))
    assert ran.code == NOT_ALL_WELL
    assert "cannot be told; nothing there was touched" in ran.said
    assert "Take another stick" in ran.said
    assert (inodes(usb), (usb / "SHA256SUMS").exists()) == (before, True)
    assert (usb / "manifest.json").read_text() == text
    assert len(world.calls("vagrant")) == calls


def test_a_damaged_stick_gives_nothing(
    lab: Lab, world: Any, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab("box", "export", str(usb)).code == OK
    (bake,) = (usb / "boxes").glob("lab-bake-*")
    os.truncate(bake, 100)
    another_computer(world, monkeypatch)
    before = len(world.calls("vagrant"))
    ran = lab("box", "import", str(usb))
    assert ran.code == NOT_ALL_WELL
    assert bake.name in ran.said.replace(" ", "")
    assert "nothing was taken from it" in ran.said
    assert len(world.calls("vagrant")) == before


def test_a_full_stick_is_told_before_it_is_touched(
    lab: Lab, world: Any, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab("box", "export", str(usb)).code == OK
    (world.project / "provision/tiny/steps/web.sh").write_text("echo other\n")
    usage = shutil._ntuple_diskusage(1, 1, 0)  # type: ignore[attr-defined]
    monkeypatch.setattr(stick_place.shutil, "disk_usage", lambda _: usage)
    before = inodes(usb)
    ran = lab("box", "export", str(usb))
    assert ran.code == HOST
    assert "too little room" in ran.said
    assert inodes(usb) == before
    assert stick_files.read(usb)

    ran = lab("box", "import", str(usb))
    assert ran.code == HOST
    assert "too little room" in ran.said


def full(monkeypatch: pytest.MonkeyPatch, disk: Path) -> None:
    """From now on nothing is free below a folder; the stick and the work folder are two disks."""
    usage = shutil._ntuple_diskusage  # type: ignore[attr-defined]
    monkeypatch.setattr(
        stick_place.shutil,
        "disk_usage",
        lambda path: usage(1, 1, 0 if Path(path).is_relative_to(disk) else 10**12),
    )


def test_what_goes_from_the_stick_makes_room_and_what_is_damaged_goes_first(
    lab: Lab, world: Any, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab("box", "export", str(usb)).code == OK
    (old,) = (usb / "boxes").glob("lab-bake-*")
    (base,) = (usb / "boxes").glob("lab-debian-*")
    full(monkeypatch, usb)
    base.write_bytes(b"")
    (world.project / "provision/tiny/steps/web.sh").write_text("echo other\n")
    assert lab("box", "export", str(usb)).code == HOST
    os.truncate(old, 10_000_000)
    seen = []
    copy = stick_files.copy_parts

    def watched(source: Path, *rest: Any) -> None:
        seen.append((len(list((usb / "boxes").iterdir())), len(list(source.parent.glob("*.box")))))
        copy(source, *rest)

    monkeypatch.setattr(stick.stick, "copy_parts", watched)
    ran = lab("box", "export", str(usb))
    assert ran.code == OK, ran.err
    # What has been copied is not kept twice.
    assert seen == [(0, 2), (1, 1)]
    assert stick_files.read(usb)


def test_too_little_room_for_what_is_made_on_the_way_is_told(
    lab: Lab, world: Any, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(monkeypatch, Path("/var/tmp"))
    ran = lab("box", "export", str(usb))
    assert (ran.code, "/var/tmp/" in ran.said, "too little room" in ran.said) == (HOST, True, True)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where boxes are on their way, with a folder of a lab that was killed and one of a live one."""
    folder = tmp_path / "tmp"
    for name in ("lab-stick-999999999-123-abcd_123", f"{own_name('lab-stick-')}-abcd_123"):
        (folder / name).mkdir(parents=True)
        (folder / name / "lab.box").touch()
    monkeypatch.setattr(stick, "WORK", folder)
    return folder


def test_what_a_killed_export_has_left_is_in_nobody_s_way(
    lab: Lab, world: Any, usb: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = usb / "boxes" / ".lab-x.box.999999999-0123abcd.new"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    usage = shutil._ntuple_diskusage  # type: ignore[attr-defined]

    def with_room_where_it_is_tidy(path: Path) -> Any:
        tidy = not half.exists() and len(list(work.iterdir())) <= 2
        return usage(1, 1, 10**12 if tidy else 0)

    monkeypatch.setattr(stick_place.shutil, "disk_usage", with_room_where_it_is_tidy)
    ran = lab("box", "export", str(usb))
    assert ran.code == OK, ran.err
    # Somebody is at work in the other one.
    assert [path.name for path in work.iterdir()] == [f"{own_name('lab-stick-')}-abcd_123"]


def test_what_a_killed_import_has_left_goes(
    lab: Lab, world: Any, usb: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab("box", "export", str(usb)).code == OK
    (work / "lab-stick-999999998-1-abcdefgh").mkdir()
    another_computer(world, monkeypatch)
    assert lab("box", "import", str(usb)).code == OK
    assert [path.name for path in work.iterdir()] == [f"{own_name('lab-stick-')}-abcd_123"]


def test_an_index_s_password_does_not_go_on_a_stick(lab: Lab, world: Any, usb: Path) -> None:
    world.edit(
        "    domain:",
        "    guest: {pip_index: 'https://me:hunter2@index.example.org/simple'}\n    domain:",
    )
    ran = lab("box", "export", str(usb))
    assert ran.code == HOST
    assert "hello takes Python packages from an index with a password" in ran.said
    assert "hunter2" not in ran.said
    assert (list(usb.iterdir()), world.calls("vagrant")) == ([], [])


def test_a_stick_that_gives_other_bytes_each_time_gives_vagrant_nothing(
    lab: Lab, world: Any, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab("box", "export", str(usb)).code == OK
    another_computer(world, monkeypatch)
    before = len(world.calls("vagrant"))
    entries = stick_files.read(usb)
    monkeypatch.setattr(stick.stick, "read", lambda _: entries)
    for box in (usb / "boxes").iterdir():
        box.write_bytes(b"x" + box.read_bytes()[1:])
    ran = lab("box", "import", str(usb))
    assert ran.code == NOT_ALL_WELL
    assert "gives other bytes each time" in ran.said
    assert len(world.calls("vagrant")) == before


def test_what_vagrant_says_is_kept_in_its_own_folder(
    lab: Lab, world: Any, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab("box", "export", str(usb)).code == OK
    home = another_computer(world, monkeypatch)
    world.fault(vagrant__box={"stderr": "no room"})
    monkeypatch.chdir(usb)
    before = sorted(path.name for path in usb.iterdir())
    assert lab("box", "import", ".").code != OK
    assert sorted(path.name for path in usb.iterdir()) == before
    assert "no room" in (home / "lab-box-import.log").read_text()


def test_a_folder_on_the_system_s_disk_is_told(lab: Lab, world: Any, usb: Path) -> None:
    # Beside Vagrant's boxes.
    ran = lab("box", "export", str(usb))
    assert ("is on the system's disk: `lsblk` says" in ran.said, ran.code) == (True, OK)


@pytest.mark.parametrize("command", ["export", "import"])
@pytest.mark.parametrize("kind", ["a file", "a device"])
def test_what_is_no_folder_is_refused_at_once(
    lab: Lab, world: Any, usb: Path, command: str, kind: str
) -> None:
    usb.rmdir()
    usb.touch()
    name = "/dev/null" if kind == "a device" else str(usb)
    ran = lab("box", command, name)
    assert (ran.code, f"{name} is {kind}, and no folder" in ran.said) == (USAGE, True)
    assert world.calls("vagrant") == []
    assert lab("box", "import", str(usb.parent / "none")).code == USAGE


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_made(
    lab: Lab, world: Any, usb: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def read_only(path: Path, data: bytes) -> int:
        if usb in path.parents:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", read_only)
    ran = lab("box", "export", str(usb))
    assert ran.code == HOST
    assert f"{usb} cannot be written: Read-only file system" in ran.said
    assert "findmnt -T" in ran.said
    assert world.calls("vagrant") == []
    assert list(usb.iterdir()) == []


def test_a_stick_that_is_not_mounted_is_not_made(lab: Lab, world: Any, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    ran = lab("box", "export", str(tmp_path / "media" / "usb"))
    assert ran.code == USAGE
    assert "Is the stick mounted?" in ran.said
    assert list((tmp_path / "media").iterdir()) == []


def test_a_class_that_is_up_goes_on_offline_until_a_class_step_is_edited(
    lab: Lab, world: Any
) -> None:
    assert lab("up").code == OK
    assert lab("up", "--offline").code == OK
    (world.project / "provision/tiny/steps/app.sh").write_text("echo other\n")
    assert lab("up", "--offline").code == OK

    (world.project / "provision/tiny/steps/web.sh").write_text("echo other\n")
    ran = lab("up", "--offline")
    assert ran.code == HOST
    assert (
        "what tiny's step web brings, on hello-ana, hello-luis, hello-marta: "
        "it is another than the one that ran there" in ran.said
    )
    # Of machines that do not run, lab's notes tell it.
    assert lab("halt").code == OK
    boots = len(world.boots)
    assert "step web" in lab("up", "--offline").said
    assert lab("provision", "--offline", "--step", "app").code != HOST
    assert len(world.boots) == boots
    assert lab("up", "--offline", "--no-provision").code == OK


def test_all_that_is_missing_is_told_at_once(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab("up", "ana").code == OK
    (world.project / "provision/tiny/steps/web.sh").write_text("echo other\n")
    world.edit("labs:", "labs:\n  far: {guide: tiny, box: 'https://example.org/x.box', domain: x.org, students: [eva]}\n"
               "  own: {guide: tiny, box: school/base, domain: x.org, students: [eva]}")  # fmt: skip
    monkeypatch.setenv("LAB_OFFLINE", "1")
    ran = lab("up")
    assert ran.code == HOST
    lines = [line.strip() for line in ran.err.splitlines() if line.strip().startswith("- ")]
    assert [line.split(":")[0] for line in lines] == [
        "- the box https",
        "- the box school/base for lxc",
        "- a bake of tiny for far-eva, own-eva, hello-luis and 1 more, or what its class steps install",
        "- what tiny's step web brings, on hello-ana",
    ]


def lacks(ran: Any) -> list[str]:
    """The lines that say what would have to be downloaded, each whole."""
    parts = ran.said.partition("would have to be downloaded")[2].partition("- ")[2]
    return re.split(r" (?:- |Try: |\d missing|\d ok|\d drifted|\d stopped)", parts)[:-1]


@pytest.mark.parametrize(
    "words", [("plan", "--offline"), ("up", "--dry-run", "--offline"), ("plan",)], ids=" ".join
)
def test_a_plan_says_what_up_offline_would_refuse_for(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    if words == ("plan",):
        monkeypatch.setenv("LAB_OFFLINE", "1")
    world.edit("labs:", "labs:\n  own: {guide: tiny, box: school/base, domain: x.org, students: [eva]}")  # fmt: skip
    planned = lab(*words)
    assert (planned.code, world.below()) == (OK, [])
    refused = lab("up", "--offline")
    assert lacks(planned) == lacks(refused)
    assert len(lacks(planned)) == 2
    assert "Offline this cannot be done" in planned.out
    assert "Next: lab box import FOLDER" in planned.said
    told = lab(*words, "--format", "json")
    assert (told.code, told.json["downloads"]) == (OK, lacks(planned))


def test_a_plan_asks_the_machines_that_run_what_they_would_download(lab: Lab, world: Any) -> None:
    assert lab("up").code == OK
    assert lab("plan", "--offline", "--format", "json").json["downloads"] == []
    (world.project / "provision/tiny/steps/web.sh").write_text("echo other\n")
    # The settings that a `lab up` at work hands out stay as they are.
    assert not (world.project / ".lab/guest/hello/offline").exists()
    planned = lab("plan", "--offline")
    assert not (world.project / ".lab/guest/hello/offline").exists()
    assert lacks(planned) == lacks(lab("up", "--offline"))
    assert "what tiny's step web brings, on hello-ana, hello-luis, hello-marta" in planned.said
    assert lab("halt").code == OK
    assert lacks(lab("plan", "--offline")) == lacks(planned)
    # Without the steps nothing is downloaded.
    ran = lab("up", "--dry-run", "--offline", "--no-provision", "--format", "json")
    assert ran.json["downloads"] == []


def test_a_plan_names_the_command_that_can_be_run(lab: Lab, world: Any) -> None:
    assert "Next: lab up" in lab("plan").out.splitlines()
    assert lab("bake").code == OK
    assert "Next: lab up --offline" in lab("plan", "--offline").out.splitlines()
    assert "downloads" not in lab("plan", "--format", "json").json
    assert lab("up").code == OK
    # Another box: left alone, or made anew of a box that would have to come from somewhere.
    world.edit("box: debian-12", "box: debian-11")
    assert lab("plan", "--offline", "--format", "json").json["downloads"] == []
    ran = lab("up", "--dry-run", "--recreate", "--offline", "--format", "json")
    assert ran.json["downloads"][0].startswith("the box debian-11 for lxc")


def test_student_steps_are_taken_not_to_download_unless_the_guide_says_so(
    lab: Lab, world: Any
) -> None:
    assert lab("bake").code == OK
    assert lab("bake", "--offline").code == OK
    path = world.project / "provision/tiny/guide.yaml"
    path.write_text(path.read_text().replace("name: app,", "name: app, downloads: true,"))
    ran = lab("up", "--offline")
    assert ran.code == HOST
    assert "what tiny's step app brings, on hello-ana, hello-luis, hello-marta" in ran.said
    path.write_text(
        path.read_text()
        .replace("downloads: true", "downloads: false")
        .replace("name: web,", "name: web, downloads: false,")
    )
    # What downloads nothing may be baked, and done, without internet.
    (world.project / "provision/tiny/steps/web.sh").write_text("echo other\n")
    assert lab("bake", "--offline").code == OK
    assert lab("up", "--offline", "--no-bake").code == OK


def test_no_bake_is_made_offline(lab: Lab, world: Any) -> None:
    ran = lab("bake", "--offline")
    assert ran.code == HOST
    assert "a bake of tiny for hello-ana, hello-luis, hello-marta" in ran.said
    assert world.calls("vagrant") == []


def test_what_a_machine_has_from_its_bake_is_not_downloaded_again(lab: Lab, world: Any) -> None:
    assert lab("bake").code == OK
    assert lab("up", "--offline", "--no-provision").code == OK
    assert lab("halt").code == OK
    # It has run no step yet, and lab has noted none.
    assert lab("up", "--offline").code == OK
