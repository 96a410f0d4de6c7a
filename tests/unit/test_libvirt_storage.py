"""Base images in libvirt's pool: their names, and two projects and a killed one at placing them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import HostError, ProcessError
from lab.machines.boxes import catalog
from lab.machines.providers import libvirt_storage
from lab.machines.providers.libvirt import Libvirt
from lab.machines.providers.libvirt_storage import image_name, place
from tests.unit.conftest import Program

REPOSITORY = Path(__file__).parents[2]
BYTES = os.urandom(1 << 20) * 24
# Places a box as another lab would, in a process of its own.
PLACE = """
import sys
from pathlib import Path
from lab.machines.boxes import catalog
from lab.machines.providers.libvirt_storage import place
box = catalog.find("lab/debian-12", provider="libvirt", home=Path(sys.argv[1]))
place([box], log=Path(sys.argv[3]), root=Path(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def _root(program: Program) -> None:
    """Whoever runs the tests, sudo is no hindrance."""
    program("sudo", 'shift; exec "$@"')


def box_in(
    home: Path, *, version: str = "0", data: bytes = b"disk", **metadata: object
) -> catalog.Box:
    """A box that Vagrant has in its folder `home`."""
    folder = home / "boxes" / "lab-VAGRANTSLASH-debian-12" / version / "libvirt"
    folder.mkdir(parents=True)
    (folder / "box.img").write_bytes(data)
    os.utime(folder / "box.img", (1_700_000_000.9, 1_700_000_000.9))
    (folder / "metadata.json").write_text(json.dumps({"provider": "libvirt", **metadata}))
    found = catalog.find("lab/debian-12", provider="libvirt", home=home)
    assert found is not None
    return found


def test_an_image_is_called_what_vagrant_libvirt_looks_for(tmp_path: Path) -> None:
    name = "lab-VAGRANTSLASH-debian-12_vagrant_box_image"
    assert image_name(box_in(tmp_path / "a")) == f"{name}_0_1700000000_box.img"
    assert image_name(box_in(tmp_path / "b", version="1.2")) == f"{name}_1.2_box.img"
    named = box_in(tmp_path / "c", version="3", disks=[{"path": "box.img", "name": "a/b"}])
    assert image_name(named) == f"{name}_3_a-SLASH-b.img"
    unnamed = box_in(tmp_path / "d", version="4", disks=[{"path": "box.img"}])
    assert image_name(unnamed) == f"{name}_4_box.img"


def test_two_labs_at_a_time_place_one_whole_image(tmp_path: Path) -> None:
    box = box_in(
        tmp_path / "home", data=BYTES, lab_sha256={"box.img": hashlib.sha256(BYTES).hexdigest()}
    )
    root = tmp_path / "root"
    labs = [
        subprocess.Popen(
            [sys.executable, "-c", PLACE, str(tmp_path / "home"), str(root), str(tmp_path / it)],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        for it in ("one.log", "two.log")
    ]
    assert [lab.wait(timeout=120) for lab in labs] == [0, 0]
    assert [path.name for path in (root / "images").iterdir()] == [image_name(box)]
    assert (root / "images" / image_name(box)).read_bytes() == BYTES
    assert [path.name for path in (root / "incoming").iterdir()] == ["lock"]


def test_what_a_killed_lab_has_left_of_an_image_is_written_anew(tmp_path: Path) -> None:
    box, root = box_in(tmp_path / "home", data=BYTES), tmp_path / "root"
    (root / "incoming").mkdir(parents=True)
    (root / "incoming" / "image.part").write_bytes(BYTES[:1000])
    place([box], log=tmp_path / "log", root=root)
    assert (root / "images" / image_name(box)).read_bytes() == BYTES


def test_an_image_that_is_there_stays(tmp_path: Path) -> None:
    box, root = box_in(tmp_path / "home", data=b"new"), tmp_path / "root"
    (root / "images").mkdir(parents=True)
    (root / "images" / image_name(box)).write_bytes(b"that machines are clones of")
    place([box], log=tmp_path / "log", root=root)
    assert (root / "images" / image_name(box)).read_bytes() == b"that machines are clones of"


def test_a_damaged_box_is_told_and_not_placed(tmp_path: Path) -> None:
    box = box_in(tmp_path / "home", lab_sha256={"box.img": "0" * 64})
    root = tmp_path / "root"
    with pytest.raises(HostError) as caught:
        place([box], log=tmp_path / "log", root=root)
    assert caught.value.message == (
        "The box lab/debian-12 is damaged: its image is not the one that was packed"
    )
    assert list((root / "images").iterdir()) == []


def test_a_disk_that_is_full_is_told_and_is_no_fuller_than_before(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(
        "cp",
        """for part; do :; done
echo half >"$part"
why='No queda espacio en el dispositivo'
[ "$LC_ALL" != C ] || why='No space left on device'
echo "cp: error writing: $why" >&2; exit 1""",
    )
    monkeypatch.setenv("LC_ALL", "es_ES.UTF-8")
    box = box_in(tmp_path / "home")
    with pytest.raises(ProcessError) as caught:
        place([box], log=tmp_path / "log", root=tmp_path / "root")
    assert "could not be copied" in caught.value.message
    assert caught.value.details == "cp: error writing: No space left on device"
    assert caught.value.hint == "Free some space there, or: lab box prune"
    assert [path.name for path in (tmp_path / "root/incoming").iterdir()] == ["lock"]
    program("cp", "echo 'cp: cannot open: Input/output error' >&2; exit 1")
    with pytest.raises(ProcessError) as caught:
        place([box], log=tmp_path / "log", root=tmp_path / "root")
    assert "space" not in caught.value.hint


def test_a_box_without_its_image_is_told_and_has_no_root(tmp_path: Path) -> None:
    box = box_in(tmp_path / "home")
    (box.folder / "box.img").unlink()
    with pytest.raises(HostError) as caught:
        image_name(box)
    assert caught.value.message == (
        "The box lab/debian-12 is damaged: its image cannot be read (No such file or directory)"
    )
    assert Libvirt().root_of(box) == ""
    (box.folder / "metadata.json").unlink()
    assert Libvirt().root_of(box) == ""


def test_an_image_is_used_as_long_as_an_overlay_is_its_clone(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libvirt_storage, "ROOT", tmp_path)
    (tmp_path / "images").mkdir()
    used, free = "a_vagrant_box_image_0_1_box.img", "b_vagrant_box_image_0_2_box.img"
    snapshot = "c_vagrant_box_image_0_3_box.img"
    for name in (used, free, snapshot, "ana.img"):
        (tmp_path / "images" / name).touch()
    (tmp_path / "guests/ana/snapshots/before").mkdir(parents=True)
    (tmp_path / "guests/ana/snapshots/before/disk").touch()
    program(
        "qemu-img",
        f"""for last; do :; done
case $last in *ana.img) base={used} ;; *) base={snapshot} ;; esac
printf '{{\\n    "full-backing-filename": "/pool/images/%s",\\n}}\\n' "$base" """,
    )
    assert libvirt_storage.roots() == {used: True, free: False, snapshot: True}
