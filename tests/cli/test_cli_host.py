"""Commands for the teacher's computer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HOST, NOT_ALL_WELL, OK, USAGE

Lab = Callable[..., Any]


def test_the_boxes_that_there_are(lab: Lab, tmp_path: Path) -> None:
    ran = lab("box", "list", "--format", "json")
    assert ran.code == OK
    assert list(ran.json) == ["version", "boxes"]
    [box] = ran.json["boxes"]
    assert (box["name"], box["provider"]) == ("lab/debian-12", "lxc")
    assert "lab/debian-12" in lab("box", "list").out


def test_no_box_at_all(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path / "nowhere"))
    assert json.loads(lab("box", "list", "--format", "json").out)["boxes"] == []
    assert lab("box", "list").code == OK


def test_a_box_of_the_teacher_s_own(lab: Lab, world: Any) -> None:
    ran = lab("box", "add", "school/base", "base.box")
    assert (ran.code, ran.out) == (OK, "")
    assert "box: school/base" in ran.err
    assert world.calls("vagrant") == [
        [
            *("box", "add", "school/base", str(world.project / "base.box")),
            *("--force", "--provider", "lxc"),
        ]
    ]
    world.fault(vagrant__box={"stderr": "The box is no box\n"})
    ran = lab("box", "add", "school/base", "base.box")
    assert ran.code == NOT_ALL_WELL
    assert "The box is no box" in ran.err


def test_a_box_for_another_provider_than_labs_yaml_s(lab: Lab, world: Any) -> None:
    for words in (("--provider", "libvirt"), ()):
        lab("box", "add", "school/base", "base.box", *words)
    assert [call[-1] for call in world.calls("vagrant")] == ["libvirt", "lxc"]
    ran = lab("box", "add", "school/base", "base.box", "--provider", "vmware")
    assert ran.code == USAGE
    assert "virtualbox" in ran.said


def test_a_box_for_the_provider_that_labs_yaml_names(lab: Lab, world: Any) -> None:
    world.edit("    box: debian-12\n", "    box: debian-12\n    provider: libvirt\n")
    assert lab("box", "add", "school/base", "base.box").code == OK
    assert world.calls("vagrant")[0][-1] == "libvirt"


def test_an_unknown_profile_is_told_with_what_comes_near(lab: Lab, world: Any) -> None:
    ran = lab("box", "build", "debian12")
    assert ran.code == USAGE
    assert "did you mean debian-12?" in ran.said
    assert world.below() == []


def test_signatures_are_never_skipped(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.machines.boxes.builder.shutil.which", lambda *_, **__: "/x")
    ran = lab("box", "build", "ubuntu-18.04", "--keyring", "none.gpg")
    assert ran.code == HOST
    assert "none.gpg" in ran.err
    assert "--keyring FILE" in ran.said
    assert world.below() == []


@pytest.mark.parametrize("profile", ["debian-12", "ubuntu-18.04"])
def test_a_host_without_debootstrap_is_told_what_installs_it(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    monkeypatch.setattr("lab.machines.boxes.builder.shutil.which", lambda *_, **__: None)
    ran = lab("box", "build", profile, "--provider", "lxc")
    assert ran.code == HOST
    assert "apt-get install --no-install-recommends debootstrap" in ran.said
