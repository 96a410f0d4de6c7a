"""The machines of a class: labs.yaml and the guides, brought together into one flat list."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.classroom.classes import Lab, Student
from lab.classroom.guide import Guide, variables
from lab.machines.boxes.names import box_name
from lab.machines.boxes.profiles import PROFILES
from lab.machines.keys import MachineKeys
from lab.machines.providers.base import HTTP, LOOPBACK, SSH, Provider, Wanted
from lab.machines.steps import PlannedStep, plan_steps


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A student's guest, as labs.yaml wants it.

    Attributes:
        name: what Vagrant calls it, `<lab>-<login>`.
        container: what the provider calls it; unique on the host, and known by its prefix as this
            project's.
        box: the name of the Vagrant box it is a clone of.
        address: its address and the prefix length of its network, `10.0.3.7/24`, where lab gives it
            one before it boots; "" where it comes with the boot.
        ports: the ports of this computer that lead to its own, by its own; empty where it is
            reached at its address.
        class_variables: environment of the class steps. A student's own `vars` are among them: a
            student with another `python` than the class has class steps of their own, and so other
            digests, and a bake of their own.
        student_variables: what the student steps get besides.
        steps: the guide's steps in order, each with its digest.
        patience: how many times longer than in a container things take on it (`Provider.patience`).
    """

    name: str
    container: str
    box: str
    provider: str
    lab: Lab
    student: Student
    guide: Guide
    keys: MachineKeys
    class_variables: Mapping[str, str]
    student_variables: Mapping[str, str]
    steps: tuple[PlannedStep, ...]
    address: str = ""
    ports: Mapping[int, int] = field(default_factory=dict)
    patience: float = 1.0

    @property
    def target(self) -> str:
        """What names it on the command line, and no other machine: `LAB/LOGIN`."""
        return f"{self.lab.name}/{self.student.login}"

    @property
    def url(self) -> str:
        """Where the student's site answers, for a browser that can resolve the name."""
        port = f":{self.http_port}" if self.http_port != HTTP else ""
        return f"http://{self.student.vhost}{port}/"

    @property
    def known_at(self) -> str:
        """The address that it answers at, where that is known before it boots; else ""."""
        return LOOPBACK if self.ports else self.address.partition("/")[0]

    @property
    def ssh_port(self) -> int:
        """The port at that address that leads to its SSH server."""
        return self.ports.get(SSH, SSH)

    @property
    def http_port(self) -> int:
        """The port at that address that leads to the student's site."""
        return self.ports.get(HTTP, HTTP)

    @property
    def wanted(self) -> Wanted:
        """It, for the provider."""
        return Wanted(
            name=self.container,
            box=self.box,
            size=self.student.machine,
            address=self.address,
            keys=self.keys.folder,
            isolated=self.lab.isolated,
            internet=self.lab.internet,
            ports=self.ports,
        )

    def environment_of(self, step: PlannedStep) -> Mapping[str, str]:
        """The variables that a step is given."""
        if step.scope == "class":
            return self.class_variables
        return {**self.class_variables, **self.student_variables}


def container_prefix(project_id: str) -> str:
    """What the provider's name of each of a project's machines begins with."""
    return f"lab-{project_id}-"


def takes_address(machine: Machine, provider: Provider) -> bool:
    """Whether a machine that is to be made takes an address that it is given."""
    return provider.addresses_any_box or machine.lab.box in PROFILES


def assignments(environment: Mapping[str, str]) -> str:
    """Variables as words that a POSIX shell reads back as they are: `A=1 B='two words'`."""
    return " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())


def build_machine(  # noqa: PLR0913 (what comes together here)
    lab: Lab,
    student: Student,
    guide: Guide,
    *,
    project_id: str,
    provider: Provider,
    keys: MachineKeys,
    contents: Mapping[str, str],
) -> Machine:
    """One student's machine.

    Args:
        lab: the lab it belongs to.
        student: whose it is.
        guide: what is done on it.
        project_id: this project's mark in the provider's names.
        provider: what boots it.
        keys: the machine's SSH keys.
        contents: the guide's, from `read_contents`.
    """
    class_variables = {
        f"LAB_{name.upper()}": value for name, value in variables(guide, lab, student).items()
    }
    student_variables = {
        "LAB_LOGIN": student.login,
        "LAB_NAME": student.name,
        "LAB_EMAIL": student.email,
        "LAB_VHOST": student.vhost,
        "LAB_SSH_KEY": keys.student_public,
    }
    return Machine(
        name=student.machine_name,
        container=container_prefix(project_id) + student.machine_name,
        box=box_name(lab.box),
        provider=provider.name,
        lab=lab,
        student=student,
        guide=guide,
        keys=keys,
        class_variables=class_variables,
        student_variables=student_variables,
        address=keys.address,
        ports=keys.ports,
        patience=provider.patience,
        steps=plan_steps(guide, contents, class_variables, student_variables),
    )
