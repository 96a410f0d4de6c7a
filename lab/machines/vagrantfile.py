"""Renders Vagrantfile.j2.

Readable, the same bytes for the same class, and closed to what names may hold.
"""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2

from lab.classroom.shipped import shipped
from lab.machines.fleet import Machine, assignments
from lab.machines.kit import patience_words, shared_files
from lab.machines.providers.base import BOOT_TIMEOUT_S, HALT_TIMEOUT_S, SSH_TIMEOUT_S, Provider


def ruby(value: str) -> str:
    r"""A Ruby single-quoted literal of the text: nothing in it is ever run, `#{}` included.

    Raises:
        ValueError: the text holds a NUL, which no literal can.
    """
    if "\0" in value:
        raise ValueError("a NUL cannot stand in a Vagrantfile")
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def render_vagrantfile(machines: Sequence[Machine], *, project: Path, provider: Provider) -> str:
    """The Vagrantfile of these machines, to stand in the folder `project`."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701 (Ruby, not HTML: the `ruby` filter quotes)
    )
    environment.filters["ruby"] = ruby
    project = project.resolve()
    template = environment.from_string(shipped("Vagrantfile.j2").read_text(encoding="utf-8"))
    return (
        template.render(
            provider=provider.name,
            boot_timeout_s=str(math.ceil(BOOT_TIMEOUT_S * provider.patience)),
            ssh_timeout_s=math.ceil(SSH_TIMEOUT_S * provider.patience),
            halt_timeout_s=math.ceil(HALT_TIMEOUT_S * provider.patience),
            patience=assignments(patience_words(provider.patience)),
            shared_files=[_from(project, path) for path in shared_files()],
            machines=[_view(machine, project, provider) for machine in machines],
        )
        + "\n"
    )


def _view(machine: Machine, project: Path, provider: Provider) -> dict[str, Any]:
    return {
        "name": machine.name,
        "container": machine.container,
        "box": machine.box,
        "address": machine.address.partition("/")[0],
        "netmask": str(ipaddress.ip_interface(machine.address).netmask) if machine.address else "",
        "ports": machine.ports,
        "seed": provider.seed_disc(machine.container),
        "settings_of_provider": provider.settings(machine.wanted),
        "key_folder": _from(project, machine.keys.folder),
        "settings": f".lab/guest/{machine.lab.name}",
        "guide": _from(project, machine.guide.folder),
        "class_variables": assignments(machine.class_variables),
        "student_variables": assignments(machine.student_variables),
        "steps": machine.steps,
    }


def _from(project: Path, path: Path) -> str:
    """The path as seen from the project's resolved folder when in it: it may be moved then."""
    try:
        return path.resolve().relative_to(project).as_posix()
    except ValueError:
        return os.fspath(path.resolve())
