"""Boxes: what is missing is built or added, and what is there is left alone."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.classroom.results import BoxStatus
from lab.errors import HOST, HostError, LabError, ProcessError, UsageError
from lab.machines.boxes import catalog
from lab.machines.boxes.names import box_name
from lab.machines.boxes.repack import pack_folder
from lab.workflow import boxes as module
from lab.workflow.boxes import add_box, build_box, ensure_boxes, list_boxes


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Vagrant's folder, and a function that puts boxes into it."""
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))

    def put(name: str, provider: str = "lxc", **metadata: object) -> Path:
        folder = tmp_path / "boxes" / name / "0" / provider
        folder.mkdir(parents=True)
        path = folder / "metadata.json"
        path.write_text(json.dumps({"provider": provider, **metadata}))
        return path

    return put


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What was built and added."""
    found: list[tuple[str, ...]] = []

    def build(recipe: Any, *, note: Callable[[str], None], **_: object) -> None:
        note("unpacking")
        found.append(("build", recipe.profile.name, str(recipe.mirror)))
        if recipe.mirror == "http://broken.example.org":
            raise ProcessError("out of reach")

    class FakeVagrant:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def add_box(self, name: str, url: str, *, provider: str) -> None:
            found.append(("add", name, url, provider))

    monkeypatch.setattr(module.builder, "build", build)
    monkeypatch.setattr(module.builder, "host_mirror", lambda _: None)
    monkeypatch.setattr(module, "Vagrant", FakeVagrant)
    return found


def recipe(mirror: str | None = None) -> module.builder.Recipe:
    profile = module.profile_named("debian-12")
    return module.builder.recipe_for(profile, provider="lxc", mirror=mirror)


def ensure(witness: Any, tmp_path: Path, *names: str) -> None:
    ensure_boxes(
        names, provider="lxc", observer=witness, log=tmp_path / "log", folder=tmp_path / "class"
    )


@pytest.mark.usefixtures("home")
def test_what_is_missing_is_built_or_added_once(
    done: list[tuple[str, ...]], witness: Any, tmp_path: Path
) -> None:
    names = ("debian-12", "boxes/a.box", "https://example.org/b.box", "debian-12")
    ensure(witness, tmp_path, *names)
    assert done == [
        ("build", "debian-12", "None"),
        ("add", box_name("boxes/a.box"), str(tmp_path / "class/boxes/a.box"), "lxc"),
        ("add", box_name("https://example.org/b.box"), "https://example.org/b.box", "lxc"),
    ]
    assert witness.of_kind("note") == [
        ("unpacking",),
        ("box debian-12: ready",),
        ("box boxes/a.box: adding",),
        ("box https://example.org/b.box: adding",),
    ]


def test_what_is_there_is_left_alone(
    home: Callable[..., Path], done: list[tuple[str, ...]], witness: Any, tmp_path: Path
) -> None:
    for name in ("lab/debian-12", box_name("a.box"), "school/base"):
        home(name.replace("/", "-VAGRANTSLASH-"))
    ensure(witness, tmp_path, "debian-12", "a.box", "school/base")
    assert done == []


def test_a_box_that_nobody_has_is_told_with_what_adds_it(
    home: Callable[..., Path], done: list[tuple[str, ...]], witness: Any, tmp_path: Path
) -> None:
    home("school-VAGRANTSLASH-base", "virtualbox")
    with pytest.raises(HostError) as caught:
        ensure(witness, tmp_path, "school/base")
    assert caught.value.exit_code == HOST
    assert caught.value.message == "Vagrant has no box called school/base for lxc"
    assert caught.value.hint.startswith("lab box add school/base FILE_OR_URL")
    assert done == []


def test_the_same_recipe_is_built_by_force_only(
    home: Callable[..., Path], done: list[tuple[str, ...]], witness: Any, tmp_path: Path
) -> None:
    home("lab-VAGRANTSLASH-debian-12", lab_recipe=recipe().digest)
    log = tmp_path / "log"
    assert not build_box(recipe(), observer=witness, log=log)
    assert build_box(recipe(), observer=witness, log=log, force=True)
    assert build_box(recipe("http://m.example.org"), observer=witness, log=log)
    assert done == [
        ("build", "debian-12", "None"),
        ("build", "debian-12", "http://m.example.org"),
    ]


@pytest.mark.usefixtures("home", "done")
def test_a_box_that_cannot_be_built_is_told(witness: Any, tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="out of reach"):
        build_box(recipe("http://broken.example.org"), observer=witness, log=tmp_path / "log")
    with pytest.raises(UsageError, match="did you mean debian-12"):
        module.profile_named("debian12")


def test_the_teacher_s_own_box(
    done: list[tuple[str, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    add_box("school/base", "base.box", provider="lxc", on_wait=print)
    add_box("school/base", "https://example.org/base.box", provider="lxc", on_wait=print)
    assert done == [
        ("add", "school/base", str(tmp_path / "base.box"), "lxc"),
        ("add", "school/base", "https://example.org/base.box", "lxc"),
    ]


def test_a_box_that_was_damaged_on_its_way_is_not_kept(
    home: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = []

    class FakeVagrant:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def add_box(self, name: str, url: str, *, provider: str) -> None:
            noted = home(name, provider, lab_sha256={"box.img": "c0ffee"})
            (noted.parent / "box.img").write_bytes(b"disk")

        def remove_box(self, name: str, *, provider: str) -> None:
            removed.append((name, provider))

    monkeypatch.setattr(module, "Vagrant", FakeVagrant)
    with pytest.raises(LabError, match=r"is damaged: box\.img is not what was packed"):
        add_box("base", "base.box", provider="libvirt", on_wait=print)
    assert removed == [("base", "libvirt")]


def test_roots_of_other_homes_stay_and_those_of_boxes_built_anew_go(
    home: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = []

    class FakeProvider:
        name = "lxc"

        def roots(self) -> dict[str, bool]:
            return {"old": False, "new": False, "another-home": False, "next.part": False}

        def root_of(self, box: Any) -> str:
            return str(box.root_id)

        def remove_root(self, root: str) -> None:
            removed.append(root)

    monkeypatch.setattr(module, "PROVIDERS", ("lxc",))
    monkeypatch.setattr(module, "untried", lambda _: FakeProvider())
    monkeypatch.setattr(module, "trouble_with", lambda _: None)
    folder = home("lab-VAGRANTSLASH-debian-12").parent
    (folder / "root-id").write_text("old\n")
    with module.boxes_locked("box build debian-12", on_wait=print):
        (folder / "root-id").write_text("new\n")
    assert module.prune(on_wait=print) == ["the unpacked root old"]
    assert removed == ["old"]


def test_a_box_is_packed_as_small_as_it_is_and_not_compressed_twice(
    home: Callable[..., Path], tmp_path: Path
) -> None:
    for recipe, begins in (("c0ffee", b"./"), ("", b"\x1f\x8b")):
        folder = home(f"a{recipe}", "libvirt", lab_recipe=recipe).parent
        (folder / "box.img").write_bytes(b"disk")
        box = catalog.find(f"a{recipe}", provider="libvirt")
        assert box is not None
        packed = pack_folder(box, work=tmp_path, log=tmp_path / "log")
        assert packed.read_bytes()[:2] == begins
        with tarfile.open(packed) as archive:
            assert archive.getnames() == ["./box.img", "./metadata.json"]


def test_every_box_in_the_list(home: Callable[..., Path]) -> None:
    import os

    one = home("lab-VAGRANTSLASH-debian-12", lab_recipe="c0ffee")
    other = home("a", "libvirt")
    (one.parent / "rootfs.tar.gz").write_bytes(b"x" * 2_600_000)
    for path in (one, other):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    assert list_boxes() == [
        BoxStatus(name="a", provider="libvirt", version="0", size_mb=0, created="2023-11-14"),
        BoxStatus(
            name="lab/debian-12", provider="lxc", version="c0ffee", size_mb=3, created="2023-11-14"
        ),
    ]
