"""One flat list of machines, and variables that a shell reads back as they are."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.machines.fleet import Machine, assignments, container_prefix
from lab.workflow.project import Project

# What neither an environment nor Python's view of it can hold.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
HOSTILE = [
    "$(touch /tmp/p)",
    "`touch /tmp/p`",
    "#{File.write('/tmp/p', 'x')}",
    'it\'s "quoted"',
    "a\nb",
    "\\",
    "",
    " ",
    "Ñandú 日本",
    "!!",
    "~",
    "-n",
    "*",
    "\x1b[2J",
]


@pytest.fixture
def luis(project: Project) -> Machine:
    return project.machines[1]


def test_a_machine_is_all_that_a_student_is_given(project: Project, luis: Machine) -> None:
    [lab] = project.classroom.labs
    assert (luis.name, luis.container, luis.box, luis.provider, luis.url) == (
        "hello-luis",
        "lab-c0ffee-hello-luis",
        "lab/debian-12",
        "lxc",
        "http://tiny.luis.example.org/",
    )
    assert (luis.lab, luis.student) == (lab, lab.students[1])
    assert luis.class_variables == {"LAB_PYTHON": "3.11"}
    assert luis.student_variables == {
        "LAB_LOGIN": "luis",
        "LAB_NAME": "Luis Núñez",
        "LAB_EMAIL": "luis@example.org",
        "LAB_VHOST": "tiny.luis.example.org",
        "LAB_SSH_KEY": "ssh-ed25519 AAAAstudent hello-luis (student)",
    }
    assert [step.name for step in luis.steps] == ["base", "web", "account", "app"]


def test_a_machine_is_where_its_address_or_this_computer_s_ports_lead(luis: Machine) -> None:
    assert (luis.known_at, luis.ssh_port) == ("", 22)
    at_address = replace(luis, address="10.0.3.7/24")
    assert (at_address.known_at, at_address.ssh_port) == ("10.0.3.7", 22)
    behind_ports = replace(luis, ports={22: 22007, 80: 28007})
    assert (behind_ports.known_at, behind_ports.ssh_port) == ("127.0.0.1", 22007)
    assert behind_ports.url == luis.url[:-1] + ":28007/"
    assert behind_ports.wanted.ports == {22: 22007, 80: 28007}


def test_a_class_step_is_not_told_whose_machine_it_is(luis: Machine) -> None:
    given = {step.name: set(luis.environment_of(step)) for step in luis.steps}
    everything = set(luis.class_variables) | set(luis.student_variables)
    assert given == {
        "base": {"LAB_PYTHON"},
        "web": {"LAB_PYTHON"},
        "account": everything,
        "app": everything,
    }


def test_the_provider_s_names_are_known_by_the_project(project: Project) -> None:
    assert container_prefix("c0ffee") == "lab-c0ffee-"
    assert all(machine.container.startswith(project.prefix) for machine in project.machines)


def read_back(shell: str, variables: dict[str, str]) -> dict[str, str]:
    """What a program started by `shell` finds in its environment."""
    command = f"{assignments(variables)} env -0"
    done = subprocess.run([shell, "-c", command], capture_output=True, check=True, env={})
    pairs = (pair.split("=", 1) for pair in done.stdout.decode().split("\0") if pair)
    return {name: value for name, value in pairs if name in variables}


@pytest.mark.parametrize("shell", [shutil.which("bash"), shutil.which("sh")])
def test_a_hostile_variable_is_only_text(shell: str) -> None:
    variables = {f"LAB_{number}": text for number, text in enumerate(HOSTILE)}
    assert read_back(shell, variables) == variables


@settings(max_examples=25)
@given(st.lists(TEXTS, min_size=1, max_size=30))
def test_bash_reads_any_variable_back(texts: list[str]) -> None:
    variables = {f"LAB_{number}": text for number, text in enumerate(texts)}
    assert read_back(str(shutil.which("bash")), variables) == variables
