"""What a bake is named by, and the machine that it is made on."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from lab.machines.bakes import bake_for
from lab.machines.boxes.catalog import vagrant_home
from lab.machines.fleet import Machine
from lab.machines.providers.base import Provider, Wanted
from lab.system.files import LabFolder
from lab.workflow import scratch as module
from lab.workflow.files import write_guest_settings
from lab.workflow.project import Project
from lab.workflow.scratch import scratch_machine
from tests.unit.conftest import FakeProvider, is_held


@pytest.fixture(autouse=True)
def _boxes() -> None:
    for provider in ("lxc", "libvirt"):
        box = vagrant_home() / "boxes/lab-VAGRANTSLASH-debian-12/0" / provider
        box.mkdir(parents=True)
        noted = {"provider": provider, "lab_sha256": {"box.img": "5a"}}
        (box / "metadata.json").write_text(json.dumps(noted))


def with_disk(machine: Machine, gb: int) -> Machine:
    size = machine.student.machine.model_copy(update={"disk_gb": gb})
    return replace(machine, student=machine.student.model_copy(update={"machine": size}))


@pytest.mark.parametrize(("kind", "bakes"), [("lxc", 1), ("libvirt", 2)])
def test_a_bake_is_named_by_the_disk_where_it_has_one(
    project: Project, kind: str, bakes: int
) -> None:
    write_guest_settings(project)
    machine = replace(project.machines[0], provider=kind)
    made = [bake_for(with_disk(machine, gb), project.folder) for gb in (4, 40)]
    assert len({bake.box for bake in made if bake is not None}) == bakes


def test_a_scratch_machine_has_the_disk_of_the_machine_that_it_is_for(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[int] = []

    class Preparing(FakeProvider):
        def prepare(self, wanted: Sequence[Wanted], *, new: Collection[str], log: Path) -> None:
            prepared.extend(it.size.disk_gb for it in wanted)

    monkeypatch.setattr(module, "_boot", lambda *_: None)
    monkeypatch.setattr(module, "_reach", lambda *_: "10.0.3.7")
    settings = tmp_path / "settings"
    settings.mkdir()
    with scratch_machine(
        with_disk(project.machines[0], 40),
        folder=LabFolder(tmp_path / "scratch" / ".lab"),
        provider=cast("Provider", Preparing()),
        settings=settings,
        log=tmp_path / "log",
        tell=print,
    ) as scratch:
        assert scratch.machine.student.machine.disk_gb == 40
    assert prepared == [40]


def test_a_scratch_machine_is_made_alone_where_machines_are_made_one_by_one(
    project: Project, provider: FakeProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = vagrant_home() / "lab-lxc-making.lock"
    held = []

    class FakeVagrant:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def up(
            self, names: Sequence[str], *, on_line: Callable[[str, str], None], **_: object
        ) -> dict[str, str]:
            for said in ("Importing base box", "Waiting for machine to boot.", "Booted"):
                on_line(names[0], said)
                held.append(is_held(path))
            provider.add(names[0])
            return {}

    provider.one_by_one = True
    monkeypatch.setattr(module, "Vagrant", FakeVagrant)
    settings = tmp_path / "settings"
    settings.mkdir()
    told: list[str] = []
    with scratch_machine(
        project.machines[0],
        folder=LabFolder(tmp_path / "scratch"),
        provider=cast("Provider", provider),
        settings=settings,
        log=tmp_path / "log",
        tell=told.append,
    ) as scratch:
        assert scratch.ip == "10.0.0.9"
    assert held == [True, False, False]
    assert told == ["", "booting a machine of debian-12"]
