"""Vagrant's boxes, read from its folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.machines.boxes import catalog
from lab.machines.boxes.catalog import Box, boxes, find, vagrant_home

Add = Callable[..., Path]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    def make(path: str, text: str = "", **metadata: str) -> Path:
        folder = tmp_path / "boxes" / path
        folder.mkdir(parents=True)
        (folder / "metadata.json").write_text(text or json.dumps(metadata))
        (folder / "rootfs.tar.gz").write_bytes(b"x" * 500_000)
        return folder

    return make


def test_every_box_that_vagrant_has(add: Add, tmp_path: Path) -> None:
    lab = add("lab-VAGRANTSLASH-debian-12/0/lxc", provider="lxc", lab_recipe="c0ffee")
    other = add("generic-VAGRANTSLASH-x/4.3.12/amd64/libvirt", provider="libvirt")
    bare = add("url-VAGRANTCOLON-x/0/virtualbox")
    (tmp_path / "boxes/lab-VAGRANTSLASH-debian-12/metadata_url").touch()
    assert boxes(tmp_path) == [
        Box(name="generic/x", provider="libvirt", version="4.3.12", folder=other),
        Box(name="lab/debian-12", provider="lxc", version="0", folder=lab, recipe="c0ffee"),
        Box(name="url:x", provider="virtualbox", version="0", folder=bare),
    ]
    assert round(boxes(tmp_path)[0].size_mb, 1) == 0.5
    assert boxes(tmp_path)[0].created == (other / "metadata.json").stat().st_mtime


@pytest.mark.parametrize("text", ["{", "[]", "\ud800", ""])
def test_a_damaged_box_is_left_out(add: Add, tmp_path: Path, text: str) -> None:
    folder = add("a/0/lxc", provider="lxc")
    (folder / "metadata.json").write_bytes(text.encode(errors="surrogatepass"))
    good = add("b/0/lxc", provider="lxc")
    assert [box.folder for box in boxes(tmp_path)] == [good]


def test_a_box_is_found_by_name_and_provider(add: Add, tmp_path: Path) -> None:
    add("a/1.0/virtualbox", provider="virtualbox")
    add("a/1.0/lxc", provider="lxc")
    latest = add("a/1.1/lxc", provider="lxc")
    box = find("a", provider="lxc", home=tmp_path)
    assert box is not None
    assert box.folder == latest
    assert find("a", provider="libvirt", home=tmp_path) is None
    assert find("b", provider="lxc", home=tmp_path) is None


@pytest.mark.parametrize(
    ("older", "latest"),
    [
        ("9.0", "10.0"),
        ("0", "1.0"),
        ("2.0.rc1", "2.0"),
        ("1.0", "1.0.1"),
        ("20200101.0.0", "20200101.1.0"),
    ],
)
def test_the_latest_version_is_the_highest(
    add: Add, tmp_path: Path, older: str, latest: str
) -> None:
    add(f"a/{older}/lxc", provider="lxc")
    add(f"a/{latest}/lxc", provider="lxc")
    box = find("a", provider="lxc", home=tmp_path)
    assert box is not None
    assert box.version == latest


def test_no_box_at_all(tmp_path: Path) -> None:
    assert boxes(tmp_path) == []


def test_vagrant_s_folder(monkeypatch: pytest.MonkeyPatch, add: Add, tmp_path: Path) -> None:
    add("a/0/lxc", provider="lxc")
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    assert vagrant_home() == tmp_path
    assert [box.name for box in catalog.boxes()] == ["a"]
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("VAGRANT_HOME")
        else:
            monkeypatch.setenv("VAGRANT_HOME", unset)
        assert vagrant_home() == Path.home() / ".vagrant.d"
