"""Checksums: a box that was damaged on its way is told from the one that was packed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.machines.boxes import catalog
from lab.machines.boxes.box_file import write_box_file
from lab.machines.boxes.catalog import Box
from lab.machines.boxes.checksums import checksum_of, verify_box


def box_with(folder: Path, metadata: object = None) -> Box:
    """A box as Vagrant keeps it, with an image of four bytes."""
    place = folder / "boxes" / "lab-VAGRANTSLASH-debian-12" / "0" / "libvirt"
    place.mkdir(parents=True)
    (place / "box.img").write_bytes(b"disk")
    if metadata is None:
        write_box_file(place, image="box.img", metadata={"provider": "libvirt"})
    else:
        (place / "metadata.json").write_text(json.dumps(metadata))
    [box] = catalog.boxes(folder)
    return box


def test_a_box_as_it_was_packed_is_taken(tmp_path: Path) -> None:
    box = box_with(tmp_path)
    assert box.checksums == {"box.img": checksum_of(box.folder / "box.img")}
    verify_box(box)


def test_a_box_that_was_damaged_is_told_with_what_mends_it(tmp_path: Path) -> None:
    box = box_with(tmp_path)
    (box.folder / "box.img").write_bytes(b"disc")
    with pytest.raises(LabError) as caught:
        verify_box(box)
    assert caught.value.message == (
        "The box lab/debian-12 (libvirt) is damaged: box.img is not what was packed into it"
    )
    assert "lab box add" in caught.value.hint


def test_an_image_that_is_gone_is_told(tmp_path: Path) -> None:
    box = box_with(tmp_path)
    (box.folder / "box.img").unlink()
    with pytest.raises(LabError, match="could not be read: No such file"):
        verify_box(box)


@pytest.mark.parametrize("noted", [{}, {"lab_sha256": "odd"}, {"lab_sha256": []}])
def test_a_box_without_checksums_is_taken_as_it_is(
    tmp_path: Path, noted: dict[str, object]
) -> None:
    box = box_with(tmp_path, {"provider": "libvirt", **noted})
    assert box.checksums == {}
    verify_box(box)
