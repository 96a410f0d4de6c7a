"""What would have to be downloaded."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lab.errors import HostError
from lab.machines.bakes import bake_for
from lab.machines.boxes.catalog import vagrant_home
from lab.workflow.files import write_guest_settings
from lab.workflow.offline import refuse_to_download_for_bakes
from lab.workflow.project import Project
from tests.unit.conftest import FakeProvider

LABS = """
labs:
  hello:
    guide: tiny
    box: debian-12
    domain: example.org
    students: [ana, {login: luis, machine: {disk: 20GB}}, marta]
"""


def add_box(name: str, provider: str) -> None:
    box = vagrant_home() / "boxes" / name.replace("/", "-VAGRANTSLASH-") / "0" / provider
    box.mkdir(parents=True)
    noted = {"provider": provider, "lab_sha256": {"box.img": name}}
    (box / "metadata.json").write_text(json.dumps(noted))
    (box / "box.img").write_text("a disk")


def test_a_bake_of_another_disk_is_none_for_a_machine(
    classroom: Callable[..., Project], provider: FakeProvider
) -> None:
    provider.name = "libvirt"
    project = classroom(LABS)
    add_box("lab/debian-12", "libvirt")
    write_guest_settings(project, offline=True)
    ana, luis, _ = [bake_for(machine, project.folder) for machine in project.machines]
    assert ana is not None
    assert luis is not None
    add_box(ana.box, "libvirt")
    with pytest.raises(HostError) as caught:
        refuse_to_download_for_bakes(project, project.machines)
    assert caught.value.details == (
        "- a bake of tiny for hello-luis, or what its class steps install: base, web"
    )
    add_box(luis.box, "libvirt")
    refuse_to_download_for_bakes(project, project.machines)
