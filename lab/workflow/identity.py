"""Which machine a machine is: one that was made anew under the same name is another."""

from __future__ import annotations

from collections.abc import Sequence

from lab.machines.fleet import Machine
from lab.workflow.project import Project


def identities(project: Project, machines: Sequence[Machine]) -> dict[str, str]:
    """What tells each machine from its namesakes, by its name; "" where there is none.

    It stays when the machine is stopped, when the project is moved, and when Vagrant's notes are
    lost; it is another one when the machine was destroyed and made anew, in whichever way.

    Raises:
        ProcessError: the provider did not answer.
    """
    guests = project.provider.guests(project.prefix)
    return {
        machine.name: guest.identity if (guest := guests.get(machine.container)) else ""
        for machine in machines
    }
